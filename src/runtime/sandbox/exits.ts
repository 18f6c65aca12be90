/**
 * Exit records: one small file a workload, written before the exit is told to anybody, so that no exit is lost while the
 * node is away or when the sandbox ends. The reader is the node and trusts neither names nor content.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlink,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { WorkloadState } from '../contract.ts';
import { exitRecordShape } from './protocol/messages.ts';

export type ExitedState = Extract<WorkloadState, { phase: 'exited' }>;

const synced = promisify(fdatasync);
const MAX_RECORD_BYTES = 16 * 1024;
const MAX_RECORDS = 50_000;

function fileName(key: string): string {
  return `${encodeURIComponent(key)}.json`;
}

/** Only what waits for the disk leaves the thread: every other step takes microseconds, and a hop to the pool and back a multiple of it. */
export async function writeExit(directory: string, key: string, state: ExitedState): Promise<void> {
  const path = join(directory, fileName(key));
  const aside = `${path}.new`;
  const fd = openSync(aside, 'w', 0o600);
  try {
    writeFileSync(fd, JSON.stringify({ workload: key, state }));
    await synced(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(aside, path);
}

/** Not waited for: a record that stays behind is of a workload that the node no longer asks about, and goes with the folder. */
export function removeExit(directory: string, key: string): void {
  unlink(join(directory, fileName(key)), () => {});
}

/** What stands in a directory of records; what is not a record, or not of its name, is passed over. */
export function readExits(directory: string): ReadonlyMap<string, ExitedState> {
  const found = new Map<string, ExitedState>();
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return found;
  }
  for (const name of names.slice(0, MAX_RECORDS)) {
    if (!name.endsWith('.json')) continue;
    try {
      const { workload, state } = exitRecordShape(JSON.parse(readSmallFile(join(directory, name))), 'exit');
      if (state.phase === 'exited' && fileName(workload) === name) found.set(workload, state);
    } catch {
      // A sandbox that ended in the middle of something, or that forges: as if there were no record.
    }
  }
  return found;
}

/** Never follows a link and never waits at a pipe. */
function readSmallFile(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = fstatSync(fd);
    if (!status.isFile() || status.size > MAX_RECORD_BYTES) throw new RangeError('not a record');
    const buffer = Buffer.alloc(MAX_RECORD_BYTES);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, MAX_RECORD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}
