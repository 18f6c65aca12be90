/**
 * Runs one guest in the world that its options describe (`world.ts`), from its start to its end; see `contract.ts` for the promise.
 */
import { messageOf } from '#kit';
import type { Exit } from '../contract.ts';
import type { Invoked, Wasi, WasiLimits, WasiOptions, WasiStats } from './contract.ts';
import { GuestMemory } from './core/memory.ts';
import { DescriptorTable } from './core/table.ts';
import { wasiError } from './errors.ts';
import { codeExit, errorExit, signalExit, trapExit } from './exit.ts';
import { Guard } from './guard.ts';
import { linkImports } from './imports.ts';
import { contextOf, fillTable, limitsOf } from './world.ts';

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
    this.#limits = limitsOf(options);
    this.#guard = new Guard(this.#limits);
    this.#table = new DescriptorTable(this.#limits.descriptors);
  }

  open(): void {
    fillTable(this.#table, this.#options, (bytes) => {
      this.#bytesWritten += bytes;
    });
    this.#options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  imports(module: WebAssembly.Module): WebAssembly.Imports {
    const context = contextOf(this.#options, {
      memory: this.#memory,
      table: this.#table,
      ended: this.#guard.ended,
      exit: (code) => this.#guard.leave(codeExit(code)),
      trap: (message) => this.#guard.leave(errorExit('Error', message)),
    });
    return linkImports(module, { context, guard: this.#guard, more: this.#options.imports ?? {} });
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
      cpuNanos: Math.round(this.#guard.usedMs * 1e6),
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
}
