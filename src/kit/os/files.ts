/**
 * Files by directory descriptor: the calls with which a path can be followed without leaving a directory.
 *
 * Node's own `fs` takes whole paths, and a whole path can be changed by others between the check and the use. `openat2` with
 * RESOLVE_BENEATH lets the kernel refuse `..`, absolute links and races in one step. Paths are strings without NUL.
 * Every function answers a result of 0 or more, or the negated errno.
 */
import { constants } from 'node:os';
import { pointerTo, type QuickCalls, quickCalls, type Result, SYS, syscall, word } from './ffi.ts';

/** Bits of `openat2` and the `*at` calls that Node's constants lack. Source: Linux `include/uapi/asm-generic/fcntl.h`, `linux/openat2.h`. */
const ARM = process.arch === 'arm64';
export const OPEN = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DSYNC: 0o10000,
  SYNC: 0o4010000,
  DIRECTORY: ARM ? 0o40000 : 0o200000,
  NOFOLLOW: ARM ? 0o100000 : 0o400000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;

const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_CACHED = 0x20;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC = 0x7ffn;
const OPENAT2 = BigInt(SYS.openat2);
const STATX = BigInt(SYS.statx);
/** A concurrent rename makes the kernel give up with EAGAIN; a hostile neighbour must not keep us here for ever. */
const TRIES = 64;
/** Looked up once: Node's table of errors is a dictionary. */
const AGAIN = -constants.errno.EAGAIN;

// ArrayBuffers of their own: small typed arrays may live in the heap, where the collector moves them.
const PATH_BYTES = 4096;
const SHORT_PATH = 64;
const pathA = new Uint8Array(new ArrayBuffer(PATH_BYTES + 1));
const pathB = new Uint8Array(new ArrayBuffer(PATH_BYTES + 1));
const how = new ArrayBuffer(24);
const HOW_BYTES = BigInt(how.byteLength);
/** Flags, mode and resolve, 64 bits each, of which the upper halves stay zero (little-endian). */
const howWords = new Uint32Array(how);
const stat = new DataView(new ArrayBuffer(256));
const times = new BigInt64Array(new ArrayBuffer(32));
const link = new Uint8Array(new ArrayBuffer(PATH_BYTES));
const entries = new Uint8Array(new ArrayBuffer(65_536));
const encoder = new TextEncoder();

/** The quick calls, and the addresses of the buffers above, which stay for as long as this module. */
interface Scratch {
  readonly quick: QuickCalls;
  readonly path: bigint;
  readonly how: bigint;
  readonly stat: bigint;
}

let scratch: Scratch | undefined;

function ready(): Scratch {
  scratch ??= { quick: quickCalls(), path: pointerTo(pathA), how: pointerTo(how), stat: pointerTo(stat) };
  return scratch;
}

/** Where a path may be: too long, or with a NUL in it, is refused before the kernel would see half of it. */
function pathPointer(buffer: Uint8Array, path: string): bigint | Result {
  const bad = putPath(buffer, path);
  return bad === 0 ? pointerTo(buffer) : bad;
}

/** 0, or the errno. */
function putPath(buffer: Uint8Array, path: string): Result {
  const { length } = path;
  let at = 0;
  // Most paths are short and ASCII, and a loop over those is quicker than the encoder.
  if (length <= SHORT_PATH) {
    for (; at < length; at++) {
      const unit = path.charCodeAt(at);
      if (unit === 0) return -constants.errno.EINVAL;
      if (unit >= 0x80) break;
      buffer[at] = unit;
    }
    if (at === length) {
      buffer[at] = 0;
      return 0;
    }
  }
  const { read, written } = encoder.encodeInto(path, buffer.subarray(0, PATH_BYTES));
  if (read < length) return -constants.errno.ENAMETOOLONG;
  if (path.includes('\0')) return -constants.errno.EINVAL;
  buffer[written] = 0;
  return 0;
}

export interface OpenOptions {
  readonly flags: number;
  readonly mode?: number | undefined;
  /** Not into another mount: -EXDEV then, too. */
  readonly stay?: boolean | undefined;
  /** False: a link anywhere in the path answers -ELOOP, wherever it leads. */
  readonly links?: boolean | undefined;
}

