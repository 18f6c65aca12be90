/**
 * One guest with threads, from its start to its end: makes the memory, starts a worker for each thread, serves their calls, and ends
 * all of them with the first exit, trap or kill. Called by whoever runs a module that `sharedMemoriesOf` knows.
 *
 * The workers hold nothing but the guest: descriptors, files and sockets stay with this thread. So a thread that spins, or that waits
 * in the kernel's futex, is ended by ending its worker, and nothing of the host's is lost with it.
 */
import { messageOf } from '#kit';
import type { Exit, Signal } from '../../contract.ts';
import { Posix, type PosixHost, type SignalOutcome } from '../../posix/mod.ts';
import type { WasiLimits, WasiOptions, WasiStats } from '../contract.ts';
import { systemWasiClock } from '../core/clocks.ts';
import { ERRNO, errnoOfNodeError, WasiErrno } from '../core/errno.ts';
import { GuestMemory } from '../core/memory.ts';
import { DescriptorTable } from '../core/table.ts';
import { codeExit, errorExit, signalExit } from '../exit.ts';
import type { P1Context } from '../p1/context.ts';
import { contextOf, fillTable, limitsOf } from '../world.ts';
import type { GuestWorld, ThreadData, ThreadedOptions } from './contract.ts';
import { type HostFunction, hostFunctions } from './functions.ts';
import { makeMemories } from './memories.ts';
import { GuestThread } from './thread.ts';

const MOST_THREADS = 64;
/** So few a guest has with any memory limit. */
const FEWEST_THREADS = 4;
/** What a worker takes of the host beside the guest's memory, measured. It counts as the guest's. */
const THREAD_BYTES = 8 * 1024 * 1024;
/** Numbers of threads are positive and below this, and none is given twice. */
const THREAD_NUMBERS = 2 ** 29;

