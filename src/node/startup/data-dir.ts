/** One node a data directory: the lock, and what must not change between starts. See docs/decisions/0004-data-directory.md. */
import { existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type FileLock, lockFile } from '#kit/os';
import { writeDurably } from '../bootstrap/pem-store.ts';
import { nodeError } from '../errors.ts';

/** Takes the directory for this process; made when it is not there. Let go of when disposed, or by the kernel. */
export function claimDataDir(dataDir: string): FileLock {
  try {
    // Root's is passed through by sandboxes under uids of their own; what is inside has modes of its own.
    makeFolder(resolve(dataDir), process.getuid?.() === 0 ? 0o711 : 0o700);
  } catch (cause) {
    throw unusable(dataDir, cause);
  }
  const lock = tryLock(join(dataDir, 'lock'), dataDir);
  if (!('holder' in lock)) return lock;
  const who = lock.holder === 0 ? 'another process' : `process ${lock.holder}`;
  throw nodeError('NODE_DATA_DIR_IN_USE', `Cannot use the data directory '${dataDir}': the node of ${who} runs on it`, {
    hint: `Stop it with 'wasmlet down --data-dir ${dataDir}', or choose another with --data-dir`,
  });
}

/** One folder at a time: Node's own `recursive` goes round for ever where a file system makes no folders (below /proc). */
function makeFolder(path: string, mode: number): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function tryLock(path: string, dataDir: string): ReturnType<typeof lockFile> {
  try {
    return lockFile(path);
  } catch (cause) {
    throw unusable(dataDir, cause);
  }
}

function unusable(dataDir: string, cause: unknown): Error {
  return nodeError('NODE_DATA_DIR_UNUSABLE', `Cannot use the data directory '${dataDir}'`, {
    cause,
    hint: 'Check path and rights, or choose another with --data-dir',
  });
}

/** Pods, certificates and logs belong to one node name: another name on the same directory is refused. */
export async function keepName(dataDir: string, name: string): Promise<void> {
  const path = join(dataDir, 'config.json');
  const config = await readConfig(path);
  const known = config['nodeName'];
  if (known === name) return;
  if (typeof known === 'string') {
    throw nodeError(
      'NODE_NAME_TAKEN',
      `Cannot start the node '${name}' on '${dataDir}': it belongs to the node '${known}'`,
      {
        hint: `Use --node-name ${known}, or another directory, or remove this one with 'wasmlet reset'`,
      },
    );
  }
  await writeDurably(path, `${JSON.stringify({ ...config, nodeName: name }, null, 2)}\n`);
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}
