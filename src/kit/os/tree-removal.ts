/**
 * Everything in an open folder goes, whoever made it: names that are no text, folders below folders without end, and somebody who
 * goes on making more. Never follows a link, never leaves the file system, holds few descriptors and a bounded list. A guest may have made
 * millions: the thread is given up every few names, and for files whose blocks take long to free.
 */
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { unlink } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { systemError } from './errno.ts';
import { OPEN } from './files.ts';

/** Names that are looked at before the folder is listed again. */
const PAGE = 1024;
/** A folder deeper than this is moved to the top, so that no descriptor stands for each level. */
const MOST_DEPTH = 24;
const MOST_PASSES = 100_000;
/** Names between two turns of other work; a name takes some 20 microseconds. */
const AT_ONCE = 64;
const LARGE_BYTES = 16 * 1024 * 1024;
const EBUSY = 16;

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

interface Place {
  /** What everything is below. */
  readonly top: number;
  readonly device: number;
  readonly depth: number;
  /** Names that were seen, in all folders: also a deep tree and one that grows let others have their turn. */
  readonly work: { names: number };
}

/** The folder itself stays. */
export async function clearFolder(fd: number): Promise<void> {
  await clear(fd, { top: fd, device: fstatSync(fd).dev, depth: 0, work: { names: 0 } });
}

async function clear(fd: number, place: Place): Promise<void> {
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const names = someNames(fd);
    if (names.length === 0) return;
    for (const name of names) {
      if (++place.work.names % AT_ONCE === 0) await turn();
      await removeName(fd, name, place);
    }
  }
}

/** As bytes: a name need not be text. */
function someNames(fd: number): Buffer[] {
  const found: Buffer[] = [];
  const directory = opendirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      found.push(entry.name as unknown as Buffer);
      if (found.length >= PAGE) break;
    }
  } finally {
    directory.closeSync();
  }
  return found;
}

function pathOf(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

async function removeName(fd: number, name: Buffer, place: Place): Promise<void> {
  const path = pathOf(fd, name);
  if (await removeFile(path)) return;
  if (place.depth >= MOST_DEPTH) return moveUp(path, place);
  const folder = openFolder(path);
  if (folder === undefined) return;
  try {
    // What is mounted there belongs to somebody who can mount.
    if (fstatSync(folder).dev !== place.device) throw systemError(EBUSY, 'remove what is mounted');
    await clear(folder, { ...place, depth: place.depth + 1 });
  } finally {
    closeSync(folder);
  }
  try {
    rmdirSync(path);
  } catch (error) {
    // Something came meanwhile, which the next pass finds.
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

/** False for a folder. What stands there by then goes, whatever it was when it was looked at. */
export async function removeFile(path: Buffer | string): Promise<boolean> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return true;
  if (found.isDirectory()) return false;
  try {
    if (found.size > LARGE_BYTES) await unlink(path);
    else unlinkSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'EISDIR', 'EPERM') && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== false)
      return false;
    throw error;
  }
}

function moveUp(path: Buffer, { top }: Place): void {
  try {
    renameSync(path, `/proc/self/fd/${top}/.removed-${randomUUID()}`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Undefined when there is none by now. A folder that its owner closed to itself is opened again. */
export function openFolder(path: Buffer | string): number | undefined {
  const flags = OPEN.RDONLY | OPEN.DIRECTORY | OPEN.NOFOLLOW;
  try {
    return openSync(path, flags);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    if (!hasCode(error, 'EACCES')) throw error;
  }
  const found = openSync(path, OPEN.PATH | OPEN.DIRECTORY | OPEN.NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${found}`, 0o700);
    return openSync(`/proc/self/fd/${found}`, OPEN.RDONLY | OPEN.DIRECTORY);
  } finally {
    closeSync(found);
  }
}
