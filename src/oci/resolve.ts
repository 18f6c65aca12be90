/** From a name to what has to be fetched: manifest or the wasm one of an index, configuration, and the flavour's module. */
import { sha256Of } from './digest.ts';
import { NotWasmError, ociError } from './errors.ts';
import type { Recognised } from './flavours/flavour.ts';
import { chooseManifest, notWasm, recognise, wantsConfig } from './flavours/mod.ts';
import {
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  MAX_CONFIG,
  parseJsonObject,
  parseManifest,
} from './manifest.ts';
import { IMAGE_CONFIG_TYPES } from './media-types.ts';
import { formatReference, type Reference } from './reference.ts';
import type { RegistryClient } from './registry.ts';
import { wrongDigest } from './store/store.ts';

export interface ResolveOptions {
  readonly registry: RegistryClient;
  /** Brings a small blob in and returns its bytes. */
  readonly readBlob: (blob: Descriptor) => Promise<Uint8Array>;
  readonly signal: AbortSignal;
}

export interface ManifestDocument {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly parsed: ImageManifest | ImageIndex;
}

export interface Resolved {
  /** What the name points to: a manifest or an index. */
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: ImageManifest;
  readonly documents: readonly ManifestDocument[];
  /** Empty where the flavour has no use for it. */
  readonly config: Uint8Array;
  readonly found: Recognised;
}

/** Fails with NotWasmError, which then carries the digest, for an image that is there and not ours. */
export async function resolveImage(reference: Reference, options: ResolveOptions): Promise<Resolved> {
  const what = `'${formatReference(reference)}'`;
  const top = await fetchManifest(reference, what, options);
  try {
    const { manifest, documents } = await manifestOf(top, what, options);
    const config = await configOf(manifest, what, options);
    const parsed = config.length === 0 ? {} : parseJsonObject(config, `the configuration of ${what}`);
    const found = recognise(what, { manifest, config: parsed });
    return { digest: top.digest, mediaType: top.mediaType, manifest, documents, config, found };
  } catch (error) {
    if (error instanceof NotWasmError) error.digest = top.digest;
    throw error;
  }
}

async function manifestOf(
  top: ManifestDocument,
  what: string,
  options: ResolveOptions,
): Promise<{ manifest: ImageManifest; documents: readonly ManifestDocument[] }> {
  if (top.parsed.kind === 'manifest') return { manifest: top.parsed, documents: [top] };
  const { digest } = chooseManifest(what, top.parsed);
  const inner = await fetchManifest({ tag: undefined, digest }, what, options);
  if (inner.parsed.kind !== 'manifest') throw notWasm(what, 'an index of indexes');
  return { manifest: inner.parsed, documents: [top, inner] };
}

async function fetchManifest(
  reference: Pick<Reference, 'tag' | 'digest'>,
  what: string,
  { registry, signal }: ResolveOptions,
): Promise<ManifestDocument> {
  const { bytes, contentType, claimedDigest } = await registry.manifest(reference, signal);
  const digest = sha256Of(bytes);
  const claimed = claimedDigest?.startsWith('sha256:') ? claimedDigest : undefined;
  const expected = reference.digest ?? claimed ?? digest;
  if (digest !== expected) throw wrongDigest(expected, digest);
  const parsed = parseManifest(bytes, { what: `the manifest of ${what}`, contentType });
  return { digest, mediaType: parsed.mediaType, size: bytes.length, bytes, parsed };
}

/** Only fetched where it decides something, or where it tells what an image that is none of ours is. */
async function configOf(manifest: ImageManifest, what: string, { readBlob }: ResolveOptions): Promise<Uint8Array> {
  const { config } = manifest;
  const wanted = wantsConfig(manifest);
  if (!wanted && !IMAGE_CONFIG_TYPES.includes(config.mediaType)) return new Uint8Array();
  if (config.size > MAX_CONFIG) {
    if (!wanted) return new Uint8Array();
    throw ociError('OCI_TOO_LARGE', `Cannot read the configuration of ${what}: it is larger than ${MAX_CONFIG} bytes`);
  }
  try {
    return await readBlob(config);
  } catch (error) {
    if (wanted) throw error;
    return new Uint8Array();
  }
}
