/**
 * What a fuzzer is. A run is made of its seed alone, the next run's seed is the next number: so what a fuzzer found is
 * found again by `--seed N --runs 1`, whatever came before it.
 */

export interface FuzzOptions {
  readonly seed: number;
  /** `performance.now()` after which no further run starts. */
  readonly until: number;
  readonly runs: number;
  readonly log: (line: string) => void;
}

export interface Fuzzer {
  readonly name: string;
  readonly summary: string;
  /** Ends at the time, after the runs, or by throwing a Finding. */
  readonly run: (options: FuzzOptions) => Promise<{ readonly runs: number }>;
}

/** Something that must not be so: what was seen, and the input that shows it. */
export class Finding extends Error {
  override readonly name = 'Finding';
  readonly input: Uint8Array;
  seed: number | undefined;

  constructor(message: string, input: Uint8Array | string, cause?: unknown) {
    super(message, { cause });
    this.input = typeof input === 'string' ? Buffer.from(input) : input;
  }
}

const SAY_MS = 5000;

/** Runs `one` again and again, each time with the next seed, and says now and then how far it is. */
export async function repeat(
  { seed, until, runs, log }: FuzzOptions,
  one: (random: Random, seed: number) => Promise<void> | void,
): Promise<{ readonly runs: number }> {
  const started = performance.now();
  let said = started;
  let done = 0;
  for (; done < runs && (done === 0 || performance.now() < until); done++) {
    try {
      await one(new Random(seed + done), seed + done);
    } catch (error) {
      const finding = error instanceof Finding ? error : new Finding(String(error), '', error);
      finding.seed ??= seed + done;
      throw finding;
    }
    const now = performance.now();
    if (now - said < SAY_MS) continue;
    said = now;
    log(`${done + 1} runs, ${Math.round(((done + 1) / (now - started)) * 1000)} a second`);
  }
  return { runs: done };
}

/** The same numbers for the same seed, on every machine (sfc32). */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * end);
  }

  /** True once in `n`. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.uint32() & 0xff));
  }
}
