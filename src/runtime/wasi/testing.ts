/** The door for tests that need a machine: a guest that makes any call, and what they look at inside. */
export { Offload } from './core/offload.ts';
export { signalExit } from './exit.ts';
export { type Argument, Caller, NOT_MADE } from './p1/caller.ts';
