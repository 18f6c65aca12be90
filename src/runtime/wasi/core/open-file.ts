/**
 * A file that a guest opened: its own position, bytes moved by the kernel straight between the file and guest memory. On a file
 * system of this machine that happens in place, as on any system; what has to come from a disk, what can take long (fsync), and all
 * calls on other file systems leave the thread.
 */
import { fdatasync, fsync, readv, readvSync, writevSync } from 'node:fs';
import { constants } from 'node:os';
import { type FileStatus, OPEN, type Result, readVectorsNow, setOpenFlags, word, writeVectorsNow } from '#kit/os';
import {
  ALL_RIGHTS,
  type Buffers,
  Descriptor,
  FDFLAGS,
  type FdStat,
  FILETYPE,
  gather,
  type HostFile,
  lengthOf,
  type Readiness,
  RIGHTS,
  type Whence,
} from './descriptor.ts';
import { check, ERRNO, errnoFromLinux, errnoOfNodeError, fail } from './errno.ts';
import type { Handle } from './handle.ts';
import { type Maybe, then } from './maybe.ts';
import type { DeviceNumbers, FileStat, Times } from './stat.ts';

/** Looked up once: Node's table of errors is a dictionary. */
const CANNOT_TELL = -constants.errno.EOPNOTSUPP;

export interface OpenFileOptions {
  readonly handle: Handle;
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
  readonly #handle: Handle;
  readonly #fd: number;
  /** The descriptor as quick calls take it. */
  readonly #word: bigint;
  /** Regular, and on a file system of this machine: `readHere` and `writeHere` may be tried. */
  readonly here: boolean;
  readonly #readable: boolean;
  readonly #writable: boolean;
  #flags: number;
  #position = 0;
  #cachedReads = true;

  constructor(file: OpenFileOptions) {
    super();
    this.#file = file;
    this.#handle = file.handle;
    this.#fd = file.handle.fd;
    this.#word = word(file.handle.fd);
    this.#readable = file.readable;
    this.#writable = file.writable;
    this.#flags = file.flags;
    this.here = file.filetype === FILETYPE.REGULAR_FILE && file.handle.local;
  }

