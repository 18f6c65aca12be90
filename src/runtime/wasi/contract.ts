/**
 * What the WASI host promises to whoever runs a guest: the sandbox's loop threads and `wasmlet run`.
 *
 * One `Wasi` is one guest's view of the world: its arguments, environment, files, sockets, clocks and standard streams. Nothing in it
 * is shared with another guest or taken from the process that hosts it; what is not given is not there.
 */
import type { Server } from 'node:net';
import type { Exit, Signal } from '../contract.ts';
import type { PosixOptions, SignalOutcome } from '../posix/contract.ts';
import type { Task } from '../scheduler/contract.ts';
import type { WasiClock } from './core/clocks.ts';

export interface Preopen {
  /** Absolute path in the guest, or `.`. */
  readonly guestPath: string;
  /** Directory or single file on the host. It is opened when the guest is created; a later rename does not matter. */
  readonly hostPath: string;
  readonly readOnly?: boolean | undefined;
}

/** A bound server, created with `pauseOnConnect` and `allowHalfOpen`; it stays the caller's to close. */
export interface WasiListener {
  readonly server: Server;
  /** Appears in `LISTEN_FDNAMES`. */
  readonly name?: string | undefined;
}

/**
 * Takes what the guest wrote; the bytes are a copy that the sink may keep. A promise makes the guest wait (backpressure).
 * An error with the code EPIPE reaches the guest as EPIPE, every other one as EIO.
 */
export type Sink = (bytes: Uint8Array) => void | Promise<void>;

export interface WasiLimits {
  /** Open descriptors at a time, listeners, preopens and standard streams included. */
  readonly descriptors: number;
  /** Bytes that one read, write, receive or send call moves at most; the guest sees a short count. */
  readonly transferBytes: number;
  /** Buffers in one scatter or gather call. */
  readonly buffers: number;
  /** Subscriptions in one `poll_oneoff`. */
  readonly subscriptions: number;
  /** connections that wait in a listener's queue until the guest accepts them; more are closed. */
  readonly backlog: number;
  /** Bytes that are held for a connection in each direction before the peer, or the guest, has to wait. */
  readonly socketBytes: number;
  /** Names in one directory listing. */
  readonly directoryEntries: number;
  /** Of a guest without a `task`: milliseconds from call to call before one gives the event loop its turn. */
  readonly sliceMs: number;
  /** For linear memories, tables and what the host holds for the guest, together. Plain modules have it in their bytes already. */
  readonly memoryBytes?: number | undefined;
}

export interface WasiOptions {
  /** argv, its first element the program's name. */
  readonly args?: readonly string[] | undefined;
  readonly env?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly preopens?: readonly Preopen[] | undefined;
  /** Guest path of the working directory; see docs/wasi.md for what guests make of it. */
  readonly workingDir?: string | undefined;
  readonly listeners?: readonly WasiListener[] | undefined;
  /** Empty when absent. It is read only when the guest reads. */
  readonly stdin?: AsyncIterable<Uint8Array> | Uint8Array | undefined;
  readonly stdout?: Sink | undefined;
  readonly stderr?: Sink | undefined;
  /** Which of the standard streams are terminals. */
  readonly terminals?: { readonly stdin?: boolean; readonly stdout?: boolean; readonly stderr?: boolean } | undefined;
  readonly clock?: WasiClock | undefined;
  /** Fills the bytes with randomness. */
  readonly random?: ((bytes: Uint8Array) => void) | undefined;
  readonly limits?: Partial<WasiLimits> | undefined;
  /** The guest's turn on a thread that it shares; without it the guest has the thread to itself. */
  readonly task?: Task | undefined;
  /** The thread's control memory: what is run is a rewritten module, which imports it (`module/shape.ts`). */
  readonly control?: WebAssembly.Memory | undefined;
  /** The grant of the POSIX extension; see docs/decisions/0012-posix.md. */
  readonly posix?: PosixOptions | undefined;
  /** Imports beyond WASI's, by module and name. */
  readonly imports?: WebAssembly.Imports | undefined;
  /** Aborting is `kill` with SIGKILL. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The caller trusts its guests where walls are missing. Here it changes nothing: preopens need `node:ffi` in any case,
   * since every weaker way would let a race escape.
   */
  readonly insecureTrustedGuests?: boolean | undefined;
}

export interface WasiStats {
  readonly descriptors: number;
  /** Bytes of linear memory and tables, 0 before the start, and what the host holds for the guest beyond 64 KiB. */
  readonly memoryBytes: number;
  /** CPU time that the guest and its calls had. */
  readonly cpuNanos: number;
  /** Whether the guest waits in a call right now. */
  readonly waiting: boolean;
  readonly bytesWritten: number;
}

export interface Invoked {
  readonly exit: Exit;
  readonly result: unknown;
}

export interface Wasi extends AsyncDisposable {
  /** The import object of a module. Throws WASI_MISSING_IMPORT, naming every import that nobody provides. */
  imports(module: WebAssembly.Module): WebAssembly.Imports;
  /**
   * Runs an exported function to its end (`_initialize` first where a reactor has one). Never rejects:
   * a trap, an exit, a kill and a missing function are all an `Exit`. Once for each `Wasi`.
   */
  start(instance: WebAssembly.Instance, entrypoint?: string): Promise<Exit>;
  /** As `start`, of a function with parameters (numbers, bigints for i64); its result is what JavaScript gets. */
  invoke(instance: WebAssembly.Instance, name: string, args?: readonly unknown[]): Promise<Invoked>;
  /** `imports`, instantiation and `start` in one; also a failure to link is an `Exit` (reason StartError). */
  run(module: WebAssembly.Module, entrypoint?: string): Promise<Exit>;
  /**
   * Ends the guest with this exit. A guest that waits ends at once, one that runs ends at its next call, or check if it was
   * rewritten: a plain one that never calls must be ended together with its thread. The second and later kills do nothing.
   */
  kill(exit: Exit): void;
  /** Changes the limit of memory; false, and no change, where more is in use, or the limit stands in a plain module's bytes. */
  limitMemory(bytes: number | undefined): boolean;
  /** Hands a signal to a guest that was granted the extension; `default` where the guest does not deal with it. */
  signal(name: Signal): SignalOutcome;
  stats(): WasiStats;
}
