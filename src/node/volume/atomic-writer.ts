/**
 * Files that change all at once: `name → ..data/name`, `..data → ..<time>`; a new content is written into a new
 * directory and one rename makes it the current one. Source: kubelet `pkg/volume/util/atomic_writer.go`.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join, posix } from 'node:path';
import type { Tree } from '#kit/os';
import { podError } from '../pod/errors.ts';

export interface Payload {
  readonly content: Uint8Array | string;
  readonly mode: number;
}

const DATA = '..data';
const MAX_BYTES = 4 * 1024 * 1024;
/** A ConfigMap of 1 MiB has fewer, and so has any volume of ours. */
const MOST_NAMES = 100_000;

/** A directory in which a tenant may have put what it likes. */
export interface Target {
  readonly tree: Tree;
  readonly path: string;
}

/** Answers whether anything changed. */
export async function writeAtomically(
  { tree, path }: Target,
  payload: ReadonlyMap<string, Payload>,
  now: number,
): Promise<boolean> {
  check(payload);
  tree.makeFolderWith(path, 0o777);
  const current = tree.readLink(join(path, DATA));
  if (current !== undefined && isOurs(current) && isSame({ tree, path: join(path, current) }, payload)) {
    await linkNames({ tree, path }, payload);
    return false;
  }
  const fresh = `..${new Date(now).toISOString().replaceAll(/[-:T]/g, '_').slice(0, 19)}.${randomBytes(5).readUIntBE(0, 5)}`;
  writeAll({ tree, path: join(path, fresh) }, payload);
  const aside = join(path, '..data_tmp');
  await tree.remove(aside);
  tree.makeLink(aside, fresh);
  // A folder of that name would not be replaced by a link.
  if (current === undefined) await tree.remove(join(path, DATA));
  tree.rename(aside, join(path, DATA));
  await linkNames({ tree, path }, payload);
  await removeStale({ tree, path }, payload, fresh);
  return true;
}

/** A name that this writer may have given. */
function isOurs(name: string): boolean {
  return name.startsWith('..') && name.length > 2 && !name.includes('/');
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

/** Also that there is nothing else. */
function isSame({ tree, path: directory }: Target, payload: ReadonlyMap<string, Payload>): boolean {
  const names = new Map<string, Set<string>>();
  for (const [path, { content }] of payload) {
    const bytes = Buffer.from(content as Uint8Array);
    if (tree.read(join(directory, path), bytes.length)?.equals(bytes) !== true) return false;
    for (let at = posix.normalize(path); at !== '.'; at = posix.dirname(at)) {
      const folder = posix.dirname(at);
      names.set(folder, (names.get(folder) ?? new Set()).add(posix.basename(at)));
    }
  }
  return [...names].every(([folder, { size }]) => tree.names(join(directory, folder), size + 1).length === size);
}

function writeAll({ tree, path: directory }: Target, payload: ReadonlyMap<string, Payload>): void {
  tree.makeFolder(directory);
  for (const [path, { content, mode }] of payload) {
    const file = join(directory, path);
    tree.makeFolder(dirname(file));
    tree.writeFile(file, { content, mode: mode & 0o777 });
  }
}

function topNames(payload: ReadonlyMap<string, Payload>): Set<string> {
  return new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path));
}

/** What stands in the place of a link, and is none of ours, goes. */
async function linkNames({ tree, path }: Target, payload: ReadonlyMap<string, Payload>): Promise<void> {
  for (const name of topNames(payload)) {
    const [at, target] = [join(path, name), `${DATA}/${name}`];
    if (tree.makeLink(at, target) || tree.readLink(at) === target) continue;
    await tree.remove(at);
    tree.makeLink(at, target);
  }
}

async function removeStale(
  { tree, path }: Target,
  payload: ReadonlyMap<string, Payload>,
  fresh: string,
): Promise<void> {
  const keep = topNames(payload).add(DATA).add(fresh);
  for (const name of tree.names(path, MOST_NAMES)) if (!keep.has(name)) await tree.remove(join(path, name));
}
