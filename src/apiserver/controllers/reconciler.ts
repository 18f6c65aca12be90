/** Keys that something happened to, worked through in a later turn; a key whose work failed is tried again, later each time. */
import { type Backoff, delayOf, messageOf } from '#kit';
import type { Api } from '../rest/api.ts';

const BACKOFF: Backoff = { base: 100, factor: 2, cap: 30_000 };

export interface ReconcilerOptions {
  readonly name: string;
  readonly signal: AbortSignal;
  /** All keys that wait, at once. What fails for one key must not be thrown but returned. */
  readonly work: (keys: readonly string[]) => Promise<Failed> | Failed;
}

/** Keys whose work failed, with why. */
export type Failed = ReadonlyMap<string, unknown> | undefined;

export class Reconciler {
  readonly #api: Api;
  readonly #options: ReconcilerOptions;
  readonly #waiting = new Set<string>();
  readonly #attempts = new Map<string, number>();
  #running: Promise<void> | undefined;

  constructor(api: Api, options: ReconcilerOptions) {
    this.#api = api;
    this.#options = options;
  }

  push(key: string): void {
    if (this.#options.signal.aborted) return;
    this.#waiting.add(key);
    this.#running ??= this.#drain();
  }

  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #drain(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.size > 0 && !this.#options.signal.aborted) {
      const keys = [...this.#waiting];
      this.#waiting.clear();
      const failed = await this.#workOn(keys);
      for (const key of keys) if (!failed.has(key)) this.#attempts.delete(key);
      for (const [key, error] of failed) this.#again(key, error);
    }
    this.#running = undefined;
  }

  async #workOn(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    try {
      return (await this.#options.work(keys)) ?? new Map();
    } catch (error) {
      return new Map(keys.map((key) => [key, error]));
    }
  }

  #again(key: string, error: unknown): void {
    const { name, signal } = this.#options;
    const attempt = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempt + 1);
    this.#api.log.warn('a controller failed and tries again', { controller: name, key, error: messageOf(error) });
    const later = this.#api.clock.sleep(delayOf(BACKOFF, attempt), { signal });
    later.then(
      () => this.push(key),
      () => {},
    );
  }
}

/** Works one key after the other, so that one that fails holds up no other. */
export function eachKey(work: (key: string) => Promise<void> | void) {
  return async (keys: readonly string[]): Promise<Failed> => {
    const failed = new Map<string, unknown>();
    for (const key of keys) {
      try {
        await work(key);
      } catch (error) {
        failed.set(key, error);
      }
    }
    return failed;
  };
}

/** Runs `work` every `ms` until the signal; its failures are logged. */
export async function every(
  api: Api,
  ms: number,
  { name, signal, work }: { name: string; signal: AbortSignal; work: () => void },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await api.clock.sleep(ms, { signal });
      work();
    } catch (error) {
      if (!signal.aborted) api.log.warn('a controller failed', { controller: name, error: messageOf(error) });
    }
  }
}
