/**
 * A file that a guest opened: its own position, bytes moved by `node:fs` straight between the file and guest memory.
 * Regular files are read and written in place, as on any system; what can take long (fsync) leaves the thread.
 */
import { closeSync, fdatasync, fsync, ftruncateSync, readv, readvSync, writevSync } from 'node:fs';
import { constants } from 'node:os';
import { advise, OPEN, readCached, reserve, setOpenFlags, setTimes, statusOf } from '#kit/os';
import {
  ALL_RIGHTS,
  type Buffers,
  Descriptor,
  FDFLAGS,
  type FdStat,
  FILETYPE,
  lengthOf,
  type Readiness,
  RIGHTS,
  type Whence,
} from './descriptor.ts';
import { check, ERRNO, errnoOfNodeError, fail } from './errno.ts';
import type { DeviceNumbers, FileStat, Times } from './stat.ts';

export interface OpenFileOptions {
  readonly fd: number;
  readonly filetype: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** The mount is read-only, whatever the descriptor may do. */
  readonly readOnly: boolean;
  /** FDFLAGS as the guest asked. */
  readonly flags: number;
  readonly devices: DeviceNumbers;
}

export class OpenFile extends Descriptor {
  readonly #file: OpenFileOptions;
  #flags: number;
  #position = 0;
  #cachedReads = true;
  #inFlight = 0;
  #closed = false;

  constructor(file: OpenFileOptions) {
    super();
    this.#file = file;
    this.#flags = file.flags;
  }

