/**
 * What a guest costs in memory: its linear memories, its tables and what the host holds for it. Growth beyond the
 * limit is refused, which every allocator knows how to take; what the host would have to hold beyond it ends the guest.
 */
import { heapHasRoom, MOST_TABLE_ELEMENTS } from '../module/heap.ts';
import { GROW, TABLE_ELEMENT_BYTES } from '../module/shape.ts';

const PAGE_BYTES = 65_536;
/** What the host may hold for a guest that is not counted, so that a guest gets every page of its limit. */
const FREE_BYTES = 65_536;

export interface AccountOptions {
  readonly limitBytes?: number | undefined;
  /** What the host holds for the guest at this time. */
  readonly held?: (() => number) | undefined;
  /** The host holds more than it may: the guest has to end. */
  readonly over?: ((limitBytes: number) => void) | undefined;
  /** Growth was refused. */
  readonly refused?: (() => void) | undefined;
}

export class MemoryAccount {
  readonly #options: AccountOptions;
  #limit: number;
  #memories: readonly WebAssembly.Memory[] = [];
  #tables = 0;
  /** Granted for a table by the last question, which alone can be taken back. */
  #granted = 0;

  constructor(options: AccountOptions = {}) {
    this.#options = options;
    this.#limit = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get limit(): number | undefined {
    return Number.isFinite(this.#limit) ? this.#limit : undefined;
  }

  /** Everything, in bytes. */
  get bytes(): number {
    const held = this.#options.held?.() ?? 0;
    return this.#linear + this.#tables + Math.max(0, held - FREE_BYTES);
  }

  get #linear(): number {
    let bytes = 0;
    for (const { buffer } of this.#memories) bytes += buffer.byteLength;
    return bytes;
  }

  /** What is left of the limit; undefined without one. */
  get room(): number | undefined {
    return this.limit === undefined ? undefined : Math.max(0, this.limit - this.bytes);
  }

  /** The guest's memories, whose growth is seen here, and what they and its tables take to begin with. */
  attach(memories: readonly WebAssembly.Memory[], initialBytes?: number): void {
    this.#memories = memories;
    if (initialBytes !== undefined) this.#tables = initialBytes - this.#linear;
  }

  /** The injected `grow`: 1 where the guest may have so many more pages or elements; a negative `delta` takes back the grant before. */
  grow(kind: number, delta: bigint): number {
    const isTable = kind === GROW.table;
    if (delta < 0n) {
      if (isTable) this.#tables -= Math.min(this.#granted, Number(-delta) * TABLE_ELEMENT_BYTES);
      this.#granted = 0;
      return 1;
    }
    if (isTable && !this.#tablesMayGrow(Number(delta) * TABLE_ELEMENT_BYTES)) return 0;
    const bytes = Number(delta) * (isTable ? TABLE_ELEMENT_BYTES : PAGE_BYTES);
    if (this.bytes + bytes > this.#limit) {
      this.#options.refused?.();
      return 0;
    }
    this.#granted = isTable ? bytes : 0;
    this.#tables += this.#granted;
    return 1;
  }

  /** Whatever the limit: they live where the process ends when there is no room. */
  #tablesMayGrow(bytes: number): boolean {
    return this.#tables + bytes <= MOST_TABLE_ELEMENTS * TABLE_ELEMENT_BYTES && heapHasRoom(bytes);
  }

  /** Ends the guest where the host has come to hold more for it than there is. */
  check(): void {
    if (this.bytes > this.#limit) this.#options.over?.(this.#limit);
  }

  /** Changes the limit; false, and no change, where more is in use. */
  resize(limitBytes: number | undefined): boolean {
    if (limitBytes !== undefined && this.bytes > limitBytes) return false;
    this.#limit = limitBytes ?? Number.POSITIVE_INFINITY;
    return true;
  }
}
