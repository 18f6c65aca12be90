/** Signals: the functions of the extension. What they come to is `signals.ts`'s. */
import type { Exit } from '../contract.ts';
import { LONGEST_SLEEP } from '../wasi/core/clocks.ts';
import { fail } from '../wasi/core/errno.ts';
import type { P1Context, P1Functions } from '../wasi/p1/context.ts';
import { isSignal, type Signals } from './signals.ts';

interface World {
  readonly signals: Signals;
  readonly leave: (exit: Exit) => never;
}

export function signalFunctions(context: P1Context, { signals, leave }: World): P1Functions {
  const { memory } = context;
  return {
    signal_action(signal: number, action: number, result: number) {
      memory.setU32(result, 0);
      const former = signals.setAction(signal >>> 0, action >>> 0);
      if (former === undefined) throw fail('INVAL');
      memory.setU32(result, former);
    },
    signal_mask(how: number, set: bigint, result: number) {
      memory.setU64(result, 0n);
      const former = signals.setMask(how >>> 0, BigInt.asUintN(64, set));
      if (former === undefined) throw fail('INVAL');
      memory.setU64(result, former);
    },
    signal_pending: (result: number) => memory.setU64(result, signals.pending),
    signal_take(result: number) {
      // A place that is none must not cost the guest its signal.
      memory.setU32(result, 0);
      memory.setU32(result, signals.take());
    },
    signal_raise(signal: number) {
      const number = signal >>> 0;
      if (number === 0) return;
      if (!isSignal(number)) throw fail('INVAL');
      if (signals.send(number) === 'default') leave({ code: 128 + number, signal: number, reason: 'Error' });
    },
    signal_wait(set: bigint, timeout: bigint, result: number) {
      memory.setU32(result, 0);
      if (timeout < -1n) throw fail('INVAL');
      return wait(context, signals, { set: BigInt.asUintN(64, set), timeout, result });
    },
  };
}

interface Wait {
  readonly set: bigint;
  /** Nanoseconds; -1 without end. */
  readonly timeout: bigint;
  readonly result: number;
}

async function wait(
  { memory, clock, ended }: P1Context,
  signals: Signals,
  { set, timeout, result }: Wait,
): Promise<void> {
  const deadline = timeout < 0n ? undefined : clock.monotonic() + timeout;
  for (;;) {
    const taken = signals.take(set);
    if (taken !== 0) return memory.setU32(result, taken);
    if (signals.isDue) throw fail('INTR');
    const left = deadline === undefined ? undefined : deadline - clock.monotonic();
    if (left !== undefined && left <= 0n) throw fail('AGAIN');
    await arrival({ clock, ended, signals, left });
    if (ended.aborted && !signals.isDue) throw fail('INTR');
  }
}

async function arrival({
  clock,
  ended,
  signals,
  left,
}: Pick<P1Context, 'clock' | 'ended'> & { signals: Signals; left: bigint | undefined }): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([ended, stop.signal]);
  const waiting: Promise<unknown>[] = [signals.arrivals.wait(either)];
  if (left !== undefined) {
    const ms = Math.min(LONGEST_SLEEP, Math.max(1, Math.ceil(Number(left) / 1e6)));
    waiting.push(clock.sleep(ms, { signal: either }).catch(() => {}));
  }
  await Promise.race(waiting);
  stop.abort();
}
