/** At most `limit` at a time, first come first served. */
export class Turns {
  readonly #limit: number;
  #taken = 0;
  #queue: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  /** Resolves with the function that gives the turn back; rejects when the signal is aborted first. */
  async take(signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#taken >= this.#limit) await this.#wait(signal);
    else this.#taken++;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const next = this.#queue.shift();
      if (next === undefined) this.#taken--;
      else next();
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#queue = this.#queue.filter((other) => other !== wake);
        reject(signal?.reason);
      };
      this.#queue.push(wake);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