  override get host(): HostFile {
    return { handle: this.#handle, readOnly: this.#file.readOnly };
  }

  override close(): Maybe<void> {
    const closed = this.#handle.close();
    return closed === undefined ? undefined : closed.then((result) => void check(result));
  }

  fdstat(): FdStat {
    let rights = ALL_RIGHTS;
    if (!this.#readable) rights &= ~(RIGHTS.FD_READ | RIGHTS.FD_READDIR);
    if (!this.#writable) rights &= ~RIGHTS.FD_WRITE;
    return { filetype: this.#file.filetype, flags: this.#flags, rights, inheriting: rights };
  }

  filestat(): Maybe<FileStat> {
    return then(this.#handle.call('statusOf', this.#fd), (status) =>
      this.#file.devices.statOf(check(status) as FileStatus),
    );
  }

  override setFlags(flags: number): void {
    if ((flags & (FDFLAGS.DSYNC | FDFLAGS.SYNC | FDFLAGS.RSYNC)) !== 0) throw fail('INVAL');
    const append = (flags & FDFLAGS.APPEND) !== 0 ? OPEN.APPEND : 0;
    check(setOpenFlags(this.#fd, OPEN.NONBLOCK | append));
    this.#flags = (this.#flags & ~(FDFLAGS.APPEND | FDFLAGS.NONBLOCK)) | flags;
  }

  /**
   * Reads at once what the kernel has in memory into the buffers that were put by `putVector`, at the descriptor's position where
   * none is given. A negative result says that nothing happened and that `read` or `readAt` has to be asked.
   */
  readHere(vectors: number, offset?: bigint): Result {
    if (!this.#readable) throw fail('BADF');
    if (vectors === 0) return 0;
    if (!this.#cachedReads) return -1;
    const count = readVectorsNow(this.#word, vectors, offset === undefined ? word(this.#position) : near(offset));
    if (count > 0 && offset === undefined) this.#position += count;
    // A file system that cannot tell what it has in memory is asked the plain way from now on.
    if (count === CANNOT_TELL) this.#cachedReads = false;
    return count;
  }

  /** As `readHere`; a write is into the kernel's memory and never waits for others. Throws what it failed with. */
  writeHere(vectors: number, offset?: bigint): number {
    if (!this.#writable) throw fail('BADF');
    if (vectors === 0) return 0;
    const count = writeVectorsNow(this.#word, vectors, offset === undefined ? word(this.#position) : near(offset));
    if (count < 0) throw fail(errnoFromLinux(-count));
    if (offset === undefined) this.#moved(count);
    return count;
  }

  override read(buffers: Buffers): Maybe<number> {
    return then(this.#read(buffers, this.#position), (count) => {
      this.#position += count;
      return count;
    });
  }

  override readAt(buffers: Buffers, offset: bigint): Maybe<number> {
    return this.#read(buffers, safe(offset));
  }

  /** What `readHere` cannot. */
  #read(buffers: Buffers, position: number): Maybe<number> {
    if (!this.#readable) throw fail('BADF');
    if (lengthOf(buffers) === 0) return 0;
    if (!this.#handle.local) return this.#readAway(buffers, position);
    if (!this.here) return this.#moveUnseekable(readvSync, buffers, position);
    if (this.#cachedReads) return this.#readFromDisk(buffers, position);
    return readvSync(this.#fd, buffers, position);
  }

  /** In the thread pool: a disk may be slow, but it answers. */
  #readFromDisk(buffers: Buffers, position: number): Promise<number> {
    return this.#inPool<number>((answer) => readv(this.#fd, buffers, position, answer));
  }

  async #readAway(buffers: Buffers, position: number): Promise<number> {
    const at = this.#file.filetype === FILETYPE.REGULAR_FILE ? position : undefined;
    const bytes = await this.#handle.away('readAt', this.#fd, lengthOf(buffers), at);
    if (typeof bytes === 'number') throw fail(errnoFromLinux(-bytes));
    let taken = 0;
    for (const buffer of buffers) {
      const part = bytes.subarray(taken, taken + buffer.byteLength);
      buffer.set(part);
      taken += part.byteLength;
    }
    return taken;
  }

  #inPool<T = void>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      call((error, value) => (error === null ? resolve(value) : reject(error)));
    });
    return this.#handle.during(answer);
  }

  override write(buffers: Buffers): Maybe<number> {
    return then(this.writeAt(buffers, BigInt(this.#position)), (count) => then(this.#moved(count), () => count));
  }

  /** In append mode the kernel wrote at the end, wherever that was. */
  #moved(count: number): Maybe<void> {
    if ((this.#flags & FDFLAGS.APPEND) === 0) {
      this.#position += count;
      return undefined;
    }
    return then(this.filestat(), ({ size }) => {
      this.#position = Number(size);
    });
  }

  override writeAt(buffers: Buffers, offset: bigint): Maybe<number> {
    if (!this.#writable) throw fail('BADF');
    const position = safe(offset);
    if (lengthOf(buffers) === 0) return 0;
    if (this.here) return writevSync(this.#fd, buffers, position);
    if (this.#handle.local) return this.#moveUnseekable(writevSync, buffers, position);
    const at = this.#file.filetype === FILETYPE.REGULAR_FILE ? position : undefined;
    return this.#handle.away('writeAt', this.#fd, gather(buffers), at).then(check<number>);
  }

  /** A pipe or device has no position; asking for one answers ESPIPE. */
  #moveUnseekable(how: Move, buffers: Buffers, position: number): number {
    try {
      return how(this.#fd, buffers, position);
    } catch (error) {
      if (errnoOfNodeError(error) !== ERRNO.SPIPE) throw error;
      return how(this.#fd, buffers);
    }
  }

  override seek(offset: bigint, whence: Whence): Maybe<bigint> {
    if (this.#file.filetype === FILETYPE.UNKNOWN) throw fail('SPIPE');
    if (whence === 'end') return then(this.filestat(), ({ size }) => this.#seek(size + offset));
    return this.#seek(whence === 'set' ? offset : BigInt(this.#position) + offset);
  }

  #seek(next: bigint): bigint {
    if (next < 0n) throw fail('INVAL');
    this.#position = safe(next);
    return next;
  }

  override setTimes(times: Times): Maybe<void> {
    if (this.#file.readOnly) throw fail('ROFS');
    return then(this.#handle.call('setTimes', this.#fd, times), done);
  }

  setSize(size: bigint): Maybe<void> {
    if (this.#file.readOnly) throw fail('ROFS');
    if (!this.#writable) throw fail('INVAL');
    return then(this.#handle.call('truncate', this.#fd, safe(size, 'FBIG')), done);
  }

  allocate(offset: bigint, length: bigint): Maybe<void> {
    if (!this.#writable) throw fail('BADF');
    if (length === 0n) throw fail('INVAL');
    const from = BigInt(safe(offset, 'FBIG'));
    return then(this.#handle.call('reserve', this.#fd, from, BigInt(safe(length, 'FBIG'))), done);
  }

  /** `advice` counts as WASI does: normal, sequential, random, willneed, dontneed, noreuse. */
  advise(range: { offset: bigint; length: bigint }, advice: number): Maybe<void> {
    const POSIX = [0, 2, 1, 3, 4, 5];
    const posix = POSIX[advice];
    if (posix === undefined) throw fail('INVAL');
    safe(range.offset + range.length);
    return then(this.#handle.call('advise', this.#fd, range, posix), done);
  }

  /** Never on this thread: a disk takes its time. */
  async sync(kind: 'data' | 'all'): Promise<void> {
    if (!this.#handle.local) return done(await this.#handle.away('synchronise', this.#fd, kind));
    const call = kind === 'data' ? fdatasync : fsync;
    await this.#inPool((answer) => call(this.#fd, (error) => answer(error, undefined)));
  }

  /** A file never makes a reader wait; at its end it says that nothing more will come. */
  override readable(): Readiness {
    // How much there is, only the file system knows, which may not answer.
    if (!this.#handle.local) return { bytes: 65_536, hangup: false };
    const left = (this.filestat() as FileStat).size - BigInt(this.#position);
    if (left <= 0n) return { bytes: 0, hangup: this.#file.filetype === FILETYPE.REGULAR_FILE };
    return { bytes: Number(left), hangup: false };
  }

  override writable(): Readiness {
    return { bytes: 65_536, hangup: false };
  }
}

function done(result: Result): void {
  check(result);
}

type Move = (fd: number, buffers: Buffers, position?: number) => number;

/** Positions are numbers in `node:fs`, exact up to 2^53. */
function safe(offset: bigint, error: 'INVAL' | 'FBIG' = 'INVAL'): number {
  const position = Number(offset);
  if (position < 0 || position > Number.MAX_SAFE_INTEGER) throw fail(error);
  return position;
}

const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/** As `safe`, for calls that take positions as bigints. */
function near(offset: bigint): bigint {
  if (offset > MOST) throw fail('INVAL');
  return offset;
}