  override close(): void {
    this.#closed = true;
    if (this.#inFlight === 0) closeSync(this.#file.fd);
  }

  fdstat(): FdStat {
    let rights = ALL_RIGHTS;
    if (!this.#file.readable) rights &= ~(RIGHTS.FD_READ | RIGHTS.FD_READDIR);
    if (!this.#file.writable) rights &= ~RIGHTS.FD_WRITE;
    return { filetype: this.#file.filetype, flags: this.#flags, rights, inheriting: rights };
  }

  filestat(): FileStat {
    return this.#file.devices.statOf(check(statusOf(this.#file.fd)));
  }

  override setFlags(flags: number): void {
    if ((flags & (FDFLAGS.DSYNC | FDFLAGS.SYNC | FDFLAGS.RSYNC)) !== 0) throw fail('INVAL');
    const append = (flags & FDFLAGS.APPEND) !== 0 ? OPEN.APPEND : 0;
    check(setOpenFlags(this.#file.fd, OPEN.NONBLOCK | append));
    this.#flags = (this.#flags & ~(FDFLAGS.APPEND | FDFLAGS.NONBLOCK)) | flags;
  }

  override read(buffers: Buffers): number | Promise<number> {
    const moved = (count: number): number => {
      this.#position += count;
      return count;
    };
    const count = this.#read(buffers, this.#position);
    return typeof count === 'number' ? moved(count) : count.then(moved);
  }

  override readAt(buffers: Buffers, offset: bigint): number | Promise<number> {
    return this.#read(buffers, safe(offset));
  }

  /** From the kernel's memory at once; what has to come from a disk or a network is waited for off the thread. */
  #read(buffers: Buffers, position: number): number | Promise<number> {
    if (!this.#file.readable) throw fail('BADF');
    if (lengthOf(buffers) === 0) return 0;
    if (this.#file.filetype !== FILETYPE.REGULAR_FILE) return this.#moveUnseekable(readvSync, buffers, position);
    if (!this.#cachedReads) return readvSync(this.#file.fd, buffers, position);
    const count = readCached(this.#file.fd, buffers, position);
    if (count >= 0) return count;
    if (count === -constants.errno.EAGAIN) return this.#readSlowly(buffers, position);
    // An old or foreign filesystem. Whatever else went wrong, the plain call says it.
    this.#cachedReads = false;
    return readvSync(this.#file.fd, buffers, position);
  }

  #readSlowly(buffers: Buffers, position: number): Promise<number> {
    return this.#offThread<number>((done) => readv(this.#file.fd, buffers, position, done));
  }

  /** A call in the thread pool. The descriptor stays open until it is done: its number may be another file's after that. */
  #offThread<T = void>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
    this.#inFlight++;
    return new Promise((resolve, reject) => {
      call((error, value) => {
        this.#inFlight--;
        if (this.#closed && this.#inFlight === 0) closeSync(this.#file.fd);
        if (error === null) resolve(value);
        else reject(error);
      });
    });
  }

  override write(buffers: Buffers): number {
    const count = this.writeAt(buffers, BigInt(this.#position));
    // In append mode the kernel wrote at the end, wherever that was.
    if ((this.#flags & FDFLAGS.APPEND) !== 0) this.#position = Number(this.filestat().size);
    else this.#position += count;
    return count;
  }

  override writeAt(buffers: Buffers, offset: bigint): number {
    if (!this.#file.writable) throw fail('BADF');
    return this.#move(writevSync, buffers, safe(offset));
  }

  #move(how: Move, buffers: Buffers, position: number): number {
    if (lengthOf(buffers) === 0) return 0;
    // A pipe or device has no position; asking for one answers ESPIPE.
    if (this.#file.filetype !== FILETYPE.REGULAR_FILE) return this.#moveUnseekable(how, buffers, position);
    return how(this.#file.fd, buffers, position);
  }

  #moveUnseekable(how: Move, buffers: Buffers, position: number): number {
    try {
      return how(this.#file.fd, buffers, position);
    } catch (error) {
      if (errnoOfNodeError(error) !== ERRNO.SPIPE) throw error;
      return how(this.#file.fd, buffers);
    }
  }

  override seek(offset: bigint, whence: Whence): bigint {
    if (this.#file.filetype === FILETYPE.UNKNOWN) throw fail('SPIPE');
    const base = whence === 'set' ? 0n : whence === 'current' ? BigInt(this.#position) : this.filestat().size;
    const next = base + offset;
    if (next < 0n) throw fail('INVAL');
    this.#position = safe(next);
    return next;
  }

  override setTimes(times: Times): void {
    if (this.#file.readOnly) throw fail('ROFS');
    check(setTimes(this.#file.fd, times));
  }

  setSize(size: bigint): void {
    if (this.#file.readOnly) throw fail('ROFS');
    if (!this.#file.writable) throw fail('INVAL');
    ftruncateSync(this.#file.fd, safe(size, 'FBIG'));
  }

  allocate(offset: bigint, length: bigint): void {
    if (!this.#file.writable) throw fail('BADF');
    if (length === 0n) throw fail('INVAL');
    check(reserve(this.#file.fd, BigInt(safe(offset, 'FBIG')), BigInt(safe(length, 'FBIG'))));
  }

  /** `advice` counts as WASI does: normal, sequential, random, willneed, dontneed, noreuse. */
  advise(range: { offset: bigint; length: bigint }, advice: number): void {
    const POSIX = [0, 2, 1, 3, 4, 5];
    const posix = POSIX[advice];
    if (posix === undefined) throw fail('INVAL');
    safe(range.offset + range.length);
    check(advise(this.#file.fd, range, posix));
  }

  sync(kind: 'data' | 'all'): Promise<void> {
    const call = kind === 'data' ? fdatasync : fsync;
    return this.#offThread((done) => call(this.#file.fd, (error) => done(error, undefined)));
  }

  /** A file never makes a reader wait; at its end it says that nothing more will come. */
  override readable(): Readiness {
    const left = this.filestat().size - BigInt(this.#position);
    if (left <= 0n) return { bytes: 0, hangup: this.#file.filetype === FILETYPE.REGULAR_FILE };
    return { bytes: Number(left), hangup: false };
  }

  override writable(): Readiness {
    return { bytes: 65_536, hangup: false };
  }
}

type Move = (fd: number, buffers: Buffers, position?: number) => number;

/** Positions are numbers in `node:fs`, exact up to 2^53. */
function safe(offset: bigint, error: 'INVAL' | 'FBIG' = 'INVAL'): number {
  if (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) throw fail(error);
  return Number(offset);
}
