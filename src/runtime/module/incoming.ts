/** What a child process writes, taken in parts of known length; it is not read faster than it is taken. */
import type { ChildProcess } from 'node:child_process';

/** Held before the pipe is left to fill up. */
const MOST_HELD = 1 << 20;

export class Incoming {
  readonly #child: ChildProcess;
  #held: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (piece: Buffer) => {
      this.#held.push(piece);
      this.#bytes += piece.byteLength;
      if (this.#bytes >= MOST_HELD) child.stdout?.pause();
      this.#wake?.();
    });
    const end = () => {
      this.#ended = true;
      this.#wake?.();
    };
    child.on('close', end);
    child.on('error', end);
  }

  /** Nothing has come that was not taken. */
  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** The next piece, of at most `most` bytes; undefined at the end. */
  async piece(most: number): Promise<Buffer | undefined> {
    while (this.#held.length === 0) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const first = this.#held.shift() ?? Buffer.alloc(0);
    const piece = first.subarray(0, most);
    if (piece.byteLength < first.byteLength) this.#held.unshift(first.subarray(most));
    this.#bytes -= piece.byteLength;
    if (this.#bytes < MOST_HELD) this.#child.stdout?.resume();
    return piece;
  }

  /** Exactly so many bytes; undefined when it ends before. */
  async take(length: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = [];
    for (let left = length; left > 0; ) {
      const piece = await this.piece(left);
      if (piece === undefined) return undefined;
      pieces.push(piece);
      left -= piece.byteLength;
    }
    return Buffer.concat(pieces);
  }
}
