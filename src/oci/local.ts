/** Images that are in the content store already: how they are read back, and how a file becomes one without a registry. */
import { basename } from 'node:path';
import { accessAfter, mayUse } from './access.ts';
import { type ArtifactOptions, artifactOf } from './artifact.ts';
import type { Credential } from './auth/keyring.ts';
import { chooseManifest, recognise, wantsConfig } from './flavours/mod.ts';
import type { WorkloadImage } from './image.ts';
import { type ImageManifest, MAX_CONFIG, MAX_MANIFEST, parseJsonObject, parseManifest } from './manifest.ts';
import { TITLE_ANNOTATION } from './media-types.ts';
import { formatReference, parseReference, type Reference, withDigest } from './reference.ts';
import type { StoredRef } from './store/refs.ts';
import type { ContentStore } from './store/store.ts';

/**
 * The image that a reference stands for here; undefined if it, or a part of it, is missing, or if it came with a credential
 * and is not for `credentials` (not given: no question asked). OCI_NOT_WASM as in a pull.
 */
export async function localImage(
  store: ContentStore,
  reference: Reference,
  { credentials }: { credentials?: readonly Credential[] } = {},
): Promise<WorkloadImage | undefined> {
  const ref = await store.refs.get(formatReference(reference));
  if (ref === undefined || !(await store.intact(ref))) return undefined;
  if (credentials !== undefined && !mayUse(ref, credentials)) return undefined;
  const documents = recent(store).get(ref.digest) ?? (await readDocuments(store, reference, ref.digest));
  if (documents === undefined) return undefined;
  remember(store, ref.digest, documents);
  return imageOf(store, { reference, ref, ...documents });
}

type Documents = Pick<ImageParts, 'manifest' | 'config'>;

/** What was read and checked lately, by the digest that a reference points to: a hundred pods of one image read it once. */
const RECENT = new WeakMap<ContentStore, Map<string, Documents>>();
const MAX_RECENT = 128;
const MAX_RECENT_CONFIG = 64 << 10;

function recent(store: ContentStore): Map<string, Documents> {
  const known = RECENT.get(store) ?? new Map<string, Documents>();
  RECENT.set(store, known);
  return known;
}

function remember(store: ContentStore, digest: string, documents: Documents): void {
  const known = recent(store);
  if (known.has(digest) || documents.config.length > MAX_RECENT_CONFIG) return;
  const [oldest] = known.keys();
  if (known.size >= MAX_RECENT && oldest !== undefined) known.delete(oldest);
  known.set(digest, documents);
}

async function readDocuments(
  store: ContentStore,
  reference: Reference,
  digest: string,
): Promise<Documents | undefined> {
  const what = `'${formatReference(reference)}'`;
  let document = await readManifest(store, digest, what);
  if (document?.kind === 'index') document = await readManifest(store, chooseManifest(what, document).digest, what);
  if (document?.kind !== 'manifest') return undefined;
  const config = wantsConfig(document) ? await store.read(document.config.digest, MAX_CONFIG) : new Uint8Array();
  return config === undefined ? undefined : { manifest: document, config };
}

export interface ImageParts {
  readonly reference: Reference;
  readonly ref: Pick<StoredRef, 'digest' | 'size'>;
  readonly manifest: ImageManifest;
  /** Bytes of the configuration; empty counts as `{}`. */
  readonly config: Uint8Array;
}

export function imageOf(store: ContentStore, { reference, ref, manifest, config }: ImageParts): WorkloadImage {
  const name = formatReference(reference);
  const parsed = config.length === 0 ? {} : parseJsonObject(config, `the configuration of '${name}'`);
  const found = recognise(`'${name}'`, { manifest, config: parsed });
  return {
    reference: name,
    id: formatReference(withDigest(reference, ref.digest)),
    digest: ref.digest,
    moduleDigest: found.module.digest,
    modulePath: store.pathOf(found.module.digest),
    size: ref.size,
    programName: programName(found.module.annotations[TITLE_ANNOTATION], reference),
    entrypoint: found.entrypoint ?? [],
    cmd: found.cmd ?? [],
    env: found.env ?? [],
    workingDir: found.workingDir ?? '',
    stopSignal: found.stopSignal,
    user: found.user,
    labels: found.labels ?? {},
    flavour: found.flavour,
  };
}

/** Puts a module into the store under a name, as if it had been pulled. Nothing is sent anywhere. */
export async function importModule(
  store: ContentStore,
  module: Uint8Array,
  { reference: text, now = Date.now(), ...options }: { reference: string; now?: number } & Partial<ArtifactOptions>,
): Promise<WorkloadImage> {
  const reference = parseReference(text);
  const title = options.title ?? `${basename(reference.repository)}.wasm`;
  const artifact = artifactOf(module, { format: 'cncf', created: undefined, ...options, title });
  for (const part of [artifact.module, artifact.config, artifact.manifest]) await store.put(part.bytes);
  const { digest } = artifact.manifest;
  const parts = [artifact.manifest, artifact.config, artifact.module];
  const stored = {
    digest,
    mediaType: artifact.manifest.mediaType,
    blobs: parts.map((part) => part.digest),
    size: parts.reduce((sum, part) => sum + part.bytes.length, 0),
    pulledAt: now,
  };
  await putRefs(store, reference, stored);
  const image = await localImage(store, reference);
  if (image === undefined) throw new Error(`Cannot find '${text}' again after it was put into the store`);
  return image;
}

/** Records what a reference stands for, under its own name and under its digest, and who may use it (`access.ts`). */
export async function putRefs(
  store: ContentStore,
  reference: Reference,
  { credential, ...stored }: Omit<StoredRef, 'reference' | 'access'> & { readonly credential?: Credential | undefined },
): Promise<void> {
  const { digest, mediaType, blobs, size, pulledAt } = stored;
  for (const name of new Set([formatReference(withDigest(reference, digest)), formatReference(reference)])) {
    const access = accessAfter(await store.refs.get(name), { digest, credential });
    await store.refs.put({ reference: name, digest, mediaType, blobs, size, pulledAt, access });
  }
}

async function readManifest(
  store: ContentStore,
  digest: string,
  what: string,
): Promise<ReturnType<typeof parseManifest> | undefined> {
  const bytes = await store.read(digest, MAX_MANIFEST);
  return bytes === undefined ? undefined : parseManifest(bytes, { what: `the manifest of ${what}` });
}

/** A title is an annotation that anybody wrote: only a plain file name counts. */
function programName(title: string | undefined, reference: Reference): string {
  const name = title === undefined ? '' : basename(title);
  return /^[\w.+-]{1,128}$/.test(name) ? name : basename(reference.repository);
}
