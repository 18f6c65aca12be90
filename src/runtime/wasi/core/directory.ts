/**
 * A directory that a guest may look beneath, and the paths in it. Each path is followed by the kernel with `openat2`
 * (never above the directory, also when somebody renames at the same time). Where a call acts on a name and not on a file,
 * the parent is opened that way first and the call gets the name alone.
 */
import { closeSync } from 'node:fs';
import {
  type FileStatus,
  linkName,
  makeDirectory,
  makeLink,
  type Name,
  OPEN,
  openBeneath,
  type Result,
  readLink,
  removeName,
  renameName,
  setTimes,
  statusOf,
} from '#kit/os';
import { Descriptor, FDFLAGS, type FdStat, FILETYPE, RIGHTS } from './descriptor.ts';
import { check, ERRNO, errnoFromLinux, fail } from './errno.ts';
import { type ListingEntry, readListing } from './listing.ts';
import { OpenFile } from './open-file.ts';
import { type DeviceNumbers, type FileStat, filetypeOf, type Times } from './stat.ts';

export interface DirectoryOptions {
  readonly fd: number;
  readonly readOnly: boolean;
  /** The guest path that it was preopened as. */
  readonly preopen?: string | undefined;
  readonly devices: DeviceNumbers;
  readonly maxEntries: number;
}

/** Bits of `$oflags`. */
export const OFLAGS = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 } as const;

export interface OpenRequest {
  readonly follow: boolean;
  readonly oflags: number;
  readonly fdflags: number;
  readonly read: boolean;
  readonly write: boolean;
}

const PREOPEN_RIGHTS =
  RIGHTS.PATH_CREATE_DIRECTORY |
  RIGHTS.PATH_CREATE_FILE |
  RIGHTS.PATH_LINK_SOURCE |
  RIGHTS.PATH_LINK_TARGET |
  RIGHTS.PATH_OPEN |
  RIGHTS.FD_READDIR |
  RIGHTS.PATH_READLINK |
  RIGHTS.PATH_RENAME_SOURCE |
  RIGHTS.PATH_RENAME_TARGET |
  RIGHTS.PATH_SYMLINK |
  RIGHTS.PATH_REMOVE_DIRECTORY |
  RIGHTS.PATH_UNLINK_FILE |
  RIGHTS.PATH_FILESTAT_GET |
  RIGHTS.PATH_FILESTAT_SET_TIMES |
  RIGHTS.FD_FILESTAT_GET |
  RIGHTS.FD_FILESTAT_SET_TIMES;

const INHERITING_RIGHTS =
  PREOPEN_RIGHTS |
  RIGHTS.FD_DATASYNC |
  RIGHTS.FD_READ |
  RIGHTS.FD_SEEK |
  RIGHTS.FD_FDSTAT_SET_FLAGS |
  RIGHTS.FD_SYNC |
  RIGHTS.FD_TELL |
  RIGHTS.FD_WRITE |
  RIGHTS.FD_ADVISE |
  RIGHTS.FD_ALLOCATE |
  RIGHTS.FD_FILESTAT_SET_SIZE |
  RIGHTS.POLL_FD_READWRITE;

export class Directory extends Descriptor {
  readonly #directory: DirectoryOptions;
  #listing: readonly ListingEntry[] | undefined;

  constructor(directory: DirectoryOptions) {
    super();
    this.#directory = directory;
  }

  get preopen(): string | undefined {
    return this.#directory.preopen;
  }