/** Opens a path at or below `directory`; a link that leaves it answers -EXDEV. */
export function openBeneath(directory: number, path: string, options: OpenOptions): Result {
  const { flags, mode = 0, stay = false, links = true } = options;
  const more = (stay ? RESOLVE_NO_XDEV : 0) | (links ? 0 : RESOLVE_NO_SYMLINKS);
  return resolve(directory, path, { flags, mode, resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | more });
}

/** Whether a path leaves `directory`, from what the kernel knows without asking a file system: -EXDEV if so, 0 if not, -EAGAIN if it cannot say. */
export function leaves(directory: number, path: string): Result {
  const flags = OPEN.PATH;
  const result = resolve(directory, path, {
    flags,
    mode: 0,
    resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
  });
  if (result >= 0) closeDescriptor(result);
  return result >= 0 ? 0 : result;
}

/** Opens a path of the host as far as the kernel knows it without asking a file system: -EAGAIN else. Nothing is read from it. */
export function openCached(path: string): Result {
  const AT_FDCWD = -100;
  return resolve(AT_FDCWD, path, { flags: OPEN.PATH, mode: 0, resolve: RESOLVE_CACHED });
}

interface How {
  readonly flags: number;
  readonly mode: number;
  readonly resolve: number;
}

function resolve(directory: number, path: string, { flags, mode, resolve }: How): Result {
  const { quick, path: pathAddress, how: howAddress } = ready();
  const bad = putPath(pathA, path);
  if (bad !== 0) return bad;
  howWords[0] = flags | OPEN.CLOEXEC;
  howWords[2] = mode;
  howWords[4] = resolve;
  const fd = word(directory);
  for (let tries = 0; ; tries++) {
    const result = quick.call(OPENAT2, fd, pathAddress, howAddress, HOW_BYTES, 0n);
    if (result !== AGAIN || tries === TRIES) return result;
    // Nothing changed meanwhile: the kernel would have to ask somebody.
    if ((resolve & RESOLVE_CACHED) !== 0) return result;
  }
}

/** Closes a descriptor; what the kernel says of it is final either way. */
export function closeDescriptor(fd: number): Result {
  return ready().quick.close(word(fd));
}

