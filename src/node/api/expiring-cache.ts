import type { Clock } from '#kit';

/** Answers that are believed for a while. Two who ask at once share one question; a failure is not kept. */
export class ExpiringCache<Value> {
  readonly #clock: Clock;
  readonly #life: (value: Value) => number;
  readonly #most: number;
  readonly #entries = new Map<string, { answer: Promise<Value>; until: number }>();

  constructor({ clock, life, most = 1024 }: { clock: Clock; life: (value: Value) => number; most?: number }) {
    this.#clock = clock;
    this.#life = life;
    this.#most = most;
  }

  async get(key: string, ask: () => Promise<Value>): Promise<Value> {
    const known = this.#entries.get(key);
    if (known !== undefined && this.#clock.monotonic() < known.until) return await known.answer;
    const entry = { answer: ask(), until: Number.POSITIVE_INFINITY };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#trim();
    try {
      const value = await entry.answer;
      entry.until = this.#clock.monotonic() + this.#life(value);
      return value;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }

  #trim(): void {
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > this.#most && oldest !== undefined) this.#entries.delete(oldest);
  }
}
