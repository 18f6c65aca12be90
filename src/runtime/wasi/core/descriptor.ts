/**
 * What a guest's number stands for. Each kind (file, directory, stream, listener, connection) implements what it can;
 * the rest fails as wasmtime's preview 1 does: EBADF for a wrong kind, ENOTDIR, ENOTSOCK and ESPIPE where programs test for them.
 */
import { fail } from './errno.ts';
import type { Handle } from './handle.ts';
import type { Maybe } from './maybe.ts';
import type { FileStat, Times } from './stat.ts';

export const FILETYPE = {
  UNKNOWN: 0,
  BLOCK_DEVICE: 1,
  CHARACTER_DEVICE: 2,
  DIRECTORY: 3,
  REGULAR_FILE: 4,
  SOCKET_DGRAM: 5,
  SOCKET_STREAM: 6,
  SYMBOLIC_LINK: 7,
} as const;

export const FDFLAGS = { APPEND: 1, DSYNC: 2, NONBLOCK: 4, RSYNC: 8, SYNC: 16 } as const;

/** Bits of `$rights`. They are told, not enforced: what a descriptor may do follows from how it was opened. */
export const RIGHTS = {
  FD_DATASYNC: 1n << 0n,
  FD_READ: 1n << 1n,
  FD_SEEK: 1n << 2n,
  FD_FDSTAT_SET_FLAGS: 1n << 3n,
  FD_SYNC: 1n << 4n,
  FD_TELL: 1n << 5n,
  FD_WRITE: 1n << 6n,
  FD_ADVISE: 1n << 7n,
  FD_ALLOCATE: 1n << 8n,
  PATH_CREATE_DIRECTORY: 1n << 9n,
  PATH_CREATE_FILE: 1n << 10n,
  PATH_LINK_SOURCE: 1n << 11n,
  PATH_LINK_TARGET: 1n << 12n,
  PATH_OPEN: 1n << 13n,
  FD_READDIR: 1n << 14n,
  PATH_READLINK: 1n << 15n,
  PATH_RENAME_SOURCE: 1n << 16n,
  PATH_RENAME_TARGET: 1n << 17n,
  PATH_FILESTAT_GET: 1n << 18n,
  PATH_FILESTAT_SET_SIZE: 1n << 19n,
  PATH_FILESTAT_SET_TIMES: 1n << 20n,
  FD_FILESTAT_GET: 1n << 21n,
  FD_FILESTAT_SET_SIZE: 1n << 22n,
  FD_FILESTAT_SET_TIMES: 1n << 23n,
  PATH_SYMLINK: 1n << 24n,
  PATH_REMOVE_DIRECTORY: 1n << 25n,
  PATH_UNLINK_FILE: 1n << 26n,
  POLL_FD_READWRITE: 1n << 27n,
  SOCK_SHUTDOWN: 1n << 28n,
  SOCK_ACCEPT: 1n << 29n,
} as const;

export const ALL_RIGHTS = (1n << 30n) - 1n;

export interface FdStat {
  readonly filetype: number;
  readonly flags: number;
  readonly rights: bigint;
  readonly inheriting: bigint;
}

/** What `poll_oneoff` says of a descriptor that is ready: bytes at hand, and whether the other side is gone. */
export interface Readiness {
  readonly bytes: number;
  readonly hangup: boolean;
}

export type Buffers = readonly Uint8Array<ArrayBuffer>[];

export interface WaitOptions {
  readonly signal: AbortSignal;
}

/** What of the host's stands behind a descriptor, for calls beyond WASI's. */
export interface HostFile {
  readonly handle: Handle;
  readonly readOnly: boolean;
}

export abstract class Descriptor {
  /** Undefined for what is no file of the host's. */
  get host(): HostFile | undefined {
    return undefined;
  }

  abstract fdstat(): FdStat;
  abstract filestat(): Maybe<FileStat>;

  /** Bytes that this process holds behind it for the guest: buffers, listings. */
  get heldBytes(): number {
    return 0;
  }

  close(): Maybe<void> {}

  setFlags(_flags: number): void {
    throw fail('BADF');
  }

  /** Reads into the buffers at the descriptor's position; 0 is the end. */
  read(_buffers: Buffers): Maybe<number> {
    throw fail('BADF');
  }

  write(_buffers: Buffers): Maybe<number> {
    throw fail('BADF');
  }

  readAt(_buffers: Buffers, _offset: bigint): Maybe<number> {
    throw fail('BADF');
  }

  writeAt(_buffers: Buffers, _offset: bigint): Maybe<number> {
    throw fail('BADF');
  }

  seek(_offset: bigint, _whence: Whence): Maybe<bigint> {
    throw fail('BADF');
  }

  setTimes(_times: Times): Maybe<void> {
    throw fail('BADF');
  }

  /** Ready now, or undefined: then `waitReadable` resolves when it may have become so. */
  readable(): Readiness | undefined {
    throw fail('BADF');
  }

  writable(): Readiness | undefined {
    throw fail('BADF');
  }

  async waitReadable(_options: WaitOptions): Promise<void> {
    throw fail('BADF');
  }

  async waitWritable(_options: WaitOptions): Promise<void> {
    throw fail('BADF');
  }
}

export type Whence = 'set' | 'current' | 'end';

/** Status of what is no file: everything zero but the type. */
export function emptyStat(filetype: number): FileStat {
  return { device: 0n, inode: 0n, filetype, links: 0n, size: 0n, accessed: 0n, modified: 0n, changed: 0n };
}

/** Total length of the buffers. */
export function lengthOf(buffers: Buffers): number {
  let total = 0;
  for (const buffer of buffers) total += buffer.byteLength;
  return total;
}

/** One copy of all buffers, which the guest can no longer change. */
export function gather(buffers: Buffers): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(lengthOf(buffers));
  let at = 0;
  for (const buffer of buffers) {
    copy.set(buffer, at);
    at += buffer.byteLength;
  }
  return copy;
}
