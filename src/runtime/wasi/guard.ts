/**
 * Stands between a guest and all that it calls and is called by: turns failures into errno, keeps the end of a guest final, and gives
 * the thread to others when the guest's turn is over. Every entry into the guest, and every way on after a wait, is a step of its task.
 */
import type { Exit } from '../contract.ts';
import type { Task } from '../scheduler/contract.ts';
import { ERRNO, errnoOfNodeError, WasiErrno } from './core/errno.ts';
import { errorExit, uncatchableTrap } from './exit.ts';
import type { P1Function, P1Functions } from './p1/context.ts';
import { checkThroughShim, type HostCall, throughShim, WAITS } from './shim.ts';

/** Looked up once: the table is large enough to be a dictionary to the engine. */
const { SUCCESS } = ERRNO;

export class Guard {
  readonly #task: Task;
  readonly #waited: () => void;
  readonly #over = new AbortController();
  #exit: Exit | undefined;
  #reject: ((trap: unknown) => void) | undefined;
  #waits = 0;
  /** What the call that was just made answers, later. */
  #pending: Promise<number> | undefined;

  /** `waited` is called when the guest goes on after it has waited for something. */
  constructor(task: Task, { waited = () => {} }: { readonly waited?: () => void } = {}) {
    this.#task = task;
    this.#waited = waited;
  }

  /** How the guest was ended, once it was. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  get waiting(): boolean {
    return this.#reject !== undefined;
  }

  /** How often the guest waited for something; giving way is no wait. */
  get waits(): number {
    return this.#waits;
  }

  /** Nanoseconds of CPU time that the guest and its calls had. */
  get cpuNanos(): number {
    return this.#task.cpuNanos;
  }

  /** Aborted with the guest's end. */
  get ended(): AbortSignal {
    return this.#over.signal;
  }

  /** Calls into the guest when it is its turn. Rejects with what the guest throws, or with the trap of its end. */
  enter<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#exit !== undefined) return reject(uncatchableTrap());
      const done = <V>(settle: (value: V) => void) => {
        return (value: V): void => {
          this.#task.pause();
          settle(value);
        };
      };
      this.#reject = reject;
      this.#step(() => call().then(done(resolve), done(reject)));
    });
  }

  /** The first end counts. A guest that waits is thrown out of its wait; one that runs at its next call or check. */
  end(exit: Exit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.#task.pause();
    this.#over.abort();
    // Not left behind: the engine gives the stack of a wait back only when the wait ends.
    this.#reject?.(uncatchableTrap());
    this.#reject = undefined;
  }

  /** Ends the guest from inside one of its own calls. */
  leave(exit: Exit): never {
    this.end(exit);
    throw uncatchableTrap();
  }

  /** What the checks in a rewritten module call. Answers 1 where the guest has to trap. */
  get yield(): WebAssembly.ImportValue {
    const check = (): number => {
      if (this.#exit !== undefined) return 1;
      if (this.#task.isDue()) return this.#later(this.#giveWay(0));
      if (!this.#task.isOverdue) return 0;
      this.end(errorExit('Error', 'the guest computed for too long in a function that the host had called'));
      return 1;
    };
    return checkThroughShim(check, this.#takePending);
  }

  /** Runs a call from the host into the guest, from within one of the guest's own calls: nothing below it can wait. */
  unsuspendable<T>(call: () => T): T {
    return this.#task.unsuspendable(call);
  }

  /** Any function may make the guest wait; how, and what it costs, is in `shim.ts`. */
  wrap(functions: P1Functions): WebAssembly.ModuleImports {
    const calls = Object.fromEntries(Object.entries(functions).map(([name, fn]) => [name, this.#guarded(name, fn)]));
    return throughShim(calls, this.#takePending);
  }

  readonly #takePending = (): Promise<number> | undefined => {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending;
  };

  #guarded(name: string, fn: P1Function): HostCall {
    return (...args) => {
      if (this.#exit !== undefined) throw uncatchableTrap();
      let errno: number = SUCCESS;
      try {
        const result = fn(...args);
        if (result !== undefined) return this.#later(this.#wait(name, result));
      } catch (error) {
        errno = this.#errno(name, error);
      }
      return this.#task.isDue() ? this.#later(this.#giveWay(errno)) : errno;
    };
  }

  #later(answer: Promise<number>): number {
    this.#pending = answer;
    return WAITS;
  }

  /** The guest waits for the result, or for its end. */
  #wait(name: string, result: Promise<void>): Promise<number> {
    this.#waits++;
    this.#task.pause();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      result.then(
        () => {
          this.#waited();
          this.#step(() => resolve(ERRNO.SUCCESS));
        },
        (error) => {
          if (this.#exit !== undefined) return;
          try {
            const errno = this.#errno(name, error);
            this.#step(() => resolve(errno));
          } catch (trap) {
            reject(trap);
          }
        },
      );
    });
  }

  #giveWay(result: number): Promise<number> {
    this.#task.pause();
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.#step(() => resolve(result));
    });
  }

  #step(go: () => void): void {
    if (this.#exit !== undefined) return;
    this.#task.ready(() => {
      if (this.#exit !== undefined) return this.#task.pause();
      this.#reject = undefined;
      go();
    });
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