  /** A directory beneath this one, as a preopen of its own. */
  reopen(path: string, { preopen }: { preopen: string }): Directory {
    return new Directory({ ...this.#directory, preopen, fd: this.#open(path, OPEN.RDONLY | OPEN.DIRECTORY) });
  }

  override close(): void {
    closeSync(this.#directory.fd);
  }

  fdstat(): FdStat {
    return { filetype: FILETYPE.DIRECTORY, flags: 0, rights: PREOPEN_RIGHTS, inheriting: INHERITING_RIGHTS };
  }

  filestat(): FileStat {
    return this.#directory.devices.statOf(check(statusOf(this.#directory.fd)));
  }

  override setTimes(times: Times): void {
    this.#needWritable();
    check(setTimes(this.#directory.fd, times));
  }

  open(path: string, request: OpenRequest): OpenFile | Directory {
    const { readOnly, devices, maxEntries } = this.#directory;
    if ((request.oflags & OFLAGS.DIRECTORY) !== 0 && (request.oflags & OFLAGS.CREAT) !== 0) throw fail('INVAL');
    const fd = readOnly ? this.#openReadOnly(path, request) : this.#open(path, openFlags(request));
    const status = statusOf(fd);
    if (typeof status === 'number') {
      closeSync(fd);
      throw fail(errnoFromLinux(-status));
    }
    const filetype = filetypeOf(status.mode >> 12);
    if (filetype === FILETYPE.DIRECTORY) return new Directory({ fd, readOnly, devices, maxEntries });
    const writable = request.write || (request.oflags & OFLAGS.TRUNC) !== 0;
    return new OpenFile({
      fd,
      filetype,
      readable: request.read,
      writable,
      readOnly,
      flags: request.fdflags,
      devices,
    });
  }

  /** What exists opens for reading; what would be changed or made is refused as on a read-only mount. */
  #openReadOnly(path: string, request: OpenRequest): number {
    const { oflags } = request;
    const plain = { ...request, write: false, oflags: oflags & OFLAGS.DIRECTORY };
    const fd = openBeneath(this.#directory.fd, checked(path), { flags: openFlags(plain) });
    if (fd < 0) throw fail(errnoOfPath(fd) === ERRNO.NOENT && (oflags & OFLAGS.CREAT) !== 0 ? 'ROFS' : errnoOfPath(fd));
    const exists = (oflags & OFLAGS.CREAT) !== 0 && (oflags & OFLAGS.EXCL) !== 0;
    if (!exists && !request.write && (oflags & OFLAGS.TRUNC) === 0) return fd;
    closeSync(fd);
    throw fail(exists ? 'EXIST' : 'ROFS');
  }

  #open(path: string, flags: number): number {
    const mode = (flags & OPEN.CREAT) !== 0 ? 0o666 : 0;
    return checkPath(openBeneath(this.#directory.fd, checked(path), { flags, mode }));
  }

  stat(path: string, options: { follow: boolean }): FileStat {
    return this.#withPath(path, options, (fd) => this.#directory.devices.statOf(check(statusOf(fd) as FileStatus)));
  }

  setTimesAt(path: string, times: Times, options: { follow: boolean }): void {
    this.#needWritable();
    this.#withPath(path, options, (fd) => check(setTimes(fd, times)));
  }

  /** Opens what a path leads to without reading rights, for calls on the thing itself. */
  #withPath<T>(path: string, { follow }: { follow: boolean }, use: (fd: number) => T): T {
    const fd = this.#open(path, OPEN.PATH | (follow ? 0 : OPEN.NOFOLLOW));
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  }

  makeDirectory(path: string): void {
    this.#needWritable();
    this.#withName(path, ({ directory, name }) => makeDirectory(directory, name));
  }

  remove(path: string, options: { kind: 'file' | 'directory' }): void {
    this.#needWritable();
    this.#withName(path, ({ directory, name }) => removeName(directory, name, options));
  }

  rename(path: string, to: { directory: Directory; path: string }): void {
    this.#needWritable();
    to.directory.#needWritable();
    this.#withName(path, (from) => to.directory.#withName(to.path, (next) => renameName(from, next)));
  }

  link(path: string, to: { directory: Directory; path: string }): void {
    this.#needWritable();
    to.directory.#needWritable();
    this.#refuseSlash(path);
    this.#withName(path, (from) => to.directory.#withName(to.path, (next) => linkName(from, next)));
  }

  /** The target is text and may lead nowhere; it is checked whenever it is followed. Absolute ones never could be. */
  symlink(target: string, path: string): void {
    this.#needWritable();
    if (target.startsWith('/')) throw fail('PERM');
    if (target.includes('\0')) throw fail('INVAL');
    this.#withName(path, (to) => makeLink(target, to));
  }

  readLink(path: string): Uint8Array {
    this.#refuseSlash(path, 'INVAL');
    let text: Uint8Array = new Uint8Array();
    this.#withName(path, ({ directory, name }) => {
      const result = readLink(directory, name);
      if (typeof result === 'number') return result;
      text = result;
      return 0;
    });
    return text;
  }

  /** Entries from the cookie on. The listing is taken anew at cookie 0, and stays as it was for the later ones. */
  async list(cookie: bigint): Promise<readonly ListingEntry[]> {
    if (cookie === 0n || this.#listing === undefined) {
      this.#listing = await readListing(this.#directory.fd, { maxEntries: this.#directory.maxEntries });
    }
    return cookie >= BigInt(this.#listing.length) ? [] : this.#listing.slice(Number(cookie));
  }

  /** A trailing slash makes the kernel follow a last link, wherever it leads: such a path names a directory or nothing. */
  #refuseSlash(path: string, error: 'PERM' | 'INVAL' = 'PERM'): void {
    if (!path.endsWith('/')) return;
    this.#withPath(path, { follow: true }, () => {
      throw fail(error);
    });
  }

  #withName(path: string, use: (name: Name) => Result): Result {
    const { parent, name } = split(checked(path));
    if (name === '..' || name === '../') this.#withPath(path, { follow: true }, () => 0);
    if (parent === '') {
      return check(use({ directory: this.#directory.fd, name }));
    }
    const directory = this.#open(parent, OPEN.PATH | OPEN.DIRECTORY);
    try {
      return check(use({ directory, name }));
    } finally {
      closeSync(directory);
    }
  }

  #needWritable(): void {
    if (this.#directory.readOnly) throw fail('ROFS');
  }
}

function openFlags({ follow, oflags, fdflags, read, write }: OpenRequest): number {
  // Truncating without the right to write is still a write for the kernel.
  const writes = write || (oflags & OFLAGS.TRUNC) !== 0;
  let flags: number = writes ? (read ? OPEN.RDWR : OPEN.WRONLY) : OPEN.RDONLY;
  // NONBLOCK: opening a FIFO whose other end is missing must not hold the thread.
  flags |= OPEN.NONBLOCK | OPEN.NOCTTY;
  if (!follow) flags |= OPEN.NOFOLLOW;
  if ((oflags & OFLAGS.CREAT) !== 0) flags |= OPEN.CREAT;
  if ((oflags & OFLAGS.DIRECTORY) !== 0) flags |= OPEN.DIRECTORY;
  if ((oflags & OFLAGS.EXCL) !== 0) flags |= OPEN.EXCL;
  if ((oflags & OFLAGS.TRUNC) !== 0) flags |= OPEN.TRUNC;
  if ((fdflags & FDFLAGS.APPEND) !== 0) flags |= OPEN.APPEND;
  if ((fdflags & FDFLAGS.DSYNC) !== 0) flags |= OPEN.DSYNC;
  if ((fdflags & (FDFLAGS.SYNC | FDFLAGS.RSYNC)) !== 0) flags |= OPEN.SYNC;
  return flags;
}

function checked(path: string): string {
  if (path === '') throw fail('NOENT');
  if (path.includes('\0')) throw fail('INVAL');
  if (path.startsWith('/')) throw fail('PERM');
  return path;
}

/** Parent and last name; slashes behind the name stay with it, where the kernel knows what they mean. */
function split(path: string): { parent: string; name: string } {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end--;
  const start = path.lastIndexOf('/', end - 1) + 1;
  return { parent: path.slice(0, start), name: path.slice(start, end) + (end < path.length ? '/' : '') };
}

/** The kernel's answer for a path that leaves the directory is EXDEV; programs know it as EPERM. */
function errnoOfPath(result: number): number {
  const errno = errnoFromLinux(-result);
  return errno === ERRNO.XDEV ? ERRNO.PERM : errno;
}

function checkPath(result: Result): number {
  if (result < 0) throw fail(errnoOfPath(result));
  return result;
}
