/**
 * Which loop thread a workload lives on, and how many there are. Most share one; another is started where those there are busy, at most one
 * a core; what has no checks, or objects on the engine's heap, has a thread of its own. A workload stays where it was placed.
 */
import { availableParallelism } from 'node:os';
import { runtimeError } from '../errors.ts';
import type { WireSpec } from '../protocol/messages.ts';
import { type LoopEvents, LoopThread, type LoopThreadOptions } from './loop-thread.ts';

export interface LoopsOptions {
  readonly insecureTrustedGuests: boolean;
  /** What is told of a thread's workloads; `ended` is called once for each thread. */
  readonly events: (loop: () => LoopThread) => LoopEvents;
  /** Processors. */
  readonly cores?: number;
  /** Caps of the process, where they are not its own. */
  readonly most?: { readonly own?: number; readonly memories?: number } | undefined;
}

/** Threads of guests' own: each costs some 6 MiB before its guest. */
const MOST_OWN = 64;
/** Above it another thread is worth its memory. */
const BUSY = 0.5;
/** The heap of a guest of its own thread that has no limit. */
const DEFAULT_HEAP_BYTES = 512 * 1024 * 1024;

export class Loops {
  readonly #options: LoopsOptions;
  readonly #memories = new SharedArrayBuffer(4);
  readonly #shared: LoopThread[] = [];
  readonly #own = new Set<LoopThread>();

  constructor(options: LoopsOptions) {
    this.#options = options;
  }

  /** The first thread for those that share one, started with the first workload, or before when there is nothing else to do. */
  warm(): Promise<void> {
    return (this.#shared[0] ?? this.#startShared()).ready;
  }

  /** Counts the workload as the thread's; `left` takes it back. Throws RUNTIME_FULL. */
  place({ key, execution, limits }: WireSpec): LoopThread {
    const isShared = execution === undefined || execution.class === 'shared';
    const loop = isShared ? this.#leastBusy() : this.#startOwn(key, limits.memoryBytes);
    loop.guests++;
    return loop;
  }

  /** A workload of the thread is over. */
  left(loop: LoopThread): void {
    loop.guests--;
    if (!loop.isOwn || loop.guests > 0) return;
    this.#own.delete(loop);
    void loop.stop();
  }

  /** The thread is gone. */
  ended(loop: LoopThread): void {
    this.#own.delete(loop);
    const at = this.#shared.indexOf(loop);
    if (at >= 0) this.#shared.splice(at, 1);
  }

  /** Ends every thread and with it every guest. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#shared, ...this.#own].map((loop) => loop.stop()));
  }

  #leastBusy(): LoopThread {
    const cores = this.#options.cores ?? availableParallelism();
    const isBusy = this.#shared.every(({ interrupter }) => interrupter.busy > BUSY);
    if (isBusy && this.#shared.length < cores) return this.#startShared();
    const [first, ...others] = this.#shared;
    return others.reduce((best, loop) => (lighter(loop, best) ? loop : best), first as LoopThread);
  }

  #startShared(): LoopThread {
    const loop = this.#start();
    this.#shared.push(loop);
    return loop;
  }

  #startOwn(key: string, memoryBytes: number | undefined): LoopThread {
    const most = this.#options.most?.own ?? MOST_OWN;
    if (this.#own.size >= most) {
      throw runtimeError(
        'RUNTIME_FULL',
        `Cannot create workload '${key}': its sandbox has ${most} threads of guests' own`,
        {
          hint: 'Give the pod a sandbox of its own by runtimeClassName: wasmlet-isolated',
        },
      );
    }
    const loop = this.#start({ heapBytes: memoryBytes ?? DEFAULT_HEAP_BYTES });
    this.#own.add(loop);
    return loop;
  }

  #start(own?: LoopThreadOptions['own']): LoopThread {
    const { insecureTrustedGuests, events, most } = this.#options;
    const loop: LoopThread = new LoopThread(
      events(() => loop),
      { insecureTrustedGuests, memories: this.#memories, mostMemories: most?.memories, own },
    );
    return loop;
  }
}

/** Fewer that want the thread right now; where they are as many, fewer workloads. */
function lighter(a: LoopThread, b: LoopThread): boolean {
  const difference = a.interrupter.ready - b.interrupter.ready;
  return difference < 0 || (difference === 0 && a.guests < b.guests);
}
