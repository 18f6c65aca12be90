/** The door of `runtime/sandbox`: the runtime over sandbox processes. */

export { RUNTIME_ERRORS } from './errors.ts';
export { createRuntime, type RuntimeOptions, type SandboxRuntime } from './host/runtime.ts';
