/** Inner door of `runtime/scheduler`: who has a loop thread. */
export type { Scheduler, Task, TaskLimits } from './contract.ts';
export { controlMemory, WORD, wordsOf } from './control.ts';
export { LoopScheduler, systemThread, type Thread } from './driver.ts';
export { LONG_SLICE_NANOS, SLICE_NANOS } from './run-queue.ts';
export { soloTask } from './solo.ts';
