/**
 * A directory that a guest may look beneath, and the paths in it. Each path is followed by the kernel with `openat2`
 * (never above the directory, also when somebody renames at the same time). Where a call acts on a name and not on a file,
 * the parent is opened that way first and the call gets the name alone.
 */
import { constants } from 'node:os';
import { CROSSES, closeDescriptor, type FileStatus, modeOf, OPEN, type PathOfName, type Result } from '#kit/os';
import { BLOCKING, type Blocking } from './blocking.ts';
import { Descriptor, FDFLAGS, type FdStat, FILETYPE, type HostFile, RIGHTS } from './descriptor.ts';
import { check, fail } from './errno.ts';
import { Handle, passed, pathError } from './handle.ts';
import { bytesOf, type ListingEntry, listingOf, readNamesInParts } from './listing.ts';
import { type Maybe, then } from './maybe.ts';
import { OpenFile } from './open-file.ts';
import { type DeviceNumbers, type FileStat, filetypeOf, type Times } from './stat.ts';

export interface DirectoryOptions {
  readonly handle: Handle;
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

/** Calls that follow a path, and calls on its last name. */
type PathCall = 'openAt' | 'openAndLook' | 'statusAt' | 'setTimesAt' | 'existsAt';
type NameCall = 'makeDirectoryAt' | 'removeAt' | 'makeLinkAt' | 'readLinkAt';
type Rest<Name extends keyof Blocking> = Parameters<Blocking[Name]> extends [unknown, ...infer Others] ? Others : never;

export class Directory extends Descriptor {
  readonly #directory: DirectoryOptions;
  readonly #handle: Handle;
  #listing: readonly ListingEntry[] | undefined;
  #heldBytes = 0;

  constructor(directory: DirectoryOptions) {
    super();
    this.#directory = directory;
    this.#handle = directory.handle;
  }

