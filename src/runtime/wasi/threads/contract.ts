/**
 * wasi-threads: a module whose threads share its memory. Every thread of the guest, the first one too, is a worker thread with an
 * instance of its own; the functions of WASI are served for all of them by the thread that made the guest, on one table of
 * descriptors. Source: WebAssembly/wasi-threads, README.md.
 */
import type { Exit } from '../../contract.ts';
import type { Wasi, WasiOptions } from '../contract.ts';

/** A memory that the module imports, in pages of 64 KiB. */
export interface SharedMemory {
  readonly module: string;
  readonly name: string;
  readonly initial: number;
  readonly maximum: number;
}

export interface ThreadedOptions extends WasiOptions {
  /** The memories that the module imports; see `sharedMemoriesOf`. The first is the one that WASI's pointers point into. */
  readonly memories: readonly SharedMemory[];
  /** Threads at a time, the first included; a spawn beyond it is refused. */
  readonly maxThreads?: number | undefined;
}

/** What runs a guest from a module to its exit, whichever way. */
export type GuestWorld = Pick<Wasi, 'run' | 'kill' | 'signal' | 'stats' | 'limitMemory'> & AsyncDisposable;

/** What a worker gets at its start. */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memories: readonly { readonly module: string; readonly name: string; readonly memory: WebAssembly.Memory }[];
  /** Function imports with the numbers under which the host knows them. */
  readonly functions: readonly { readonly module: string; readonly name: string; readonly index: number }[];
  readonly mailbox: SharedArrayBuffer;
  /** One word: the kernel's number of the thread, once it runs. */
  readonly identity: SharedArrayBuffer;
  readonly call:
    | { readonly do: 'main'; readonly entrypoint: string }
    | { readonly do: 'thread'; readonly id: number; readonly argument: number };
  /** Set where clocks and randomness are the system's own, so that the thread asks them itself: where the guest's monotonic clock began. */
  readonly monotonicStart: bigint | undefined;
  readonly memoryLimit: number | undefined;
}

/** The last word of a worker. */
export interface ThreadEnd {
  /** How it failed; absent when its function returned. */
  readonly exit?: Exit | undefined;
  readonly cpuMicros: number;
}
