/**
 * Everything in an open folder goes, whoever made it: names that are no text, folders below folders without end, and somebody who
 * goes on making more. Never follows a link, never leaves the file system, holds few descriptors and a bounded list, and leaves the thread
 * for each call, since a guest may have made millions.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, fstatSync, openSync } from 'node:fs';
import { opendir, rename, rmdir, unlink } from 'node:fs/promises';
import { systemError } from './errno.ts';
import { OPEN } from './files.ts';

/** Names that are looked at before the folder is listed again. */
const PAGE = 1024;
/** A folder deeper than this is moved to the top, so that no descriptor stands for each level. */
const MOST_DEPTH = 24;
const MOST_PASSES = 100_000;
const EBUSY = 16;

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

interface Place {
  /** What everything is below. */
  readonly top: number;
  readonly device: number;
  readonly depth: number;
}

/** The folder itself stays. */
export async function clearFolder(fd: number): Promise<void> {
  await clear(fd, { top: fd, device: fstatSync(fd).dev, depth: 0 });
}

async function clear(fd: number, place: Place): Promise<void> {
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const names = await someNames(fd);
    if (names.length === 0) return;
    for (const name of names) await removeName(fd, name, place);
  }
}

/** As bytes: a name need not be text. */
async function someNames(fd: number): Promise<Buffer[]> {
  const found: Buffer[] = [];
  const directory = await opendir(`/proc/self/fd/${fd}`, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
  for await (const { name } of directory) {
    found.push(name as unknown as Buffer);
    if (found.length >= PAGE) break;
  }
  return found;
}

function pathOf(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

async function removeName(fd: number, name: Buffer, place: Place): Promise<void> {
  const path = pathOf(fd, name);
  try {
    return await unlink(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'EISDIR', 'EPERM')) throw error;
  }
  if (place.depth >= MOST_DEPTH) return await moveUp(path, place);
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
    await rmdir(path);
  } catch (error) {
    // Something came meanwhile, which the next pass finds.
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

async function moveUp(path: Buffer, { top }: Place): Promise<void> {
  try {
    await rename(path, `/proc/self/fd/${top}/.removed-${randomUUID()}`);
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
