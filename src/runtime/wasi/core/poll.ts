/** Waiting for the first of several things: clocks and descriptors. What is ready already is answered without a wait. */
import { LONGEST_SLEEP, type WasiClock } from './clocks.ts';
import type { Descriptor, Readiness } from './descriptor.ts';
import { ERRNO, WasiErrno } from './errno.ts';

export type Subscription =
  | {
      readonly kind: 'clock';
      readonly userdata: bigint;
      readonly clock: 'realtime' | 'monotonic';
      /** Nanoseconds: from now, or a time of the clock. */
      readonly timeout: bigint;
      readonly absolute: boolean;
    }
  | { readonly kind: 'read' | 'write'; readonly userdata: bigint; readonly fd: number };

export interface PollEvent {
  readonly kind: Subscription['kind'];
  readonly userdata: bigint;
  readonly errno: number;
  readonly bytes: number;
  readonly hangup: boolean;
}

export interface PollWorld {
  readonly clock: WasiClock;
  readonly descriptor: (fd: number) => Descriptor;
  /** Aborted when the guest is over: every wait ends then. */
  readonly ended: AbortSignal;
}

interface Wait {
  /** The event if it is due, else undefined. */
  check(): PollEvent | undefined;
  /** Nanoseconds that are left; undefined for descriptors. */
  left?(): bigint;
  wait?(signal: AbortSignal): Promise<void>;
}

/** At least one event, in the order of the subscriptions. */
export function poll(subscriptions: readonly Subscription[], world: PollWorld): PollEvent[] | Promise<PollEvent[]> {
  const waits = subscriptions.map((subscription) => waitFor(subscription, world));
  const ready = due(waits);
  return ready.length > 0 ? ready : pollSlowly(waits, world);
}

function due(waits: readonly Wait[]): PollEvent[] {
  return waits.map((wait) => wait.check()).filter((event) => event !== undefined);
}

async function pollSlowly(waits: readonly Wait[], world: PollWorld): Promise<PollEvent[]> {
  for (;;) {
    await firstOf(waits, world);
    const ready = due(waits);
    if (ready.length > 0 || world.ended.aborted) return ready;
  }
}

async function firstOf(waits: readonly Wait[], { clock, ended }: PollWorld): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  ended.addEventListener('abort', end, { once: true });
  try {
    const waiting = waits.flatMap((wait) => wait.wait?.(stop.signal) ?? []);
    const timers = waits.flatMap((wait) => wait.left?.() ?? []);
    if (timers.length > 0) {
      const left = Math.min(...timers.map((ns) => Math.ceil(Number(ns) / 1e6)));
      const ms = Math.min(LONGEST_SLEEP, Math.max(1, left));
      waiting.push(clock.sleep(ms, { signal: stop.signal }).catch(() => {}));
    }
    await Promise.race(waiting);
  } finally {
    ended.removeEventListener('abort', end);
    stop.abort();
  }
}

function waitFor(subscription: Subscription, world: PollWorld): Wait {
  return subscription.kind === 'clock'
    ? waitForClock(subscription, world.clock)
    : waitForDescriptor(subscription, world);
}

function waitForClock(subscription: Extract<Subscription, { kind: 'clock' }>, clock: WasiClock): Wait {
  const { userdata, timeout, absolute } = subscription;
  // A duration is measured by the clock that nobody sets.
  const now = subscription.clock === 'realtime' && absolute ? clock.realtime : clock.monotonic;
  const deadline = absolute ? timeout : now() + timeout;
  const event: PollEvent = { kind: 'clock', userdata, errno: ERRNO.SUCCESS, bytes: 0, hangup: false };
  return { check: () => (now() >= deadline ? event : undefined), left: () => deadline - now() };
}

function waitForDescriptor(subscription: Extract<Subscription, { fd: number }>, world: PollWorld): Wait {
  const { kind, userdata, fd } = subscription;
  function eventOf(errno: number, { bytes, hangup }: Readiness): PollEvent {
    return { kind, userdata, errno, bytes, hangup };
  }
  function check(): PollEvent | undefined {
    try {
      const descriptor = world.descriptor(fd);
      const ready = kind === 'read' ? descriptor.readable() : descriptor.writable();
      return ready === undefined ? undefined : eventOf(ERRNO.SUCCESS, ready);
    } catch (error) {
      if (!(error instanceof WasiErrno)) throw error;
      return eventOf(error.errno, { bytes: 0, hangup: false });
    }
  }
  async function wait(signal: AbortSignal): Promise<void> {
    const descriptor = world.descriptor(fd);
    await (kind === 'read' ? descriptor.waitReadable({ signal }) : descriptor.waitWritable({ signal }));
  }
  return { check, wait };
}
