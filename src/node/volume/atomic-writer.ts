/**
 * Files that change all at once: `name → ..data/name`, `..data → ..<time>`; a new content is written into a new
 * directory and one rename makes it the current one. Source: kubelet `pkg/volume/util/atomic_writer.go`.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { podError } from '../pod/errors.ts';

export interface Payload {
  readonly content: Uint8Array | string;
  readonly mode: number;
}

const DATA = '..data';
const MAX_BYTES = 4 * 1024 * 1024;

/** Answers whether anything changed. */
export async function writeAtomically(
  target: string,
  payload: ReadonlyMap<string, Payload>,
  now: number,
): Promise<boolean> {
  check(payload);
  await mkdir(target, { recursive: true });
  await chmod(target, 0o777);
  const current = await readlink(join(target, DATA)).catch(() => undefined);
  if (current !== undefined && (await isSame(join(target, current), payload))) {
    await linkNames(target, payload);
    return false;
  }
  const fresh = `..${new Date(now).toISOString().replaceAll(/[-:T]/g, '_').slice(0, 19)}.${randomBytes(5).readUIntBE(0, 5)}`;
  await writeAll(join(target, fresh), payload);
  const aside = join(target, '..data_tmp');
  await rm(aside, { force: true });
  await symlink(fresh, aside);
  await rename(aside, join(target, DATA));
  await linkNames(target, payload);
  await removeStale(target, payload, fresh);
  return true;
}

function check(payload: ReadonlyMap<string, Payload>): void {
  let bytes = 0;
  for (const [path, { content }] of payload) {
    bytes += content.length;
    const parts = path.split('/');
    const bad =
      path === '' || path.length > 4096 || posix.isAbsolute(path) || parts.includes('..') || path.startsWith('..');
    if (bad || path.includes('\0'))
      throw podError('POD_VOLUME_FAILED', `invalid path "${path}": it must be relative and stay inside the volume`);
  }
  if (bytes > MAX_BYTES)
    throw podError('POD_VOLUME_FAILED', `the volume's content is ${bytes} bytes, the most is ${MAX_BYTES}`);
}

async function isSame(directory: string, payload: ReadonlyMap<string, Payload>): Promise<boolean> {
  for (const [path, { content }] of payload) {
    const old = await readFile(join(directory, path)).catch(() => undefined);
    if (old === undefined || !old.equals(Buffer.from(content as Uint8Array))) return false;
  }
  const names = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return names.filter((entry) => entry.isFile()).length === payload.size;
}

async function writeAll(directory: string, payload: ReadonlyMap<string, Payload>): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  for (const [path, { content, mode }] of payload) {
    const file = join(directory, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, content, { mode: 0o600 });
    await chmod(file, mode & 0o777);
  }
}

function topNames(payload: ReadonlyMap<string, Payload>): Set<string> {
  return new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
}

async function linkNames(target: string, payload: ReadonlyMap<string, Payload>): Promise<void> {
  for (const name of topNames(payload)) {
    await symlink(`${DATA}/${name}`, join(target, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function removeStale(target: string, payload: ReadonlyMap<string, Payload>, fresh: string): Promise<void> {
  const keep = topNames(payload).add(DATA).add(fresh);
  for (const name of await readdir(target)) {
    if (!keep.has(name)) await rm(join(target, name), { recursive: true, force: true });
  }
}
