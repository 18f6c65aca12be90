/**
 * How many new pods are started at a time: a burst is worked through pod by pod, so that the first are Running while the last
 * wait, and what a start holds in memory is held for few. Nobody is kept waiting by one that takes long: after a moment it
 * goes on beside the others and the next one begins.
 */
import type { Clock } from '#kit';

const AT_ONCE = 12;
const PATIENCE = 150;
/** Made once: each abort without a reason makes an exception with a stack of its own. */
const DONE = new Error('done');

export class Pace {
  readonly #clock: Clock;
  readonly #atOnce: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(clock: Clock, { atOnce = AT_ONCE } = {}) {
    this.#clock = clock;
    this.#atOnce = atOnce;
  }

  async run(work: () => Promise<void>): Promise<void> {
    if (this.#running >= this.#atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    const done = new AbortController();
    let counted = true;
    const leave = (): void => {
      if (!counted) return;
      counted = false;
      this.#running--;
      this.#waiting.shift()?.();
    };
    this.#clock.sleep(PATIENCE, { signal: done.signal }).then(leave, () => {});
    try {
      await work();
    } finally {
      done.abort(DONE);
      leave();
    }
  }
}
