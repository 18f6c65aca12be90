/** The door of `oci`: registries, artifacts, and the content store. */
export { type ArtifactFormat, artifactOf } from './artifact.ts';
export { credentialFromFiles, dockerConfigPaths } from './auth/docker-config.ts';
export {
  type Credential,
  type KeyringEntry,
  lookupAll,
  lookupExact,
  readDockerConfig,
  readDockercfg,
} from './auth/keyring.ts';
export { NotWasmError, OCI_ERRORS, type OciErrorCode, ociError } from './errors.ts';
export type { WorkloadImage } from './image.ts';
export { importModule, localImage } from './local.ts';
export { MEDIA } from './media-types.ts';
export { Puller, type PullerOptions, type PullOptions } from './pull.ts';
export { type Pushed, type PushOptions, pushModule } from './push.ts';
export {
  formatReference,
  parseReference,
  type Reference,
  readReference,
  withDefaultTag,
  withDigest,
} from './reference.ts';
export type { StoredRef } from './store/refs.ts';
export { ContentStore } from './store/store.ts';
