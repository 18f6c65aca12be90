/**
 * Runs one guest in the world that its options describe (`world.ts`), from its start to its end; see `contract.ts` for the promise.
 */
import { messageOf } from '#kit';
import type { Exit, Signal } from '../contract.ts';
import { instantiate } from '../module/instantiate.ts';
import { Posix, type PosixHost, type SignalOutcome } from '../posix/mod.ts';
import type { Task } from '../scheduler/contract.ts';
import { soloTask } from '../scheduler/mod.ts';
import { MemoryAccount } from './account.ts';
import type { Invoked, Wasi, WasiLimits, WasiOptions, WasiStats } from './contract.ts';
import { GuestMemory } from './core/memory.ts';
import { DescriptorTable } from './core/table.ts';
import { wasiError } from './errors.ts';
import { codeExit, errorExit, nearItsLimit, overLimitExit, signalExit, tooSmallExit, trapExit } from './exit.ts';
import { Guard } from './guard.ts';
import { linkImports } from './imports.ts';
import type { P1Context } from './p1/context.ts';
import { contextOf, fillTable, limitsOf } from './world.ts';

const WAITS_A_LOOK = 16;
const NO_ROOM = 'Cannot start the guest: this process has no room left for its memories or tables';

/** So long after growth was refused a trap is still because of it, if the guest did not wait: it may have unwound, or printed something. */
const GIVES_UP_NANOS = 50e6;

