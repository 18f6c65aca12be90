/** The two clocks of WASI in nanoseconds, injected, so that a test's guest sleeps without time passing. */
import { type Clock, systemClock } from '#kit';

export interface WasiClock {
  /** Nanoseconds since the Unix epoch. */
  realtime(): bigint;
  /** Nanoseconds since some moment before the guest started. */
  monotonic(): bigint;
  sleep(ms: number, options?: { signal?: AbortSignal | undefined }): Promise<void>;
}

/** What the guest learns as the clocks' resolution, in nanoseconds. */
export const RESOLUTION = 1000n;

/** The longest delay that a timer of Node takes, in milliseconds; longer sleeps are slept in parts. */
export const LONGEST_SLEEP = 2 ** 31 - 1;

const started = process.hrtime.bigint();

export const systemWasiClock: WasiClock = {
  realtime,
  // From the start of the process, not of the machine: the machine's uptime is nobody's business.
  monotonic: () => process.hrtime.bigint() - started,
  sleep: systemClock.sleep,
};

/** `Date.now` follows steps of the system's clock but has milliseconds; the fine clock is used while both agree. */
function realtime(): bigint {
  const coarse = Date.now();
  const fine = performance.timeOrigin + performance.now();
  const now = Math.abs(fine - coarse) < 2 ? fine : coarse;
  return BigInt(Math.round(now * 1000)) * 1000n;
}

export function wasiClockFrom(clock: Clock): WasiClock {
  return {
    realtime: () => nanoseconds(clock.now()),
    monotonic: () => nanoseconds(clock.monotonic()),
    sleep: clock.sleep.bind(clock),
  };
}

/** Whole milliseconds first: since 1970 they are more nanoseconds than a number holds exactly. */
function nanoseconds(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
}
