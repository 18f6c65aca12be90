/**
 * What is in a file, by its descriptor: moved between the file and buffers that stay where they are during the call, and its size,
 * its space and its way to the disk. Every function answers a result of 0 or more, or the negated errno.
 */
import { addressOf, pointerTo, type QuickCalls, quickCalls, type Result, SYS, syscall, word } from './ffi.ts';

const IOV_MAX = 1024;
const RWF_NOWAIT = 0x8n;
/** Where the descriptor is. */
const NOWHERE = 0xffff_ffff_ffff_ffffn;
/** Address and length of each buffer, 64 bits each, in halves (little-endian): no bigint is made for a call. */
const vectors = new Uint32Array(new ArrayBuffer(IOV_MAX * 16));

let scratch: { readonly quick: QuickCalls; readonly vectors: bigint } | undefined;

function ready(): NonNullable<typeof scratch> {
  scratch ??= { quick: quickCalls(), vectors: pointerTo(vectors) };
  return scratch;
}

/** Says where buffer number `index` of the next read or write is. Its owner keeps it. */
export function putVector(index: number, address: number, length: number): void {
  const at = index * 4;
  vectors[at] = address >>> 0;
  vectors[at + 1] = Math.floor(address / 2 ** 32);
  vectors[at + 2] = length;
  vectors[at + 3] = 0;
}

export const MOST_VECTORS = IOV_MAX;

export interface Transfer {
  /** Buffers put by `putVector`. */
  readonly count: number;
  /** Undefined: where the descriptor is, for what has no positions. */
  readonly position: number | undefined;
}

/**
 * Reads what the kernel has at hand: -EAGAIN when it would have to wait for a disk, -EOPNOTSUPP when it cannot tell. May read less.
 * `fd` is a `word`; a position is at most 2^63 - 1.
 */
export function readVectorsNow(fd: bigint, count: number, position: bigint): Result {
  const { quick, vectors: address } = scratch ?? ready();
  if (quick.preadv2 === undefined) return moveSlowly(SYS.preadv2, fd, { count, position, flags: RWF_NOWAIT });
  return quick.preadv2(fd, address, count === 1 ? 1n : BigInt(count), position, RWF_NOWAIT);
}

export function readVectors(fd: number, { count, position }: Transfer): Result {
  return moveSlowly(SYS.preadv2, word(fd), { count, position: positionOf(position), flags: 0n });
}

/** As `readVectorsNow`, but waits until it is written, to the kernel's memory on most file systems. */
export function writeVectorsNow(fd: bigint, count: number, position: bigint): Result {
  const { quick, vectors: address } = scratch ?? ready();
  if (quick.pwritev2 === undefined) return moveSlowly(SYS.pwritev2, fd, { count, position, flags: 0n });
  return quick.pwritev2(fd, address, count === 1 ? 1n : BigInt(count), position, 0n);
}

export function writeVectors(fd: number, count: number, position: number | undefined): Result {
  return moveSlowly(SYS.pwritev2, word(fd), { count, position: positionOf(position), flags: 0n });
}

function positionOf(position: number | undefined): bigint {
  return position === undefined ? NOWHERE : BigInt(position);
}

interface Move {
  readonly count: number;
  readonly position: bigint;
  readonly flags: bigint;
}

function moveSlowly(call: number, fd: bigint, { count, position, flags }: Move): Result {
  return syscall(call, fd, ready().vectors, count, BigInt.asIntN(64, position), 0, flags);
}

/**
 * Reads what the kernel has at hand, without waiting for a disk or a network: -EAGAIN when it would have to, -EOPNOTSUPP when
 * the filesystem cannot tell. May read less than asked. The buffers stay where they are during the call.
 */
export function readCached(fd: number, buffers: readonly ArrayBufferView[], position: number): Result {
  return readVectorsNow(word(fd), putBuffers(buffers), BigInt(position));
}

function putBuffers(buffers: readonly ArrayBufferView[]): number {
  const count = Math.min(buffers.length, IOV_MAX);
  for (let index = 0; index < count; index++) {
    const { buffer, byteOffset, byteLength } = buffers[index] as ArrayBufferView<ArrayBuffer>;
    putVector(index, addressOf(buffer) + byteOffset, byteLength);
  }
  return count;
}

/** Reads at most `length` bytes into a buffer of its own; undefined reads where the descriptor is. */
export function readAt(fd: number, length: number, position: number | undefined): Uint8Array<ArrayBuffer> | Result {
  const bytes = new Uint8Array(new ArrayBuffer(length));
  const count = readVectors(fd, { count: putBuffers([bytes]), position });
  return count < 0 ? count : bytes.subarray(0, count);
}

/** Writes bytes; undefined writes where the descriptor is. */
export function writeAt(fd: number, bytes: Uint8Array, position: number | undefined): Result {
  return writeVectors(fd, putBuffers([bytes]), position);
}

/** Reserves space for a file; -EOPNOTSUPP where the filesystem cannot. */
export function reserve(fd: number, offset: bigint, length: bigint): Result {
  return syscall(SYS.fallocate, fd, 0, offset, length);
}

/** Tells the kernel how a file will be used; `advice` is POSIX_FADV_*. */
export function advise(fd: number, range: { offset: bigint; length: bigint }, advice: number): Result {
  return syscall(SYS.fadvise64, fd, range.offset, range.length, advice);
}

export function truncate(fd: number, size: number): Result {
  return syscall(SYS.ftruncate, fd, size);
}

/** Waits until the disk has it. */
export function synchronise(fd: number, kind: 'data' | 'all'): Result {
  return syscall(kind === 'data' ? SYS.fdatasync : SYS.fsync, fd);
}

/** Changes APPEND and NONBLOCK of an open file. */
export function setOpenFlags(fd: number, flags: number): Result {
  const F_SETFL = 4;
  return syscall(SYS.fcntl, fd, F_SETFL, flags);
}
