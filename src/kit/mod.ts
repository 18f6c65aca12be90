/** The door of `kit`: small tools that know no domain word. */
export { type Backoff, delayOf } from './backoff.ts';
export { type Clock, FakeClock, systemClock } from './clock.ts';
export { type EntryName, entries, entryUrl } from './entry.ts';
export {
  type Blame,
  defineErrors,
  type ErrorKind,
  type ErrorTable,
  isWasmletError,
  messageOf,
  type Retry,
  WasmletError,
} from './errors.ts';
export { KeyedQueue } from './keyed-queue.ts';
export { createLog, type Fields, type Level, type Log, type LogOptions, silentLog } from './log.ts';
export { collectWhenCalm } from './memory.ts';
export { VERSION } from './version.ts';
