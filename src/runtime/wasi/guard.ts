/**
 * Stands between a guest and each function it calls: turns failures into errno, keeps the end of a guest final,
 * and gives the thread to others when a guest that calls a lot has had its slice.
 */
import type { Exit } from '../contract.ts';
import { ERRNO, errnoOfNodeError, WasiErrno } from './core/errno.ts';
import { errorExit, uncatchableTrap } from './exit.ts';
import type { P1Function, P1Functions } from './p1/context.ts';

export class Guard {
  readonly #sliceMs: number;
  readonly #over = new AbortController();
  #exit: Exit | undefined;
  #reject: ((trap: unknown) => void) | undefined;
  /** When the guest last got the thread; undefined while it does not have it. */
  #sliceStart: number | undefined;
  #usedMs = 0;

  constructor({ sliceMs }: { sliceMs: number }) {
    this.#sliceMs = sliceMs;
  }

  /** How the guest was ended, once it was. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  get waiting(): boolean {
    return this.#reject !== undefined;
  }

  /** Milliseconds that the guest and its calls held the thread. */
  get usedMs(): number {
    return this.#usedMs;
  }

  /** Aborted with the guest's end. */
  get ended(): AbortSignal {
    return this.#over.signal;
  }

  /** From now on the guest runs on a stack that can wait. Before, in a module's start section, it must not. */
  begin(): void {
    this.#sliceStart = performance.now();
  }

  /** The first end counts. A guest that waits is thrown out of its wait; one that runs at its next call. */
  end(exit: Exit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.#pause();
    this.#over.abort();
    this.#reject?.(uncatchableTrap());
    this.#reject = undefined;
  }

  /** Ends the guest from inside one of its own calls. */
  leave(exit: Exit): never {
    this.end(exit);
    throw uncatchableTrap();
  }

  /**
   * Every function may suspend, also those that never wait: so a guest that spins on the clock can be stopped, and gives way.
   * One that answers at once costs the engine a few tenths of a microsecond more for it.
   */
  wrap(functions: P1Functions): Record<string, WebAssembly.ImportValue> {
    return Object.fromEntries(
      Object.entries(functions).map(([name, fn]) => [name, new WebAssembly.Suspending(this.#guarded(name, fn))]),
    );
  }

  #guarded(name: string, fn: P1Function): (...args: unknown[]) => number | Promise<number> {
    return (...args) => {
      if (this.#exit !== undefined) throw uncatchableTrap();
      let errno: number = ERRNO.SUCCESS;
      try {
        const result = fn(...args);
        if (result !== undefined) return this.#wait(name, result);
      } catch (error) {
        errno = this.#errno(name, error);
      }
      const since = this.#sliceStart ?? Number.POSITIVE_INFINITY;
      return performance.now() - since > this.#sliceMs ? this.#giveWay(errno) : errno;
    };
  }

  /** The guest waits for the result, or for its end. */
  #wait(name: string, result: Promise<void>): Promise<number> {
    this.#pause();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      result.then(
        () => this.#resume(resolve, ERRNO.SUCCESS),
        (error) => {
          if (this.#exit !== undefined) return;
          try {
            this.#resume(resolve, this.#errno(name, error));
          } catch (trap) {
            reject(trap);
          }
        },
      );
    });
  }

  #giveWay(errno: number): Promise<number> {
    this.#pause();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      setImmediate(() => this.#resume(resolve, errno));
    });
  }

  #resume(resolve: (errno: number) => void, errno: number): void {
    if (this.#exit !== undefined) return;
    this.#reject = undefined;
    this.#sliceStart = performance.now();
    resolve(errno);
  }

  #pause(): void {
    if (this.#sliceStart !== undefined) this.#usedMs += performance.now() - this.#sliceStart;
    this.#sliceStart = undefined;
  }

  /** The number for the guest. What is neither an errno nor the system's answer is our mistake: the guest ends, the host does not. */
  #errno(name: string, error: unknown): number {
    if (error === uncatchableTrap()) throw error;
    if (error instanceof WasiErrno) return error.errno;
    const errno = errnoOfNodeError(error);
    if (errno !== undefined) return errno;
    const message = error instanceof Error ? error.message : String(error);
    return this.leave(errorExit('Error', `the host failed in ${name}: ${message}`));
  }
}