  override get host(): HostFile | undefined {
    return { handle: this.#handle, readOnly: this.readOnly };
  }

  get readOnly(): boolean {
    return this.#directory.readOnly;
  }

  get preopen(): string | undefined {
    return this.#directory.preopen;
  }

  override get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A directory beneath this one, as a preopen of its own. */
  async reopen(path: string, { preopen }: { preopen: string }): Promise<Directory> {
    const request = { follow: true, oflags: OFLAGS.DIRECTORY, fdflags: 0, read: true, write: false };
    const { handle } = succeeded(await this.#tryOpen(path, openFlags(request)));
    return new Directory({ ...this.#directory, preopen, handle });
  }

  override close(): Maybe<void> {
    return then(this.#handle.close(), () => {});
  }

  fdstat(): FdStat {
    return { filetype: FILETYPE.DIRECTORY, flags: 0, rights: PREOPEN_RIGHTS, inheriting: INHERITING_RIGHTS };
  }

  filestat(): Maybe<FileStat> {
    return then(this.#handle.call('statusOf', this.#handle.fd), (status) => this.#statOf(status));
  }

  override setTimes(times: Times): Maybe<void> {
    this.#needWritable();
    return then(this.#handle.call('setTimes', this.#handle.fd, times), done);
  }

  open(path: string, request: OpenRequest): Maybe<OpenFile | Directory> {
    if ((request.oflags & OFLAGS.DIRECTORY) !== 0 && (request.oflags & OFLAGS.CREAT) !== 0) throw fail('INVAL');
    if (this.#directory.readOnly) return this.#openReadOnly(path, request);
    const opened = this.#tryOpen(path, openFlags(request));
    // Programs open files all the time: no closure for the usual case.
    if (opened instanceof Promise) return opened.then((late) => this.#opened(succeeded(late), request));
    return this.#opened(succeeded(opened), request);
  }

  #opened({ handle, mode }: Opened, request: OpenRequest): OpenFile | Directory {
    const { readOnly, devices, maxEntries } = this.#directory;
    const filetype = filetypeOf(mode >> 12);
    if (filetype === FILETYPE.DIRECTORY) return new Directory({ handle, readOnly, devices, maxEntries });
    const writable = request.write || (request.oflags & OFLAGS.TRUNC) !== 0;
    return new OpenFile({
      handle,
      filetype,
      readable: request.read,
      writable,
      readOnly,
      flags: request.fdflags,
      devices,
    });
  }

  /** What exists opens for reading; what would be changed or made is refused as on a read-only mount. */
  #openReadOnly(path: string, request: OpenRequest): Maybe<OpenFile | Directory> {
    const { oflags } = request;
    const plain = { ...request, write: false, oflags: oflags & OFLAGS.DIRECTORY };
    const creates = (oflags & OFLAGS.CREAT) !== 0;
    const exists = creates && (oflags & OFLAGS.EXCL) !== 0;
    return then(this.#tryOpen(path, openFlags(plain)), (opened) => {
      if (opened === -constants.errno.ENOENT && creates) throw fail('ROFS');
      const { handle } = succeeded(opened);
      if (!exists && !request.write && (oflags & OFLAGS.TRUNC) === 0) return this.#opened(succeeded(opened), request);
      void handle.close();
      throw fail(exists ? 'EXIST' : 'ROFS');
    });
  }

  /** Opens a path here, or on a helper thread, where the mount of what was opened is not known yet. */
  #tryOpen(path: string, flags: number): Maybe<Opened | Result> {
    const { fd, mount } = this.#handle;
    const mode = (flags & OPEN.CREAT) !== 0 ? 0o666 : 0;
    const at = { directory: fd, path: checked(path), cross: false };
    if (this.#handle.local) {
      const opened = BLOCKING.openAt(at, flags, mode);
      if (opened >= 0) return this.#look(opened, mount);
      if (opened !== CROSSES) return opened;
    }
    return this.#handle.away('openAndLook', { ...at, cross: true }, flags, mode).then((opened) => {
      return typeof opened === 'number' ? opened : { handle: new Handle(opened.fd), mode: opened.mode };
    });
  }

  #look(fd: number, mount: Handle['mount']): Opened | Result {
    const mode = modeOf(fd);
    if (mode >= 0) return { handle: new Handle(fd, mount), mode };
    closeDescriptor(fd);
    return mode;
  }

  stat(path: string, { follow }: { follow: boolean }): Maybe<FileStat> {
    return then(this.#followed('statusAt', path, follow), (status) => this.#statOf(status));
  }

  setTimesAt(path: string, times: Times, { follow }: { follow: boolean }): Maybe<void> {
    this.#needWritable();
    return then(this.#followed('setTimesAt', path, { ...times, follow }), done);
  }

  makeDirectory(path: string): Maybe<void> {
    this.#needWritable();
    return then(this.#named('makeDirectoryAt', path), done);
  }

  remove(path: string, { kind }: { kind: 'file' | 'directory' }): Maybe<void> {
    this.#needWritable();
    return then(this.#named('removeAt', path, kind), done);
  }

  rename(path: string, to: { directory: Directory; path: string }): Maybe<void> {
    this.#needWritable();
    to.directory.#needWritable();
    return this.#named2('renameAt', path, to);
  }

  link(path: string, to: { directory: Directory; path: string }): Maybe<void> {
    this.#needWritable();
    to.directory.#needWritable();
    return then(this.#refuseSlash(path), () => this.#named2('linkAt', path, to));
  }

  /** The target is text and may lead nowhere; it is checked whenever it is followed. Absolute ones never could be. */
  symlink(target: string, path: string): Maybe<void> {
    this.#needWritable();
    if (target.startsWith('/')) throw fail('PERM');
    if (target.includes('\0')) throw fail('INVAL');
    return then(this.#named('makeLinkAt', path, target), done);
  }

  readLink(path: string): Maybe<Uint8Array> {
    return then(this.#refuseSlash(path, 'INVAL'), () => this.#named('readLinkAt', path)) as Maybe<Uint8Array>;
  }

  /** Entries from the cookie on. The listing is taken anew at cookie 0, and stays as it was for the later ones. */
  async list(cookie: bigint): Promise<readonly ListingEntry[]> {
    const listing = cookie === 0n || this.#listing === undefined ? await this.#read() : this.#listing;
    return cookie >= BigInt(listing.length) ? [] : listing.slice(Number(cookie));
  }

  async #read(): Promise<readonly ListingEntry[]> {
    const { maxEntries } = this.#directory;
    const { fd, local } = this.#handle;
    const names = local
      ? await this.#handle.during(readNamesInParts(fd, maxEntries))
      : check(await this.#handle.away('readNames', fd, maxEntries));
    this.#listing = listingOf(names as Exclude<typeof names, number>);
    this.#heldBytes = bytesOf(this.#listing);
    return this.#listing;
  }

  /** A trailing slash makes the kernel follow a last link, wherever it leads: such a path names a directory or nothing. */
  #refuseSlash(path: string, error: 'PERM' | 'INVAL' = 'PERM'): Maybe<void> {
    if (!path.endsWith('/')) return undefined;
    return then(this.#followed('existsAt', path), () => {
      throw fail(error);
    });
  }

  /** A call that follows a path, here or on a helper thread. Throws what it failed with. */
  #followed<Name extends PathCall>(call: Name, path: string, ...rest: Rest<Name>): Maybe<ReturnType<Blocking[Name]>> {
    const at = { directory: this.#handle.fd, path: checked(path), cross: false };
    return this.#handle.crossing(call, at, rest);
  }

  #named<Name extends NameCall>(call: Name, path: string, ...rest: Rest<Name>): Maybe<ReturnType<Blocking[Name]>> {
    return this.#handle.crossing(call, this.#nameOf(path), rest);
  }

  #named2(call: 'renameAt' | 'linkAt', path: string, to: { directory: Directory; path: string }): Maybe<void> {
    const from = this.#nameOf(path);
    const next = to.directory.#nameOf(to.path);
    if (this.#handle.local && to.directory.#handle.local) {
      const result = BLOCKING[call](from, next);
      if (result !== CROSSES) return done(passed(result));
    }
    // Either directory may be the one that does not answer.
    const foreign = this.#handle.local ? to.directory.#handle : this.#handle;
    const both = foreign.away(call, { ...from, cross: true }, { ...next, cross: true });
    const held = to.directory.#handle.during(this.#handle.during(both));
    return held.then((result) => done(passed(result)));
  }

  #nameOf(path: string): PathOfName {
    return { directory: this.#handle.fd, ...split(checked(path)), cross: false };
  }

  #statOf(status: FileStatus | Result): FileStat {
    return this.#directory.devices.statOf(check(status) as FileStatus);
  }

  #needWritable(): void {
    if (this.#directory.readOnly) throw fail('ROFS');
  }
}

/** What was opened, with its type and permissions. */
interface Opened {
  readonly handle: Handle;
  readonly mode: number;
}

function succeeded(opened: Opened | Result): Opened {
  if (typeof opened === 'number') throw pathError(opened);
  return opened;
}

/** For calls that answer nothing. */
function done(result: unknown): void {
  check(result);
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
