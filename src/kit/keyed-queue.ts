/**
 * Serial work per key, parallel between keys: the shape of a kubelet's pod workers.
 * While a key's task runs, later values for it replace each other (the latest wins) and run once it is done.
 */
export class KeyedQueue<Key, Value> {
  readonly #work: (key: Key, value: Value) => Promise<void>;
  readonly #onError: (key: Key, error: unknown) => void;
  readonly #running = new Map<Key, Promise<void>>();
  readonly #next = new Map<Key, Value>();

  constructor(work: (key: Key, value: Value) => Promise<void>, onError: (key: Key, error: unknown) => void) {
    this.#work = work;
    this.#onError = onError;
  }

  push(key: Key, value: Value): void {
    this.#next.set(key, value);
    if (!this.#running.has(key)) this.#running.set(key, this.#drain(key));
  }

  has(key: Key): boolean {
    return this.#running.has(key);
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  async #drain(key: Key): Promise<void> {
    await Promise.resolve();
    for (;;) {
      if (!this.#next.has(key)) break;
      const value = this.#next.get(key) as Value;
      this.#next.delete(key);
      try {
        await this.#work(key, value);
      } catch (error) {
        this.#onError(key, error);
      }
    }
    this.#running.delete(key);
  }
}
