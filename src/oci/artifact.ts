/**
 * The artifact that a module becomes in a registry, byte for byte the same for the same input.
 *
 * `cncf`: github.com/cncf/tag-runtime `wgs/wasm/deliverables/wasm-oci-artifact`. `wasm-to-oci`: what engineerd/wasm-to-oci writes
 * by ORAS, and what Krustlet pulls.
 */
import { sha256Of } from './digest.ts';
import { ociError } from './errors.ts';
import { MEDIA, TITLE_ANNOTATION } from './media-types.ts';

export type ArtifactFormat = 'wasm-to-oci' | 'cncf';

export interface ArtifactOptions {
  readonly format: ArtifactFormat;
  /** File name of the module, kept as an annotation of the layer. */
  readonly title: string;
  /** Milliseconds since the epoch, in the configuration of `cncf`; undefined leaves it out, for the same digest every time. */
  readonly created: number | undefined;
}

export interface Part {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export interface Artifact {
  readonly manifest: Part;
  readonly config: Part;
  readonly module: Part;
}

export function artifactOf(module: Uint8Array, options: ArtifactOptions): Artifact {
  checkModule(module, options.title);
  return options.format === 'cncf' ? cncfArtifact(module, options) : wasmToOciArtifact(module, options);
}

/** Field order and spelling as Go's encoding/json writes the `ocispec.Manifest` of that time: no media type of its own. */
function wasmToOciArtifact(bytes: Uint8Array, { title }: ArtifactOptions): Artifact {
  const module = partOf(MEDIA.legacyWasmLayer, bytes);
  const config = partOf(MEDIA.legacyWasmConfig, Buffer.from('{}'));
  const document = {
    schemaVersion: 2,
    config: descriptorOf(config),
    layers: [{ ...descriptorOf(module), annotations: { [TITLE_ANNOTATION]: title } }],
  };
  return { manifest: partOf(MEDIA.manifest, jsonBytes(document)), config, module };
}

function cncfArtifact(bytes: Uint8Array, { title, created }: ArtifactOptions): Artifact {
  const module = partOf(MEDIA.wasm, bytes);
  const config = partOf(
    MEDIA.wasmConfig,
    jsonBytes({
      ...(created === undefined ? {} : { created: new Date(created).toISOString() }),
      architecture: 'wasm',
      os: 'wasip1',
      layerDigests: [module.digest],
    }),
  );
  const document = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: descriptorOf(config),
    layers: [{ ...descriptorOf(module), annotations: { [TITLE_ANNOTATION]: title } }],
  };
  return { manifest: partOf(MEDIA.manifest, jsonBytes(document)), config, module };
}

/** Refuses what is no core module, before anything is sent. Source: WebAssembly core specification, section 5.5.16. */
function checkModule(bytes: Uint8Array, title: string): void {
  const magic = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  if (magic === '0061736d01000000') return;
  const component = magic.startsWith('0061736d') && magic.endsWith('0100');
  const state = component ? 'it is a component, not a module' : 'it is not a WebAssembly module';
  throw ociError('OCI_BAD_MODULE', `Cannot use '${title}' as an image: ${state}`, {
    hint: component ? 'Build it for wasm32-wasi (preview 1)' : 'Name the .wasm file that the compiler wrote',
  });
}

function partOf(mediaType: string, bytes: Uint8Array): Part {
  return { mediaType, digest: sha256Of(bytes), bytes };
}

function descriptorOf({ mediaType, digest, bytes }: Part): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest, size: bytes.length };
}

/** As Go's json.Marshal: no spaces, and `<`, `>`, `&` escaped. */
function jsonBytes(value: unknown): Uint8Array {
  const text = JSON.stringify(value).replace(
    /[<>&]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Buffer.from(text);
}
