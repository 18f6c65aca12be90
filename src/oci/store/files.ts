/** Files that survive a power cut: written aside, flushed, renamed, the directory flushed too. */

import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '#kit';
import { ociError } from '../errors.ts';

/** Writes `bytes` to `path`; `aside` is a directory of the same file system. */
export async function writeDurably(
  path: string,
  bytes: Uint8Array | string,
  { aside, mode = 0o644 }: { aside: string; mode?: number },
): Promise<void> {
  const temporary = join(aside, `write.${process.pid}.${randomBytes(6).toString('hex')}`);
  try {
    await using file = await open(temporary, 'wx', mode);
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await moveDurably(temporary, path);
}

export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
}

export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

export async function makeDirectories(paths: readonly string[]): Promise<void> {
  for (const path of paths) await mkdir(path, { recursive: true, mode: 0o755 });
}

/** The same error with the store's code, if it came from the file system. */
export function storeError(what: string, cause: unknown): unknown {
  const code = (cause as { code?: unknown }).code;
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return cause;
  const hint =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Free space on the disk of the data directory'
      : 'Check the data directory: its owner, its rights, its disk';
  return ociError('OCI_STORE', `Cannot ${what}: ${messageOf(cause)}`, { cause, hint });
}

export function isMissing(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ENOENT';
}
