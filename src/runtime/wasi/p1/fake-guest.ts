/**
 * A guest made of nothing but memory, for tests: it calls the functions of preview 1 directly, with pointers as a guest would.
 * `call` answers the errno, so a test reads like the C that it stands for.
 */
import type { WasiOptions } from '../contract.ts';
import { errnoOfNodeError, WasiErrno } from '../core/errno.ts';
import { GuestMemory } from '../core/memory.ts';
import { DescriptorTable } from '../core/table.ts';
import { contextOf, fillTable, limitsOf } from '../world.ts';
import { p1Functions } from './functions.ts';
import { type Layout, PREVIEW1 } from './layout.ts';

/** Thrown by `proc_exit` and `proc_raise`, which do not return to a guest. */
export class GuestEnded extends Error {
  readonly code: number | string;

  constructor(code: number | string) {
    super(`the guest ended with ${code}`);
    this.code = code;
  }
}

export class FakeGuest implements AsyncDisposable {
  readonly memory = new GuestMemory();
  readonly table: DescriptorTable;
  readonly #functions: ReturnType<typeof p1Functions>;
  readonly #ended = new AbortController();
  readonly #filled: Promise<void>;
  #next = 1024;

  constructor(options: WasiOptions = {}, layout: Layout = PREVIEW1) {
    this.memory.attach(new WebAssembly.Memory({ initial: 4 }));
    this.table = new DescriptorTable(limitsOf(options).descriptors);
    this.#filled = fillTable(this.table, options, () => {});
    this.#filled.catch(() => {});
    const end = (code: number | string): never => {
      throw new GuestEnded(code);
    };
    const context = contextOf(options, {
      memory: this.memory,
      table: this.table,
      ended: this.#ended.signal,
      exit: end,
      trap: end,
    });
    this.#functions = p1Functions(context, layout);
  }

  get functionNames(): string[] {
    return Object.keys(this.#functions);
  }

  /** The errno, after the wait if the function waits. */
  async call(name: string, ...args: readonly (number | bigint)[]): Promise<number> {
    await this.#filled;
    try {
      await this.#functions[name]?.(...args);
      return 0;
    } catch (error) {
      if (error instanceof WasiErrno) return error.errno;
      const errno = errnoOfNodeError(error);
      if (errno === undefined) throw error;
      return errno;
    }
  }

  /** Fresh, zeroed memory. */
  space(bytes: number): number {
    const pointer = this.#next;
    this.#next += (bytes + 7) & ~7;
    this.memory.bytes(pointer, bytes).fill(0);
    return pointer;
  }

  bytes(content: string | Uint8Array): readonly [pointer: number, length: number] {
    const data = Buffer.from(content as string);
    const pointer = this.space(data.byteLength);
    this.memory.bytes(pointer, data.byteLength).set(data);
    return [pointer, data.byteLength];
  }

  /** A list of buffers with these contents, or of this many bytes each: pointer and count. */
  buffers(...contents: readonly (string | number)[]): readonly [pointer: number, count: number] {
    const list = this.space(contents.length * 8);
    for (const [index, content] of contents.entries()) {
      const [pointer, length] = typeof content === 'number' ? [this.space(content), content] : this.bytes(content);
      this.memory.setU32(list + index * 8, pointer);
      this.memory.setU32(list + index * 8 + 4, length);
    }
    return [list, contents.length];
  }

  /** What stands in the buffers of a list, as text without the zeros behind. */
  textOf([list, count]: readonly [number, number]): string {
    const parts = Array.from({ length: count }, (_, index) =>
      Buffer.from(this.memory.bytes(this.memory.u32(list + index * 8), this.memory.u32(list + index * 8 + 4))),
    );
    return Buffer.concat(parts).toString('utf8').replace(/\0+$/, '');
  }

  text(pointer: number, length: number): string {
    return Buffer.from(this.memory.bytes(pointer, length)).toString('utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#filled.catch(() => {});
    await this.table.closeAll();
  }
}
