/**
 * A real guest for tests (`guests/caller`) that makes the calls it is told to: a test says the calls with their arguments, the guest makes
 * them one after the other, and the test reads the errnos and the guest's memory. Addresses are given out from the end of the calls on.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Exit } from '../../contract.ts';
import type { Wasi, WasiOptions } from '../contract.ts';
import { createWasi } from '../host.ts';
import { SIGNATURES } from './signatures.ts';

const COUNT_AT = 1024;
const CALLS_AT = 1032;
const CALL_BYTES = 96;
const ERRNO_OFFSET = 80;
const DATA_AT = 65_536;
/** Not an errno: the guest did not come so far. */
export const NOT_MADE = 0xffff;

export type Snapshot = 'preview1' | 'unstable';

/** The number that stands at an address when the call is made: of a descriptor that an earlier call opened, say. */
export interface At {
  readonly at: number;
}

export type Argument = number | bigint | At;

const modules = new Map<Snapshot, Promise<WebAssembly.Module>>();

function moduleOf(snapshot: Snapshot): Promise<WebAssembly.Module> {
  const file = snapshot === 'preview1' ? 'caller.wasm' : 'caller-unstable.wasm';
  const path = join(import.meta.dirname, '../../../../guests/caller', file);
  const module = modules.get(snapshot) ?? WebAssembly.compile(readFileSync(path));
  modules.set(snapshot, module);
  return module;
}

export class Caller {
  readonly #calls: { readonly name: string; readonly args: readonly Argument[] }[] = [];
  readonly #data: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  readonly #names: readonly string[];
  readonly #snapshot: Snapshot;
  #next = DATA_AT;
  #memory: WebAssembly.Memory | undefined;

  constructor(snapshot: Snapshot = 'preview1') {
    this.#snapshot = snapshot;
    this.#names = Object.keys(SIGNATURES).filter((name) => snapshot === 'preview1' || name !== 'sock_accept');
  }

  /** Fresh memory, zeroed. */
  space(bytes: number): number {
    const at = this.#next;
    this.#next += (bytes + 7) & ~7;
    return at;
  }

  /** Memory with this in it: address and length. */
  bytes(content: string | Uint8Array): readonly [at: number, length: number] {
    const bytes = Buffer.from(content as string);
    const at = this.space(bytes.byteLength);
    this.#data.push({ at, bytes });
    return [at, bytes.byteLength];
  }

  u32(...values: readonly number[]): number {
    return this.bytes(new Uint8Array(new Uint32Array(values).buffer))[0];
  }

  /** A list of buffers with these contents, or of this many bytes: address and count. */
  buffers(...contents: readonly (string | number)[]): readonly [at: number, count: number] {
    const pairs = contents.map((content) =>
      typeof content === 'number' ? ([this.space(content), content] as const) : this.bytes(content),
    );
    return [this.u32(...pairs.flat()), contents.length];
  }

  /** Appends a call; answers its number. */
  call(name: string, ...args: readonly Argument[]): number {
    return this.#calls.push({ name, args }) - 1;
  }

  /** Opens a path of the first preopen; answers where its number will stand. */
  open(path: string, options: { fd?: Argument; oflags?: number; rights?: bigint; fdflags?: number } = {}): At {
    const { fd = 3, oflags = 0, rights = 66n, fdflags = 0 } = options;
    const at = this.space(4);
    this.call('path_open', fd, 1, ...this.bytes(path), oflags, rights, 0n, fdflags, at);
    return { at };
  }

  /** Makes the calls. */
  async run(options: WasiOptions, during?: (wasi: Wasi) => unknown): Promise<{ errnos: number[]; exit: Exit }> {
    await using wasi = await createWasi(options);
    const module = await moduleOf(this.#snapshot);
    const instance = await WebAssembly.instantiate(module, wasi.imports(module));
    this.#memory = instance.exports['memory'] as WebAssembly.Memory;
    this.#write(new DataView(this.#memory.buffer));
    const running = wasi.start(instance);
    await during?.(wasi);
    const exit = await running;
    return { exit, errnos: this.#calls.map((_, index) => this.view.getUint32(callAt(index) + ERRNO_OFFSET, true)) };
  }

  /** The guest's memory, after `run`. */
  get view(): DataView {
    if (this.#memory === undefined) throw new Error('the guest did not run yet');
    return new DataView(this.#memory.buffer);
  }

  text(at: number, length: number): string {
    return Buffer.from(this.view.buffer, at, length).toString('utf8').replace(/\0+$/, '');
  }

  #write(view: DataView): void {
    view.setUint32(COUNT_AT, this.#calls.length, true);
    for (const { at, bytes } of this.#data) new Uint8Array(view.buffer).set(bytes, at);
    for (const [index, { name, args }] of this.#calls.entries()) {
      const at = callAt(index);
      let taken = 0;
      for (const [position, argument] of args.entries()) {
        const value = typeof argument === 'object' ? argument.at : argument;
        if (typeof argument === 'object') taken |= 1 << position;
        view.setBigInt64(at + 8 + position * 8, BigInt(value), true);
      }
      view.setUint32(at, this.#names.indexOf(name), true);
      view.setUint32(at + 4, taken, true);
      view.setUint32(at + ERRNO_OFFSET, NOT_MADE, true);
    }
  }
}

function callAt(index: number): number {
  return CALLS_AT + index * CALL_BYTES;
}
