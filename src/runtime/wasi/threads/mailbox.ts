/**
 * How a guest thread calls the host: it writes the call into memory that both share, wakes the loop thread and stands still until
 * the answer is there. A thread has one mailbox and so one call at a time; only the thread that calls waits.
 *
 * Words of 32 bits: 0 counts the calls, 1 the answers, 2 is the function's number, 3 says by its bits which arguments are 64 bits
 * wide, 4 is the answer. From byte 32 on there are the arguments, 8 bytes each. The guest cannot reach any of it.
 */

/** `path_open` has nine; what a guest declares beyond is not passed on. */
export const MAX_ARGUMENTS = 16;
const ARGUMENTS_AT = 32;
const MAILBOX_BYTES = ARGUMENTS_AT + MAX_ARGUMENTS * 8;
const WORD = { asked: 0, answered: 1, function: 2, wide: 3, result: 4 } as const;

export interface Call {
  readonly index: number;
  readonly args: readonly (number | bigint)[];
}

class Mailbox {
  readonly buffer: SharedArrayBuffer;
  protected readonly words: Int32Array;
  protected readonly wide: BigInt64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.wide = new BigInt64Array(buffer, ARGUMENTS_AT);
  }

  protected narrowAt(argument: number): number {
    return ARGUMENTS_AT / 4 + argument * 2;
  }
}

/** The guest thread's side. */
export class CallingMailbox extends Mailbox {
  /** Returns the host's answer. Arguments that are no numbers (the guest chooses its import's type) count as 0. */
  call(index: number, args: readonly unknown[]): number {
    let wide = 0;
    for (const [at, value] of args.slice(0, MAX_ARGUMENTS).entries()) {
      if (typeof value === 'bigint') {
        wide |= 1 << at;
        this.wide[at] = value;
      } else this.words[this.narrowAt(at)] = typeof value === 'number' ? value | 0 : 0;
    }
    for (let at = args.length; at < MAX_ARGUMENTS; at++) this.wide[at] = 0n;
    this.words[WORD.wide] = wide;
    this.words[WORD.function] = index;
    const number = (Atomics.add(this.words, WORD.asked, 1) + 1) | 0;
    Atomics.notify(this.words, WORD.asked);
    for (;;) {
      const answered = Atomics.load(this.words, WORD.answered);
      if (answered === number) return this.words[WORD.result] ?? 0;
      Atomics.wait(this.words, WORD.answered, answered);
    }
  }
}

/** The host's side. */
export class AnsweringMailbox extends Mailbox {
  #seen = 0;

  constructor() {
    super(new SharedArrayBuffer(MAILBOX_BYTES));
  }

  /** Resolves with the next call; undefined when it was only `wake`. Ask again after `answer`. */
  async next(): Promise<Call | undefined> {
    if (Atomics.load(this.words, WORD.asked) === this.#seen) {
      const wait = Atomics.waitAsync(this.words, WORD.asked, this.#seen);
      if (wait.async) await wait.value;
      if (Atomics.load(this.words, WORD.asked) === this.#seen) return undefined;
    }
    this.#seen = (this.#seen + 1) | 0;
    const bits = this.words[WORD.wide] ?? 0;
    const args = Array.from({ length: MAX_ARGUMENTS }, (_, at) =>
      (bits & (1 << at)) === 0 ? (this.words[this.narrowAt(at)] ?? 0) : (this.wide[at] ?? 0n),
    );
    return { index: this.words[WORD.function] ?? 0, args };
  }

  answer(result: number): void {
    this.words[WORD.result] = result;
    Atomics.store(this.words, WORD.answered, this.#seen);
    Atomics.notify(this.words, WORD.answered);
  }

  /** Ends a wait in `next`, so that nothing is kept for a thread that is gone. */
  wake(): void {
    Atomics.notify(this.words, WORD.asked);
  }
}