export interface FileStatus {
  /** Device as one number; only good for comparing. */
  readonly device: bigint;
  readonly inode: bigint;
  /** Type and permission bits, as `st_mode`. */
  readonly mode: number;
  readonly links: number;
  readonly size: bigint;
  /** Nanoseconds since the epoch. */
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** The status of what a descriptor stands for, also of one opened with PATH. */
export function statusOf(fd: number): FileStatus | Result {
  return statusAt(fd, '', AT_EMPTY_PATH);
}

/** The status of a name in a directory, never following it if it is a link. */
export function statusOfName(directory: number, name: string): FileStatus | Result {
  return statusAt(directory, name, AT_SYMLINK_NOFOLLOW);
}

function statusAt(directory: number, path: string, flags: number): FileStatus | Result {
  const { quick, path: pathAddress, stat: statAddress } = ready();
  const bad = putPath(pathA, path);
  if (bad !== 0) return bad;
  const result = quick.call(STATX, word(directory), pathAddress, word(flags), STATX_BASIC, statAddress);
  if (result < 0) return result;
  return {
    device: (BigInt(stat.getUint32(136, true)) << 32n) | BigInt(stat.getUint32(140, true)),
    inode: stat.getBigUint64(32, true),
    mode: stat.getUint16(28, true),
    links: stat.getUint32(16, true),
    size: stat.getBigUint64(40, true),
    accessed: timeAt(64),
    modified: timeAt(112),
    changed: timeAt(96),
  };
}

/** Where `st_mode` is in a `struct stat`. Source: Linux `arch/x86/include/uapi/asm/stat.h`, `include/uapi/asm-generic/stat.h`. */
const MODE_OFFSET = ARM ? 16 : 24;

/** Type and permission bits of what a descriptor stands for, or the negated errno. */
export function modeOf(fd: number): Result {
  const { quick, stat: statAddress } = ready();
  if (quick.fstat === undefined) {
    const status = statusOf(fd);
    return typeof status === 'number' ? status : status.mode;
  }
  const result = quick.fstat(word(fd), statAddress);
  return result < 0 ? result : stat.getUint32(MODE_OFFSET, true);
}

function timeAt(offset: number): bigint {
  return stat.getBigInt64(offset, true) * 1_000_000_000n + BigInt(stat.getUint32(offset + 8, true));
}

/** A time to set: nanoseconds since the epoch, the present, or no change. */
export type NewTime = bigint | 'now' | 'omit';

/** Sets the times of what a descriptor stands for, also of one opened with PATH. */
export function setTimes(fd: number, { accessed, modified }: { accessed: NewTime; modified: NewTime }): Result {
  putTime(0, accessed);
  putTime(2, modified);
  pathA[0] = 0;
  return syscall(SYS.utimensat, fd, pointerTo(pathA), pointerTo(times), AT_EMPTY_PATH);
}

function putTime(at: number, time: NewTime): void {
  const UTIME_NOW = 0x3fff_ffffn;
  const UTIME_OMIT = 0x3fff_fffen;
  times[at] = typeof time === 'bigint' ? time / 1_000_000_000n : 0n;
  times[at + 1] = typeof time === 'bigint' ? time % 1_000_000_000n : time === 'now' ? UTIME_NOW : UTIME_OMIT;
}

/** The calls below act on a single name in an open directory, so that no link on the way can lead elsewhere. */
export function makeDirectory(directory: number, name: string, mode = 0o777): Result {
  const pointer = pathPointer(pathA, name);
  return typeof pointer === 'number' ? pointer : syscall(SYS.mkdirat, directory, pointer, mode);
}

export function removeName(directory: number, name: string, { kind }: { kind: 'file' | 'directory' }): Result {
  const pointer = pathPointer(pathA, name);
  if (typeof pointer === 'number') return pointer;
  return syscall(SYS.unlinkat, directory, pointer, kind === 'directory' ? AT_REMOVEDIR : 0);
}

export interface Name {
  readonly directory: number;
  readonly name: string;
}

export function renameName(from: Name, to: Name): Result {
  const old = pathPointer(pathA, from.name);
  if (typeof old === 'number') return old;
  const next = pathPointer(pathB, to.name);
  return typeof next === 'number' ? next : syscall(SYS.renameat2, from.directory, old, to.directory, next, 0);
}

/** A hard link to the name itself: a link is not followed. */
export function linkName(from: Name, to: Name): Result {
  const old = pathPointer(pathA, from.name);
  if (typeof old === 'number') return old;
  const next = pathPointer(pathB, to.name);
  return typeof next === 'number' ? next : syscall(SYS.linkat, from.directory, old, to.directory, next, 0);
}

export function makeLink(target: string, to: Name): Result {
  const text = pathPointer(pathA, target);
  if (typeof text === 'number') return text;
  const name = pathPointer(pathB, to.name);
  return typeof name === 'number' ? name : syscall(SYS.symlinkat, text, to.directory, name);
}

/** The text of a symbolic link, as bytes. */
export function readLink(directory: number, name: string): Uint8Array | Result {
  const pointer = pathPointer(pathA, name);
  if (typeof pointer === 'number') return pointer;
  const length = syscall(SYS.readlinkat, directory, pointer, pointerTo(link), link.byteLength);
  return length < 0 ? length : link.slice(0, length);
}

export interface DirectoryEntry {
  readonly inode: bigint;
  /** DT_* of `getdents64`: the upper bits of the mode. */
  readonly type: number;
  readonly name: Uint8Array;
}

/** The next part of a listing of a descriptor that was just opened, `.` and `..` included; empty at the end. */
export function readEntries(fd: number): DirectoryEntry[] | Result {
  const length = syscall(SYS.getdents64, fd, pointerTo(entries), entries.byteLength);
  if (length < 0) return length;
  const view = new DataView(entries.buffer);
  const found: DirectoryEntry[] = [];
  for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
    const end = entries.indexOf(0, at + 19);
    found.push({ inode: view.getBigUint64(at, true), type: view.getUint8(at + 18), name: entries.slice(at + 19, end) });
  }
  return found;
}
