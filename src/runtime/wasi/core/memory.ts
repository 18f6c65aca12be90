/**
 * The guest's linear memory as the host sees it. Every pointer comes from the guest: each access is checked, and one that is
 * out of bounds fails with EFAULT. Growing replaces the buffer, so no view is kept across calls or waits.
 */
import { addressOf, putVector } from '#kit/os';
import { fail } from './errno.ts';

export class GuestMemory {
  #memory: WebAssembly.Memory | undefined;
  #buffer: ArrayBufferLike = new ArrayBuffer(0);
  #view = new DataView(this.#buffer);
  /** Its length says whether the buffer is still the memory's: growing takes the old one away. */
  #all = Buffer.from(this.#buffer as ArrayBuffer);
  /** Where the buffer is in this process; 0 until somebody asks. */
  #base = 0;

  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  get byteLength(): number {
    return this.#memory?.buffer.byteLength ?? 0;
  }

  /** A view of `length` bytes; good until the next wait. */
  bytes(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    const start = pointer >>> 0;
    const size = length >>> 0;
    const view = this.#at(start, size);
    return new Uint8Array(view.buffer as ArrayBuffer, start, size);
  }

  /** Where bytes of the guest are in this process, for system calls; good until the next wait. */
  address(pointer: number, length: number): number {
    this.#at(pointer, length);
    if (this.#base === 0) this.#base = addressOf(this.#buffer as ArrayBuffer);
    return this.#base + pointer;
  }

  /** Puts the one buffer of which `pointer` says where it is, `most` bytes of it, for a system call; 0 where it is empty, else 1. */
  putOnly(pointer: number, most: number): number {
    const at = pointer >>> 0;
    const view = this.#at(at, 8);
    const start = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (start + length > this.#all.length) this.#renew(start + length);
    if (this.#base === 0) this.#base = addressOf(this.#buffer as ArrayBuffer);
    if (length === 0) return 0;
    putVector(0, this.#base + start, length < most ? length : most);
    return 1;
  }

  /** Text that is ASCII; undefined where it is not. */
  ascii(pointer: number, length: number): string | undefined {
    const start = pointer >>> 0;
    const end = start + (length >>> 0);
    this.#at(start, length >>> 0);
    for (let at = start; at < end; at++) if ((this.#all[at] ?? 0) >= 0x80) return undefined;
    return this.#all.toString('latin1', start, end);
  }

  u8(pointer: number): number {
    return this.#at(pointer >>> 0, 1).getUint8(pointer >>> 0);
  }

  u16(pointer: number): number {
    return this.#at(pointer >>> 0, 2).getUint16(pointer >>> 0, true);
  }

  u32(pointer: number): number {
    return this.#at(pointer >>> 0, 4).getUint32(pointer >>> 0, true);
  }

  u64(pointer: number): bigint {
    return this.#at(pointer >>> 0, 8).getBigUint64(pointer >>> 0, true);
  }

  setU8(pointer: number, value: number): void {
    this.#at(pointer >>> 0, 1).setUint8(pointer >>> 0, value);
  }

  setU16(pointer: number, value: number): void {
    this.#at(pointer >>> 0, 2).setUint16(pointer >>> 0, value, true);
  }

  setU32(pointer: number, value: number): void {
    this.#at(pointer >>> 0, 4).setUint32(pointer >>> 0, value, true);
  }

  setU64(pointer: number, value: bigint): void {
    this.#at(pointer >>> 0, 8).setBigUint64(pointer >>> 0, value, true);
  }

  #at(start: number, size: number): DataView {
    const { length } = this.#all;
    if (start + size > length || length === 0) this.#renew(start + size);
    return this.#view;
  }

  /** Looks at the memory itself: asking it for its buffer costs more than all else here. */
  #renew(end: number): void {
    if (this.#memory !== undefined && this.#buffer !== this.#memory.buffer) {
      this.#buffer = this.#memory.buffer;
      this.#view = new DataView(this.#buffer);
      this.#all = Buffer.from(this.#buffer as ArrayBuffer);
      this.#base = 0;
    }
    if (end > this.#all.length) throw fail('FAULT');
  }
}
