import { type Clock, systemClock } from '#kit';

/** Sleeps longer than this are for hours and days, and end when the clock jumps. */
const LONG = 60_000;

/** The machine's clock, which a test may set forward: certificates come of age without a year of waiting. */
export class JumpingClock implements Clock {
  #ahead = 0;
  #wake = new Set<() => void>();

  now(): number {
    return systemClock.now() + this.#ahead;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  async sleep(ms: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (ms < LONG) return await systemClock.sleep(ms, { signal });
    const jumped = new AbortController();
    const wake = (): void => jumped.abort();
    this.#wake.add(wake);
    try {
      await systemClock.sleep(ms, {
        signal: AbortSignal.any([jumped.signal, ...(signal === undefined ? [] : [signal])]),
      });
    } catch (error) {
      if (!jumped.signal.aborted) throw error;
    } finally {
      this.#wake.delete(wake);
    }
  }

  jump(ms: number): void {
    this.#ahead += ms;
    for (const wake of [...this.#wake]) wake();
  }
}
