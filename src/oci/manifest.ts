/**
 * Manifests and indexes, read from hostile bytes into checked shapes. Source: image-spec `manifest.md`, `image-index.md`,
 * `descriptor.md`. Unknown fields are ignored, as the specification asks; what we use has to be right.
 */
import { isDigest } from './digest.ts';
import { ociError } from './errors.ts';
import { INDEX_TYPES, MANIFEST_TYPES, MEDIA } from './media-types.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform: Platform | undefined;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
}

export interface ImageManifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

/** Bytes of a manifest or index at most; registries commonly refuse more than 4 MiB. */
export const MAX_MANIFEST = 4 << 20;
/** Bytes of a configuration at most. */
export const MAX_CONFIG = 4 << 20;
const MAX_ENTRIES = 1024;
const MAX_TEXT = 4096;

/** `what` names the image in the error. `contentType` is the registry's word, used where the document itself has none. */
export function parseManifest(
  bytes: Uint8Array,
  { what, contentType }: { what: string; contentType?: string | undefined },
): ImageManifest | ImageIndex {
  const document = parseJsonObject(bytes, what);
  const mediaType = mediaTypeOf(document, contentType);
  if (INDEX_TYPES.includes(mediaType)) {
    return { kind: 'index', mediaType, manifests: descriptorsOf(document['manifests'], `${what}: manifests`) };
  }
  if (!MANIFEST_TYPES.includes(mediaType)) throw bad(what, `its media type '${mediaType}' is unknown`);
  return {
    kind: 'manifest',
    mediaType,
    config: descriptorOf(document['config'], `${what}: config`),
    layers: descriptorsOf(document['layers'], `${what}: layers`),
    annotations: stringsOf(document['annotations']),
  };
}

export function parseJsonObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw ociError('OCI_BAD_MANIFEST', `Cannot read ${what}: it is not JSON`, { cause });
  }
  if (!isObject(value)) throw bad(what, 'it is not a JSON object');
  return value;
}

/** String values of an object; anything else in it is left out. */
export function stringsOf(value: unknown): Record<string, string> {
  const strings: Record<string, string> = Object.create(null);
  if (!isObject(value)) return strings;
  for (const [key, text] of Object.entries(value).slice(0, MAX_ENTRIES)) {
    if (typeof text === 'string' && text.length <= MAX_TEXT && key.length <= MAX_TEXT) strings[key] = text;
  }
  return strings;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mediaTypeOf(document: Record<string, unknown>, contentType: string | undefined): string {
  const own = document['mediaType'];
  if (typeof own === 'string') return own.slice(0, 200);
  const said = contentType?.split(';')[0]?.trim();
  if (said !== undefined && [...MANIFEST_TYPES, ...INDEX_TYPES].includes(said)) return said;
  if (document['schemaVersion'] === 1) return 'application/vnd.docker.distribution.manifest.v1+json';
  return 'manifests' in document ? MEDIA.index : MEDIA.manifest;
}

function descriptorsOf(value: unknown, what: string): Descriptor[] {
  if (!Array.isArray(value)) throw bad(what, 'it is not a list');
  if (value.length > MAX_ENTRIES) throw bad(what, `it has more than ${MAX_ENTRIES} entries`);
  return value.map((entry, index) => descriptorOf(entry, `${what}[${index}]`));
}

function descriptorOf(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw bad(what, 'it is not an object');
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== 'string' || mediaType.length > 200) throw bad(what, 'it has no media type');
  if (!isDigest(digest)) throw bad(what, 'its digest is not a sha256 digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw bad(what, 'its size is not a number of bytes');
  return {
    mediaType,
    digest,
    size,
    annotations: stringsOf(value['annotations']),
    platform: platformOf(value['platform']),
  };
}

function platformOf(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os: os.slice(0, 64), architecture: architecture.slice(0, 64) };
}

function bad(what: string, state: string): Error {
  return ociError('OCI_BAD_MANIFEST', `Cannot read ${what}: ${state}`, { hint: 'Push the image again' });
}
