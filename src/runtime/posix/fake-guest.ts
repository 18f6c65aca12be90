/** A guest made of nothing but memory that has the grant, for tests: it calls the extension and preview 1 with pointers, as a guest would. */
import type { Exit } from '../contract.ts';
import type { WasiOptions } from '../wasi/contract.ts';
import { ERRNO, type ErrnoName, errnoOfNodeError, WasiErrno } from '../wasi/core/errno.ts';
import { GuestMemory } from '../wasi/core/memory.ts';
import { DescriptorTable } from '../wasi/core/table.ts';
import { wasiModule } from '../wasi/imports.ts';
import type { P1Context, P1Functions } from '../wasi/p1/context.ts';
import { contextOf, fillTable, limitsOf } from '../wasi/world.ts';
import type { PosixFacts, PosixOptions } from './contract.ts';
import { Posix } from './posix.ts';
import { POSIX_MODULE } from './table.ts';

/** Thrown where the guest ends. */
export class Ended extends Error {
  readonly exit: Exit;

  constructor(exit: Exit) {
    super(`the guest ended with ${exit.code}`);
    this.exit = exit;
  }
}

export const IDENTITY: PosixOptions = { uid: 1000, gid: 100, groups: [100, 2000], hostname: 'pod-a', cpuMillis: 1500 };

export class FakePosixGuest implements AsyncDisposable {
  /** Names of the extension's functions that any guest of this process called. */
  static readonly called = new Set<string>();
  readonly memory = new GuestMemory();
  readonly table: DescriptorTable;
  readonly posix: Posix;
  readonly #ended = new AbortController();
  readonly #context: P1Context;
  readonly #functions: P1Functions;
  #next = 1024;

  private constructor(options: WasiOptions, posix: Posix) {
    this.memory.attach(new WebAssembly.Memory({ initial: 4 }));
    this.posix = posix;
    this.table = new DescriptorTable(limitsOf(options).descriptors);
    const end = (code: number | string): never => {
      throw new Ended({ code: Number(code), reason: 'Error' });
    };
    const { memory, table } = this;
    this.#context = posix.context(
      contextOf(options, { memory, table, ended: this.#ended.signal, exit: end, trap: end }),
    );
    this.#functions = {
      ...wasiModule('wasi_snapshot_preview1', this.#context),
      ...wasiModule(POSIX_MODULE, this.#context),
    };
  }

  static async make(
    options: WasiOptions = {},
    { identity = IDENTITY, facts = {} }: { identity?: PosixOptions; facts?: Partial<PosixFacts> } = {},
  ): Promise<FakePosixGuest> {
    const all = { memoryBytes: 262_144, memoryLimit: options.limits?.memoryBytes, cpuNanos: 2e9, threads: 1, ...facts };
    const leave = (exit: Exit): never => {
      throw new Ended(exit);
    };
    const guest = new FakePosixGuest(options, new Posix(identity, { facts: () => all, leave }));
    await fillTable(guest.table, options, () => {});
    for (const directory of guest.posix.directories(guest.#context)) guest.table.add(directory);
    return guest;
  }

  namesOf(module: string): string[] {
    return Object.keys(wasiModule(module, this.#context));
  }

  /** The errno's name, after the wait if the function waits. */
  async call(name: string, ...args: readonly (number | bigint)[]): Promise<ErrnoName | string> {
    FakePosixGuest.called.add(name);
    const fn = this.#functions[name];
    if (fn === undefined) throw new Error(`there is no ${name}`);
    try {
      await fn(...args);
      return 'SUCCESS';
    } catch (error) {
      const errno = error instanceof WasiErrno ? error.errno : errnoOfNodeError(error);
      if (errno === undefined) throw error;
      return Object.entries(ERRNO).find(([, number]) => number === errno)?.[0] ?? String(errno);
    }
  }

  /** Fresh, zeroed memory. */
  space(bytes: number): number {
    const pointer = this.#next;
    this.#next += (bytes + 7) & ~7;
    this.memory.bytes(pointer, bytes).fill(0);
    return pointer;
  }

  bytes(content: string): readonly [pointer: number, length: number] {
    const data = Buffer.from(content);
    const pointer = this.space(data.byteLength);
    this.memory.bytes(pointer, data.byteLength).set(data);
    return [pointer, data.byteLength];
  }

  words(pointer: number, count: number): number[] {
    return Array.from({ length: count }, (_, at) => this.memory.u32(pointer + at * 4));
  }

  /** The number of the directory that was preopened so. */
  preopened(name: string): number {
    for (const [fd, entry] of this.table.entries()) if ((entry as { preopen?: string }).preopen === name) return fd;
    throw new Error(`there is no ${name}`);
  }

  /** A whole file's text by preview 1, or the errno's name. */
  async read(directory: number, path: string): Promise<string> {
    const result = this.space(8);
    const errno = await this.call('path_open', directory, 1, ...this.bytes(path), 0, 2n, 0n, 0, result);
    if (errno !== 'SUCCESS') return errno;
    const fd = this.memory.u32(result);
    const buffer = this.space(16_384);
    const list = this.space(8);
    this.memory.setU32(list, buffer);
    this.memory.setU32(list + 4, 16_384);
    await this.call('fd_read', fd, list, 1, result);
    await this.call('fd_close', fd);
    return Buffer.from(this.memory.bytes(buffer, this.memory.u32(result))).toString('utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.table.closeAll();
  }
}
