/**
 * How many memories the guests of this process have, on all its threads. Each reserves 8 GiB of addresses (16 with 64-bit ones), so that
 * the engine needs no bounds checks; a process has 128 TiB. Beyond it the engine would refuse one in the middle of a start.
 */
import type { MemoryShape } from '../../module/shape.ts';

export const MOST_MEMORIES = 16_000;

export class MemoryCount {
  readonly #count: Int32Array;
  readonly #most: number;

  constructor(shared: SharedArrayBuffer, most: number = MOST_MEMORIES) {
    this.#count = new Int32Array(shared);
    this.#most = most;
  }

  /** Takes room for so many; false when there is none. */
  take(number: number): boolean {
    const before = Atomics.add(this.#count, 0, number);
    if (before + number <= this.#most) return true;
    this.give(number);
    return false;
  }

  give(number: number): void {
    Atomics.sub(this.#count, 0, number);
  }
}

/** In units of 8 GiB. */
export function roomOf(memories: readonly MemoryShape[]): number {
  return memories.reduce((sum, { wide }) => sum + (wide ? 2 : 1), 0);
}
