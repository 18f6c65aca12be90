/** Every media type that this room writes or understands; docs/names.md lists those that are ours to promise. */
export const MEDIA = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  imageConfig: 'application/vnd.oci.image.config.v1+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  /** CNCF TAG-Runtime, wasm-oci-artifact. */
  wasmConfig: 'application/vnd.wasm.config.v0+json',
  wasm: 'application/wasm',
  /** wasm-to-oci and Krustlet. */
  legacyWasmConfig: 'application/vnd.wasm.config.v1+json',
  legacyWasmLayer: 'application/vnd.wasm.content.layer.v1+wasm',
} as const;

export const TITLE_ANNOTATION = 'org.opencontainers.image.title';

export const MANIFEST_TYPES: readonly string[] = [MEDIA.manifest, MEDIA.dockerManifest];
export const INDEX_TYPES: readonly string[] = [MEDIA.index, MEDIA.dockerList];
export const IMAGE_CONFIG_TYPES: readonly string[] = [MEDIA.imageConfig, MEDIA.dockerConfig];

/** What we ask a registry for, best first. */
export const ACCEPT = [MEDIA.manifest, MEDIA.index, MEDIA.dockerManifest, MEDIA.dockerList].join(', ');
