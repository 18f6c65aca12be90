/** The door of `runtime/wasi`: one guest's WASI preview 1 world, and running a module in this process. */
export type { Invoked, Preopen, Sink, Wasi, WasiLimits, WasiListener, WasiOptions, WasiStats } from './contract.ts';
export { systemWasiClock, type WasiClock, wasiClockFrom } from './core/clocks.ts';
export { WASI_ERRORS } from './errors.ts';
export { errorExit, signalExit } from './exit.ts';
export { createWasi } from './host.ts';
export { type RunOptions, type RunOutcome, runModule } from './run.ts';
export { processStdio } from './stdio.ts';
export {
  createThreadedWorld,
  type GuestWorld,
  rememberedMemories,
  rememberSharedMemories,
  sharedMemoriesOf,
  type ThreadedOptions,
} from './threads/mod.ts';
