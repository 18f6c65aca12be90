/**
 * Gives memory back that a burst of work has left behind. V8 collects when something is allocated: a process that has become
 * quiet keeps its garbage, and the young generation as large as the burst has made it, for as long as it is quiet.
 * Started by the threads that live long; each looks after its own heap.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How often is looked, in milliseconds. */
const EVERY = 4_000;
/** Bytes that may be allocated between two looks for the thread to be quiet. */
const QUIET = 8 << 20;
/** The default of `worth`. */
const WORTH = 24 << 20;

export interface Heap {
  /** Bytes allocated since the thread began; only ever grows. */
  allocated(): number;
  collect(): void;
  /** Bytes that must have been allocated since the last collection for another one to be worth it. */
  readonly worth?: number | undefined;
  /** Whether what the start has left counts. */
  readonly atStart?: boolean;
}

export interface CalmOptions extends Pick<Heap, 'worth' | 'atStart'> {
  /** Lets go of what can be made again. */
  readonly before?: (() => void) | undefined;
}

/** Decides from one look to the next whether to collect. */
export class CalmCollector {
  readonly #heap: Heap;
  #last: number;
  #collectedAt: number;

  constructor(heap: Heap) {
    this.#heap = heap;
    this.#last = heap.allocated();
    this.#collectedAt = heap.atStart === true ? 0 : this.#last;
  }

  /** Whether it collected. */
  look(): boolean {
    const now = this.#heap.allocated();
    const quiet = now - this.#last < QUIET;
    this.#last = now;
    if (!quiet || now - this.#collectedAt < (this.#heap.worth ?? WORTH)) return false;
    this.#heap.collect();
    this.#last = this.#heap.allocated();
    this.#collectedAt = this.#last;
    return true;
  }
}

/** Looks now and then for as long as the thread lives; keeps nobody alive. */
export function collectWhenCalm(options: CalmOptions = {}): void {
  const { before = () => {}, worth, atStart = false } = options;
  const collector = new CalmCollector({
    allocated: allocatedBytes,
    worth,
    atStart,
    collect() {
      before();
      collect();
    },
  });
  setInterval(() => collector.look(), EVERY).unref();
}

function allocatedBytes(): number {
  return (getHeapStatistics() as { total_allocated_bytes?: number }).total_allocated_bytes ?? 0;
}

let gc: (() => void) | undefined;

/** Twice: what has just left the young generation is given back by the second. */
function collect(): void {
  gc ??= collectorOf();
  gc();
  gc();
}

/** The flag is the process's and stays set: taken back, it would be missing in another thread that looks at the same time. */
function collectorOf(): () => void {
  // Where a process is small, the flag costs less than a context that is made to find the function.
  const given = (globalThis as { gc?: () => void }).gc;
  if (given !== undefined) return given;
  setFlagsFromString('--expose-gc');
  // A thread that cannot have it keeps its garbage; nothing else depends on it.
  return (runInNewContext('globalThis.gc') as (() => void) | undefined) ?? (() => {});
}
