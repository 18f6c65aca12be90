import type { Clock } from '#kit';
import { kubeError } from '../errors.ts';

export interface Deadline extends Disposable {
  /** Aborted with KUBE_TIMEOUT when the time is over before the deadline was disposed. */
  readonly signal: AbortSignal;
}

/** Made once: an abort without a reason makes an exception with a stack of its own, for each call. */
const IN_TIME = new Error('in time');

export function deadlineOf(clock: Clock, { ms, what }: { ms: number; what: string }): Deadline {
  const controller = new AbortController();
  const timer = new AbortController();
  clock.sleep(ms, { signal: timer.signal }).then(
    () => controller.abort(kubeError('KUBE_TIMEOUT', `Cannot ${what}: no answer within ${Math.round(ms / 1000)} s`)),
    () => {},
  );
  return { signal: controller.signal, [Symbol.dispose]: () => timer.abort(IN_TIME) };
}

/** Lets the caller go when the signal is aborted; what was waited for goes on for others who wait for it. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** One signal of several, of which some may be absent. */
export function anySignal(...signals: (AbortSignal | undefined)[]): AbortSignal {
  const given = signals.filter((signal) => signal !== undefined);
  const [only] = given;
  return given.length === 1 && only !== undefined ? only : AbortSignal.any(given);
}
