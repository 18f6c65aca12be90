/**
 * Whole calls on paths beneath a directory: each follows the path, acts, and closes what it opened, with plain data in and out, so that
 * it can be made on another thread. Every function answers a result of 0 or more, the negated errno, or one of two results of its own.
 */
import { constants } from 'node:os';
import type { Result } from './ffi.ts';
import {
  closeDescriptor,
  type FileStatus,
  leaves,
  linkName,
  makeDirectory,
  makeLink,
  modeOf,
  type Name,
  type NewTime,
  OPEN,
  openBeneath,
  readLink,
  removeName,
  renameName,
  setTimes,
  statusOf,
} from './files.ts';

/** The path leads into another mount, where a call may wait for others: it has to be made with `cross`. */
export const CROSSES = -4097;
/** The path leaves the directory. Not -EXDEV, which a call on two mounts answers too. */
export const LEAVES = -4098;

/** A path for calls that follow it. */
export interface Path {
  readonly directory: number;
  readonly path: string;
  /** May lead into another mount. */
  readonly cross: boolean;
}

/** A path for calls on its last name: the parent is empty or ends with a slash. */
export interface PathOfName {
  readonly directory: number;
  readonly parent: string;
  readonly name: string;
  readonly cross: boolean;
}

export function openAt({ directory, path, cross }: Path, flags: number, mode: number): Result {
  const result = openBeneath(directory, path, { flags, mode, stay: !cross });
  if (result !== -constants.errno.EXDEV) return result;
  return cross || leaves(directory, path) === -constants.errno.EXDEV ? LEAVES : CROSSES;
}

/** As `openAt`, with the type and the permissions of what was opened. */
export function openAndLook(
  path: Path,
  flags: number,
  mode: number,
): { readonly fd: number; readonly mode: number } | Result {
  const fd = openAt(path, flags, mode);
  if (fd < 0) return fd;
  const found = modeOf(fd);
  if (found >= 0) return { fd, mode: found };
  closeDescriptor(fd);
  return found;
}

function withPath<T>(path: Path, follow: boolean, use: (fd: number) => T | Result): T | Result {
  const fd = openAt(path, OPEN.PATH | (follow ? 0 : OPEN.NOFOLLOW), 0);
  if (fd < 0) return fd;
  const result = use(fd);
  closeDescriptor(fd);
  return result;
}

export function statusAt(path: Path, follow: boolean): FileStatus | Result {
  return withPath(path, follow, statusOf);
}

export interface TimesAt {
  readonly follow: boolean;
  readonly accessed: NewTime;
  readonly modified: NewTime;
}

export function setTimesAt(path: Path, times: TimesAt): Result {
  return withPath(path, times.follow, (fd) => setTimes(fd, times));
}

/** 0 when something is there that can be followed to its end. */
export function existsAt(path: Path): Result {
  return withPath(path, true, () => 0);
}

function withName<T>({ directory, parent, name, cross }: PathOfName, use: (name: Name) => T | Result): T | Result {
  if (name === '..' || name === '../') {
    const there = existsAt({ directory, path: `${parent}${name}`, cross });
    if (there < 0) return there;
  }
  if (parent === '') return use({ directory, name });
  const opened = openAt({ directory, path: parent, cross }, OPEN.PATH | OPEN.DIRECTORY, 0);
  if (opened < 0) return opened;
  const result = use({ directory: opened, name });
  closeDescriptor(opened);
  return result;
}

export function makeDirectoryAt(path: PathOfName): Result {
  return withName(path, ({ directory, name }) => makeDirectory(directory, name));
}

export function removeAt(path: PathOfName, kind: 'file' | 'directory'): Result {
  return withName(path, ({ directory, name }) => removeName(directory, name, { kind }));
}

export function renameAt(from: PathOfName, to: PathOfName): Result {
  return withName(from, (old) => withName(to, (next) => renameName(old, next)));
}

export function linkAt(from: PathOfName, to: PathOfName): Result {
  return withName(from, (old) => withName(to, (next) => linkName(old, next)));
}

export function makeLinkAt(path: PathOfName, target: string): Result {
  return withName(path, (name) => makeLink(target, name));
}

export function readLinkAt(path: PathOfName): Uint8Array | Result {
  return withName(path, ({ directory, name }) => readLink(directory, name));
}
