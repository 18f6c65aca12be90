/**
 * When an image may be pulled again for a pod: 10 s after the first failure, then twice as long each time, at most 300 s; anew
 * after 600 s of peace. Source: client-go `util/flowcontrol/backoff.go`, kubelet `imageBackOffPeriod`, `MaxImageBackOff`.
 */
import { type Backoff, delayOf } from '#kit';

export const IMAGE_BACKOFF: Backoff = { base: 10_000, factor: 2, cap: 300_000 };

export interface Failure {
  /** What the container shows while it waits, before 'Back-off pulling image …'. */
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly until: number;
  /** Of an image that is none of ours: what its name pointed to. */
  readonly refusedDigest: string | undefined;
  readonly attempt: number;
}

export class ImageBackoffs {
  readonly #failures = new Map<string, Failure>();

  /** The failure whose pause is not over, if there is one. */
  current(key: string, now: number): Failure | undefined {
    const failure = this.#failures.get(key);
    return failure !== undefined && now < failure.until ? failure : undefined;
  }

  last(key: string): Failure | undefined {
    return this.#failures.get(key);
  }

  /** Records a failure; an image that is none of ours waits the longest pause at once, since only a new push helps. */
  fail(
    key: string,
    { text, now, refusedDigest }: { text: string; now: number; refusedDigest?: string | undefined },
  ): Failure {
    const before = this.#failures.get(key);
    const attempt = before === undefined || now - before.at > 2 * IMAGE_BACKOFF.cap ? 0 : before.attempt + 1;
    const delay = refusedDigest === undefined ? delayOf(IMAGE_BACKOFF, attempt) : IMAGE_BACKOFF.cap;
    const failure = { text, at: now, until: now + delay, refusedDigest, attempt };
    this.#failures.set(key, failure);
    return failure;
  }

  /** Forgets what has long been quiet. */
  sweep(now: number): void {
    for (const [key, failure] of this.#failures) {
      if (now - failure.at > 2 * IMAGE_BACKOFF.cap) this.#failures.delete(key);
    }
  }

  forget(prefix: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(prefix)) this.#failures.delete(key);
  }
}
