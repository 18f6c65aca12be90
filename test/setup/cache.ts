import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Where builds and unpacked tools are kept, outside the tree: `$WASMLET_TEST_CACHE`, else `wasmlet-test` in
 * `$XDG_CACHE_HOME` or `~/.cache`. One folder a thing and version; nothing in it is ever changed after it is there.
 */
export function cachePath(...parts: string[]): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(process.env['WASMLET_TEST_CACHE'] || join(base, 'wasmlet-test'), ...parts);
}

/** The path when it exists. */
export function cached(...parts: string[]): string | undefined {
  const path = cachePath(...parts);
  return existsSync(path) ? path : undefined;
}

/**
 * Fills `path` (a folder of the cache) by `make`, which gets an empty folder beside it: it appears whole or not at all,
 * also when two test runs make it at once or one is killed half way.
 */
export async function intoCache(path: string, make: (folder: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const folder = await mkdtemp(`${path}.making-`);
  try {
    await make(folder);
    await chmod(folder, 0o755); // mkdtemp's are closed to other users, and tests run as some
    await rename(folder, path);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    // Somebody else was faster: theirs is as good.
    if (!existsSync(path)) throw error;
  }
}

/** A short hash over files' contents and other words that decide what a build gives. */
export function hashOf({ files, words = [] }: { files: readonly string[]; words?: readonly string[] }): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file)).update('\0');
  for (const word of words) hash.update(word).update('\0');
  return hash.digest('hex').slice(0, 12);
}
