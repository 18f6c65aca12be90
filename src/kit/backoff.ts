/** Delays between tries, as arithmetic; who waits is somebody else's business. */
export interface Backoff {
  /** First delay in milliseconds. */
  readonly base: number;
  /** What each delay is multiplied by. */
  readonly factor: number;
  /** No delay is longer, in milliseconds. */
  readonly cap: number;
  /** Share of the delay that is random, 0 to 1; the delay grows by at most this share. */
  readonly jitter?: number;
}

/** The delay before try number `attempt + 1` (attempt 0 has failed once): base * factor^attempt, at most cap. */
export function delayOf(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const plain = Math.min(backoff.cap, backoff.base * backoff.factor ** Math.min(attempt, 64));
  return Math.round(plain * (1 + (backoff.jitter ?? 0) * random()));
}
