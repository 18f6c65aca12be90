/**
 * Builds one guest's world from its options and runs the guest in it (see `contract.ts` for the promise).
 *
 * The order of descriptors is part of what guests see: 0, 1, 2, then the listeners, then the preopens; see
 * docs/decisions/0005-first-shape.md for why, and docs/wasi.md for what each libc makes of it.
 */
import { messageOf } from '#kit';
import type { Exit } from '../contract.ts';
import type { Invoked, Wasi, WasiLimits, WasiOptions, WasiStats } from './contract.ts';
import { systemWasiClock } from './core/clocks.ts';
import { GuestMemory } from './core/memory.ts';
import { pooledRandom } from './core/random.ts';
import { ListenerSocket } from './core/sockets.ts';
import { InputStream, OutputStream } from './core/streams.ts';
import { DescriptorTable } from './core/table.ts';
import { wasiError } from './errors.ts';
import { codeExit, errorExit, signalExit, trapExit } from './exit.ts';
import { Guard } from './guard.ts';
import { linkImports } from './imports.ts';
import type { P1Context } from './p1/context.ts';
import { openPreopens } from './preopens.ts';

const DEFAULT_LIMITS: WasiLimits = {
  descriptors: 1024,
  transferBytes: 1 << 20,
  buffers: 1024,
  subscriptions: 4096,
  backlog: 511,
  socketBytes: 256 * 1024,
  directoryEntries: 1 << 18,
  sliceMs: 5,
  memoryBytes: undefined,
};

/** Opens what the guest is given. Rejects with WASI_BAD_PREOPEN, WASI_BAD_OPTION or WASI_FILES_UNAVAILABLE, and then holds nothing. */
export async function createWasi(options: WasiOptions = {}): Promise<Wasi> {
  options.signal?.throwIfAborted();
  const host = new Host(options);
  try {
    host.open();
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

class Host implements Wasi {
  readonly #options: WasiOptions;
  readonly #limits: WasiLimits;
  readonly #guard: Guard;
  readonly #memory = new GuestMemory();
  readonly #table: DescriptorTable;
  #bytesWritten = 0;
  #started = false;

  constructor(options: WasiOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#guard = new Guard(this.#limits);
    this.#table = new DescriptorTable(this.#limits.descriptors);
  }

  open(): void {
    const { stdin, stdout, stderr, terminals = {}, listeners = [], signal } = this.#options;
    const count = (bytes: number): void => {
      this.#bytesWritten += bytes;
    };
    this.#table.add(new InputStream(stdin, terminals.stdin));
    this.#table.add(new OutputStream(stdout, { terminal: terminals.stdout ?? false, count }));
    this.#table.add(new OutputStream(stderr, { terminal: terminals.stderr ?? false, count }));
    for (const listener of listeners) this.#table.add(new ListenerSocket(listener, this.#limits));
    for (const directory of openPreopens(this.#options, this.#limits)) this.#table.add(directory);
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  imports(module: WebAssembly.Module): WebAssembly.Imports {
    return linkImports(module, {
      context: this.#context(),
      guard: this.#guard,
      more: this.#options.imports ?? {},
    });
  }

  async start(instance: WebAssembly.Instance, entrypoint = '_start'): Promise<Exit> {
    return (await this.invoke(instance, entrypoint)).exit;
  }

  async invoke(instance: WebAssembly.Instance, name: string, args: readonly unknown[] = []): Promise<Invoked> {
    if (this.#started) throw wasiError('WASI_BAD_OPTION', 'Cannot start a guest: this one was started before');
    this.#started = true;
    const { memory } = instance.exports;
    if (memory instanceof WebAssembly.Memory) this.#memory.attach(memory);
    try {
      const result = await this.#call(instance, name, args);
      return { exit: this.#guard.exit ?? codeExit(0), result };
    } catch (error) {
      return { exit: this.#guard.exit ?? this.#failure(error), result: undefined };
    } finally {
      // Nothing of the guest runs after its end, also not a call that it left behind.
      this.#guard.end(codeExit(0));
    }
  }

  async run(module: WebAssembly.Module, entrypoint?: string): Promise<Exit> {
    let instance: WebAssembly.Instance;
    try {
      instance = await WebAssembly.instantiate(module, this.imports(module));
    } catch (error) {
      if (this.#guard.exit !== undefined) return this.#guard.exit;
      return error instanceof WebAssembly.RuntimeError
        ? this.#failure(error)
        : errorExit('StartError', messageOf(error));
    }
    return this.start(instance, entrypoint);
  }

  kill(exit: Exit): void {
    this.#guard.end(exit);
  }

  stats(): WasiStats {
    return {
      descriptors: this.#table.size,
      memoryBytes: this.#memory.byteLength,
      waiting: this.#guard.waiting,
      bytesWritten: this.#bytesWritten,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#guard.end(signalExit('SIGKILL'));
    await this.#table.closeAll();
  }

  readonly #abort = (): void => this.kill(signalExit('SIGKILL'));

  async #call(instance: WebAssembly.Instance, entrypoint: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#guard.exit !== undefined) return undefined;
    const entry = instance.exports[entrypoint];
    if (typeof entry !== 'function') {
      const names = Object.keys(instance.exports).slice(0, 20).join(', ');
      const hint = `it exports ${names === '' ? 'nothing' : names}`;
      this.#guard.end(
        errorExit('StartError', `Cannot start the guest: it exports no function '${entrypoint}'; ${hint}`),
      );
      return undefined;
    }
    this.#guard.begin();
    const initialize = instance.exports['_initialize'];
    if (typeof initialize === 'function' && entrypoint !== '_start' && entrypoint !== '_initialize') {
      await WebAssembly.promising(initialize)();
    }
    return await WebAssembly.promising(entry)(...args);
  }

  #failure(error: unknown): Exit {
    return trapExit(error, { memoryBytes: this.#memory.byteLength, limit: this.#limits.memoryBytes });
  }

  #context(): P1Context {
    const { args = [], clock = systemWasiClock, random = pooledRandom() } = this.#options;
    return {
      memory: this.#memory,
      table: this.#table,
      args: args.map(terminated),
      env: environmentOf(this.#options).map(([name, value]) => terminated(`${name}=${value}`)),
      clock,
      random,
      limits: this.#limits,
      ended: this.#guard.ended,
      exit: (code) => this.#guard.leave(codeExit(code)),
      trap: (message) => this.#guard.leave(errorExit('Error', message)),
    };
  }
}

/** As bytes with NUL behind; a NUL inside would end the string early for the guest. */
function terminated(text: string): Uint8Array {
  if (text.includes('\0')) throw wasiError('WASI_BAD_OPTION', 'Cannot pass an argument or variable: it contains NUL');
  return Buffer.from(`${text}\0`);
}

/** What the node set, and what guests need to find their listeners and their working directory. */
function environmentOf({ env = [], listeners = [], workingDir }: WasiOptions): (readonly [string, string])[] {
  const names = new Set(env.map(([name]) => name));
  const extra: [string, string][] = [];
  if (workingDir !== undefined) extra.push(['PWD', workingDir]);
  if (listeners.length > 0) {
    extra.push(['LISTEN_FDS', String(listeners.length)]);
    extra.push(['LISTEN_FDNAMES', listeners.map(({ name }) => (name ?? 'unknown').replaceAll(':', '_')).join(':')]);
  }
  return [...env, ...extra.filter(([name]) => !names.has(name))];
}