/** Opens what the guest is given. Rejects with WASI_BAD_PREOPEN, WASI_BAD_OPTION or WASI_FILES_UNAVAILABLE, and then holds nothing. */
export async function createWasi(options: WasiOptions = {}): Promise<Wasi> {
  options.signal?.throwIfAborted();
  const host = new Host(options);
  try {
    await host.open();
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

class Host implements Wasi {
  readonly #options: WasiOptions;
  readonly #limits: WasiLimits;
  readonly #task: Task;
  readonly #guard: Guard;
  readonly #account: MemoryAccount;
  readonly #memory = new GuestMemory();
  readonly #table: DescriptorTable;
  readonly #posix: Posix | undefined;
  #bytesWritten = 0;
  #started = false;
  #startFunction: WebAssembly.AnyFunction | undefined;
  /** When growth was last refused: after how many waits and how much time. */
  #refused: { readonly waits: number; readonly cpuNanos: number } | undefined;

  constructor(options: WasiOptions) {
    this.#options = options;
    this.#limits = limitsOf(options);
    this.#task = options.task ?? soloTask(this.#limits);
    this.#guard = new Guard(this.#task, { waited: () => this.#lookAtMemory() });
    this.#account = new MemoryAccount({
      limitBytes: this.#limits.memoryBytes,
      held: () => this.#table.heldBytes,
      over: (limit) => this.#guard.end(overLimitExit(limit)),
      refused: () => {
        this.#refused = { waits: this.#guard.waits, cpuNanos: this.#guard.cpuNanos };
      },
    });
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
    return {
      facts: () => ({
        memoryBytes: this.#account.bytes,
        memoryLimit: this.#account.limit,
        cpuNanos: Math.round(this.#guard.cpuNanos),
        threads: 1,
      }),
      leave: (exit) => this.#guard.leave(exit),
    };
  }

  #context(): P1Context {
    const context = contextOf(this.#options, {
      memory: this.#memory,
      table: this.#table,
      ended: this.#guard.ended,
      exit: (code) => this.#guard.leave(codeExit(code)),
      trap: (message) => this.#guard.leave(errorExit('Error', message)),
    });
    return this.#posix?.context(context) ?? context;
  }

  imports(module: WebAssembly.Module): WebAssembly.Imports {
    const context = this.#context();
    return linkImports(module, { context, guard: this.#guard, more: this.#options.imports ?? {} });
  }

  async start(instance: WebAssembly.Instance, entrypoint = '_start'): Promise<Exit> {
    return (await this.invoke(instance, entrypoint)).exit;
  }

  async invoke(instance: WebAssembly.Instance, name: string, args: readonly unknown[] = []): Promise<Invoked> {
    if (this.#started) throw wasiError('WASI_BAD_OPTION', 'Cannot start a guest: this one was started before');
    this.#started = true;
    const { memory } = instance.exports;
    if (memory instanceof WebAssembly.Memory) {
      this.#memory.attach(memory);
      if (this.#options.control === undefined) this.#account.attach([memory]);
    }
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
    try {
      const imports = this.imports(module);
      const { control } = this.#options;
      const instance =
        control === undefined
          ? await WebAssembly.instantiate(module, imports)
          : this.#instantiate(module, imports, control);
      return this.start(instance, entrypoint);
    } catch (error) {
      if (this.#guard.exit !== undefined) return this.#guard.exit;
      return error instanceof WebAssembly.RuntimeError
        ? this.#failure(error)
        : errorExit('StartError', messageOf(error));
    }
  }

  /** Of a rewritten module. Ends the guest where it needs more than there is. */
  #instantiate(
    module: WebAssembly.Module,
    imports: WebAssembly.Imports,
    control: WebAssembly.Memory,
  ): WebAssembly.Instance {
    const grow = (kind: number, delta: bigint): number => this.#account.grow(kind, delta);
    const injected = { control, yield: this.#guard.yield, grow };
    const made = instantiate(module, imports, { injected, memoryBytes: this.#account.room });
    if ('tooSmall' in made) return this.#guard.leave(tooSmallExit(made.tooSmall.neededBytes, this.#account.limit ?? 0));
    if ('exhausted' in made) return this.#guard.leave(errorExit('StartError', NO_ROOM));
    this.#account.attach(made.memories, made.initialBytes);
    this.#startFunction = made.start;
    return made.instance;
  }

  kill(exit: Exit): void {
    this.#guard.end(exit);
  }

  signal(name: Signal): SignalOutcome {
    return this.#posix?.signal(name) ?? 'default';
  }

  limitMemory(bytes: number | undefined): boolean {
    return this.#options.control !== undefined && this.#account.resize(bytes);
  }

  stats(): WasiStats {
    return {
      descriptors: this.#table.size,
      memoryBytes: this.#account.bytes,
      cpuNanos: Math.round(this.#guard.cpuNanos),
      waiting: this.#guard.waiting,
      bytesWritten: this.#bytesWritten,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#guard.end(signalExit('SIGKILL'));
    this.#task.end();
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
    const initialize =
      entrypoint === '_start' || entrypoint === '_initialize' ? undefined : instance.exports['_initialize'];
    for (const first of [this.#startFunction, initialize]) {
      if (typeof first === 'function') await this.#enter(first);
    }
    return this.#enter(entry, args);
  }

  #enter(entry: WebAssembly.ExportValue, args: readonly unknown[] = []): Promise<unknown> {
    const call = WebAssembly.promising(entry);
    return this.#guard.enter(() => call(...args));
  }

  /** Now and then: it looks at every descriptor. What a wait can add is bounded. */
  #lookAtMemory(): void {
    if (this.#options.control !== undefined && this.#guard.waits % WAITS_A_LOOK === 0) this.#account.check();
  }

  #failure(error: unknown): Exit {
    return trapExit(error, { outOfMemory: this.#outOfMemory(error), limit: this.#account.limit });
  }

  /** Whether the guest gave up because it got no more memory: it trapped in the turn in which growth was refused. */
  #outOfMemory(error: unknown): boolean {
    if (this.#options.control === undefined) return nearItsLimit(error, this.#account);
    const { waits, cpuNanos } = this.#refused ?? { waits: -1, cpuNanos: 0 };
    return waits === this.#guard.waits && this.#guard.cpuNanos - cpuNanos <= GIVES_UP_NANOS;
  }
}
