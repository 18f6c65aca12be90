/** What the functions of preview 1 work on, and how they read their arguments from guest memory. */
import { MOST_VECTORS, putVector } from '#kit/os';
import type { WasiLimits } from '../contract.ts';
import type { WasiClock } from '../core/clocks.ts';
import type { Buffers } from '../core/descriptor.ts';
import { fail } from '../core/errno.ts';
import { type Maybe, then } from '../core/maybe.ts';
import type { GuestMemory } from '../core/memory.ts';
import type { DescriptorTable } from '../core/table.ts';
import type { Layout } from './layout.ts';

export interface P1Context {
  readonly memory: GuestMemory;
  readonly table: DescriptorTable;
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  readonly clock: WasiClock;
  readonly random: (bytes: Uint8Array) => void;
  readonly limits: WasiLimits;
  /** Aborted when the guest is over. */
  readonly ended: AbortSignal;
  /** Ends the guest with a code; does not return. */
  readonly exit: (code: number) => never;
  /** Ends the guest as a trap does; does not return. */
  readonly trap: (message: string) => never;
  /** Functions beyond WASI's that the guest was granted. */
  readonly extension?: Extension | undefined;
}

/** Adds functions to a module's, or puts others in their place. */
export interface Extension {
  functions(module: string, given: P1Functions, context: P1Context): P1Functions;
}

/** A function of WASI as written here: it answers nothing (success), a wait, or throws a `WasiErrno`. */
// biome-ignore lint/suspicious/noExplicitAny: each function has its own parameters; the guest's imports are checked by the engine
export type P1Function = (...args: any[]) => void | Promise<void>;

export type P1Functions = Readonly<Record<string, P1Function>>;

export type P1Group = (context: P1Context, layout: Layout) => P1Functions;

const decoder = new TextDecoder('utf-8', { fatal: true });
const PATH_MAX = 4096;
/** Up to here a path is looked at byte by byte, which is quicker than the decoder where all is ASCII. */
const SHORT_PATH = 256;

/** A path in guest memory; EILSEQ where it is not UTF-8. */
export function readPath({ memory }: P1Context, pointer: number, length: number): string {
  const size = length >>> 0;
  if (size <= SHORT_PATH) {
    const text = memory.ascii(pointer, size);
    if (text !== undefined) return text;
  }
  const bytes = memory.bytes(pointer, size);
  if (size > PATH_MAX) throw fail('NAMETOOLONG');
  try {
    // A copy, because shared memory cannot be decoded in place.
    return decoder.decode(bytes.slice());
  } catch {
    throw fail('ILSEQ');
  }
}

/**
 * As `readBuffers`, for a system call: puts the buffers by `putVector` and answers how many there are. More than a call takes are left
 * out, as the kernel's short counts allow.
 */
export function putBuffers({ memory, limits }: P1Context, pointer: number, count: number): number {
  const number = count >>> 0;
  if (number > limits.buffers) throw fail('INVAL');
  let room = limits.transferBytes;
  // As most programs call.
  if (number === 1) return memory.putOnly(pointer, room);
  let put = 0;
  for (let index = 0; index < number; index++) {
    const at = (pointer >>> 0) + index * 8;
    const length = memory.u32(at + 4);
    const address = memory.address(memory.u32(at), length);
    if (length === 0 || room === 0 || put === MOST_VECTORS) continue;
    const part = length < room ? length : room;
    putVector(put++, address, part);
    room -= part;
  }
  return put;
}

/** The buffers of a scatter or gather call, together at most `transferBytes` long; empty ones are left out. */
export function readBuffers({ memory, limits }: P1Context, pointer: number, count: number): Buffers {
  const number = count >>> 0;
  if (number > limits.buffers) throw fail('INVAL');
  const buffers: Uint8Array<ArrayBuffer>[] = [];
  let room = limits.transferBytes;
  for (let index = 0; index < number; index++) {
    const at = (pointer >>> 0) + index * 8;
    const bytes = memory.bytes(memory.u32(at), memory.u32(at + 4));
    if (bytes.byteLength === 0 || room === 0) continue;
    buffers.push(bytes.subarray(0, room));
    room -= Math.min(room, bytes.byteLength);
  }
  return buffers;
}

/** Flags with a bit that WASI does not know are refused. */
export function knownFlags(flags: number, known: number): number {
  if ((flags & ~known) !== 0) throw fail('INVAL');
  return flags;
}

/** Lets `next` see a result, now or after the wait. */
export function after<T>(result: Maybe<T>, next: (value: T) => void): Maybe<void> {
  return then(result, next);
}

export function unsigned(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