/** As `createWasi`: opens what the guest is given, and on an error holds nothing. */
export async function createThreadedWorld(options: ThreadedOptions): Promise<GuestWorld> {
  options.signal?.throwIfAborted();
  const world = new ThreadedWorld(options);
  try {
    await world.open();
    return world;
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

/** Thrown through a host function whose guest is over; nobody is answered then. */
const OVER = Symbol('the guest is over');

class ThreadedWorld implements GuestWorld {
  readonly #options: ThreadedOptions;
  readonly #limits: WasiLimits;
  readonly #memory = new GuestMemory();
  readonly #table: DescriptorTable;
  readonly #posix: Posix | undefined;
  readonly #over = new AbortController();
  readonly #threads = new Set<GuestThread>();
  readonly #finished = Promise.withResolvers<Exit>();
  #functions: readonly HostFunction[] = [];
  #data: Omit<ThreadData, 'mailbox' | 'identity' | 'call'> | undefined;
  #exit: Exit | undefined;
  #spawned = 0;
  #bytesWritten = 0;
  #endedMicros = 0;

  constructor(options: ThreadedOptions) {
    this.#options = options;
    this.#limits = limitsOf(options);
    this.#table = new DescriptorTable(this.#limits.descriptors);
    this.#posix = options.posix === undefined ? undefined : new Posix(options.posix, this.#posixHost());
  }

  async open(): Promise<void> {
    await fillTable(this.#table, this.#options, (bytes) => {
      this.#bytesWritten += bytes;
    });
    for (const directory of this.#posix?.directories(this.#context()) ?? []) this.#table.add(directory);
    this.#options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  #posixHost(): PosixHost {
    const facts = () => {
      const { cpuNanos } = this.stats();
      return {
        memoryBytes: this.#memory.byteLength,
        memoryLimit: this.#limits.memoryBytes,
        cpuNanos,
        threads: this.#threads.size,
      };
    };
    return { facts, leave: (exit) => this.#leave(exit) };
  }

  async run(module: WebAssembly.Module, entrypoint = '_start'): Promise<Exit> {
    if (this.#data !== undefined) throw new Error('a guest is started once');
    if (this.#exit === undefined) this.#startMain(module, entrypoint);
    const exit = await this.#finished.promise;
    await this.#endThreads();
    return exit;
  }

  #startMain(module: WebAssembly.Module, entrypoint: string): void {
    const made = makeMemories(this.#options.memories, this.#limits.memoryBytes);
    if ('tooLarge' in made) {
      const limit = this.#limits.memoryBytes;
      const message = `The module declares ${made.tooLarge} bytes of memory to begin with; its limit is ${limit} bytes`;
      this.#end({ code: 137, signal: 9, reason: 'OOMKilled', message });
      return;
    }
    try {
      const first = made.memories[0]?.memory;
      if (first !== undefined) this.#memory.attach(first);
      const functions = hostFunctions(module, {
        context: this.#context(),
        spawn: (argument) => this.#spawn(argument),
        options: this.#options,
      });
      this.#functions = functions.map(({ call }) => call);
      this.#data = {
        module,
        memories: made.memories,
        functions: functions.map(({ module: from, name }, index) => ({ module: from, name, index })),
        monotonicStart: monotonicStart(this.#options),
        memoryLimit: this.#limits.memoryBytes,
      };
      this.#start({ do: 'main', entrypoint });
    } catch (error) {
      this.#end(errorExit('StartError', messageOf(error)));
    }
  }

  kill(exit: Exit): void {
    this.#end(exit);
  }

  signal(name: Signal): SignalOutcome {
    return this.#posix?.signal(name) ?? 'default';
  }

  /** The maximum of a shared memory stands in the memory from its beginning. */
  limitMemory(): boolean {
    return false;
  }

  stats(): WasiStats {
    let micros = this.#endedMicros;
    for (const thread of this.#threads) micros += thread.cpuMicros();
    return {
      descriptors: this.#table.size,
      memoryBytes: this.#memory.byteLength + this.#table.heldBytes + this.#threads.size * THREAD_BYTES,
      cpuNanos: Math.round(micros * 1000),
      waiting: false,
      bytesWritten: this.#bytesWritten,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#end(signalExit('SIGKILL'));
    await this.#endThreads();
    await this.#table.closeAll();
  }

  readonly #abort = (): void => this.#end(signalExit('SIGKILL'));

  #context(): P1Context {
    const context = contextOf(this.#options, {
      memory: this.#memory,
      table: this.#table,
      ended: this.#over.signal,
      exit: (code) => this.#leave(codeExit(code)),
      trap: (message) => this.#leave(errorExit('Error', message)),
    });
    return this.#posix?.context(context) ?? context;
  }

  /** The first end counts. */
  #end(exit: Exit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.#over.abort();
    for (const thread of this.#threads) void thread.end();
    this.#finished.resolve(exit);
  }

  async #endThreads(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.end()));
  }

  #leave(exit: Exit): never {
    this.#end(exit);
    throw OVER;
  }

  /** `wasi.thread-spawn`: the new thread's number, or a negated errno. */
  #spawn(argument: number): number {
    if (this.#threads.size >= mostThreads(this.#options.maxThreads, this.#limits.memoryBytes)) return -ERRNO.AGAIN;
    if (this.#spawned >= THREAD_NUMBERS - 1) return -ERRNO.AGAIN;
    const starts = this.#data !== undefined && WebAssembly.Module.exports(this.#data.module).some(isThreadStart);
    if (!starts) return -ERRNO.NOSYS;
    const id = ++this.#spawned;
    try {
      this.#start({ do: 'thread', id, argument });
      return id;
    } catch {
      return -ERRNO.AGAIN;
    }
  }

  #start(call: ThreadData['call']): void {
    if (this.#data === undefined) return;
    const thread: GuestThread = new GuestThread({
      data: this.#data,
      call,
      serve: (index, args) => this.#serve(index, args),
      ended: ({ exit, cpuMicros }) => {
        this.#threads.delete(thread);
        this.#endedMicros += cpuMicros;
        if (exit !== undefined) this.#end(exit);
        else if (call.do === 'main') this.#end(codeExit(0));
      },
    });
    this.#threads.add(thread);
  }

  /** The number for the guest; never resolves once the guest is over. */
  async #serve(index: number, args: readonly (number | bigint)[]): Promise<number> {
    if (this.#exit !== undefined) return new Promise(() => {});
    const fn = this.#functions[index];
    try {
      const result = await fn?.(...args);
      if (this.#exit === undefined) return result ?? ERRNO.SUCCESS;
    } catch (error) {
      if (error instanceof WasiErrno) return error.errno;
      const errno = errnoOfNodeError(error);
      if (errno !== undefined) return errno;
      if (error !== OVER) this.#end(errorExit('Error', `the host failed: ${messageOf(error)}`));
    }
    return new Promise(() => {});
  }
}

/** Threads at a time: no more than the memory limit pays for. */
function mostThreads(most = MOST_THREADS, limit = Number.POSITIVE_INFINITY): number {
  return Math.min(most, Math.max(FEWEST_THREADS, Math.floor(limit / THREAD_BYTES)));
}

function isThreadStart({ name, kind }: WebAssembly.ModuleExportDescriptor): boolean {
  return name === 'wasi_thread_start' && kind === 'function';
}

/** Where the guest's monotonic clock began on this machine's; undefined where the caller brings clocks or randomness of its own. */
function monotonicStart({ clock, random }: WasiOptions): bigint | undefined {
  if (clock !== undefined || random !== undefined) return undefined;
  return process.hrtime.bigint() - systemWasiClock.monotonic();
}
