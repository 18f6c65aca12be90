/** The task of a guest that has a thread to itself, as `wasmlet run` gives it: nobody is before it, and the event loop has its turn now and then. */
import type { Task } from './contract.ts';
import { LONG_SLICE_NANOS } from './run-queue.ts';

export function soloTask({ sliceMs = LONG_SLICE_NANOS / 1e6 } = {}): Task {
  /** When it got the thread; undefined while it does not have it. */
  let since: number | undefined;
  /** Milliseconds that it had the thread, in all and since the event loop had its turn. */
  let used = 0;
  let ran = 0;
  let over = false;
  function current(): number {
    return since === undefined ? 0 : performance.now() - since;
  }
  function pause(): void {
    const turn = current();
    used += turn;
    ran += turn;
    since = undefined;
  }
  function run(step: () => void): void {
    if (over) return;
    since = performance.now();
    step();
  }
  return {
    pause,
    isDue: () => since !== undefined && ran + current() > sliceMs,
    ready(step) {
      if (ran <= sliceMs) return run(step);
      setImmediate(() => {
        ran = 0;
        run(step);
      });
    },
    unsuspendable: (call) => call(),
    isOverdue: false,
    limit() {},
    get cpuNanos() {
      return Math.round((used + current()) * 1e6);
    },
    end() {
      pause();
      over = true;
    },
  };
}
