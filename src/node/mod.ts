/** The door of `node`: a Kubernetes node whose containers are WebAssembly. */

export { type BootstrapOptions, type BootstrapResult, createBootstrap } from './bootstrap/token.ts';
export type { Arch, LogRequest, Node, NodeOptions, Profile } from './contract.ts';
export { NODE_ERRORS } from './errors.ts';
export { archTaints, isArch, isProfile, parseTaints } from './registration/profile.ts';
export { startNode } from './start.ts';
export { claimDataDir } from './startup/data-dir.ts';
export {
  type KrustletInput,
  type KrustletOptions,
  type KrustletResult,
  krustletConfigPath,
  krustletOptions,
} from './startup/krustlet.ts';
export { KRUSTLET_FLAGS } from './startup/krustlet-flags.ts';
export { KUBERNETES_VERSION, RUNTIME_HANDLERS } from './status/node-status.ts';
