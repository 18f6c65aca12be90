/** The door of `runtime/posix`: the extension that programs for Linux ask for, granted by the pod. */
export type { PosixFacts, PosixHost, PosixOptions, SignalOutcome } from './contract.ts';
export { Posix } from './posix.ts';
export { POSIX_CAPABILITY, POSIX_FUNCTIONS, POSIX_MODULE, POSIX_NAMES } from './table.ts';
