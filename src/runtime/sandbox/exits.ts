/**
 * Exit records: one small file a workload, written before the exit is told to anybody, so that no exit is lost while the
 * node is away or when the sandbox ends. The reader is the node and trusts neither names nor content.
 */
import { closeSync, fdatasync, openSync, renameSync, unlink, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Tree } from '#kit/os';
import type { WorkloadState } from '../contract.ts';
import { exitRecordShape } from './protocol/messages.ts';

export type ExitedState = Extract<WorkloadState, { phase: 'exited' }>;

const synced = promisify(fdatasync);
const MAX_RECORD_BYTES = 16 * 1024;
const MAX_RECORDS = 50_000;

function fileName(key: string): string {
  return `${encodeURIComponent(key)}.json`;
}

/**
 * When it returns, the record outlives every process; when its promise resolves, a power cut too. Throws where it cannot be written.
 * Who tells an exit needs no more than the first: a power cut also ends everybody whom it was told, but for API servers, which keep it.
 */
export function writeExit(directory: string, key: string, state: ExitedState): Promise<void> {
  const path = join(directory, fileName(key));
  const aside = `${path}.new`;
  const fd = openSync(aside, 'w', 0o600);
  try {
    writeFileSync(fd, JSON.stringify({ workload: key, state }));
    renameSync(aside, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return synced(fd).finally(() => closeSync(fd));
}

/** Not waited for: a record that stays behind is of a workload that the node no longer asks about, and goes with the folder. */
export function removeExit(directory: string, key: string): void {
  unlink(join(directory, fileName(key)), () => {});
}

/** What stands in a directory of records; what is not a record, or not of its name, is passed over. Its owner may have put anything there. */
export function readExits(directory: string): ReadonlyMap<string, ExitedState> {
  const found = new Map<string, ExitedState>();
  const tree = new Tree(directory);
  for (const name of tree.names('', MAX_RECORDS)) {
    if (!name.endsWith('.json')) continue;
    try {
      const text = tree.read(name, MAX_RECORD_BYTES)?.toString('utf8') ?? '';
      const { workload, state } = exitRecordShape(JSON.parse(text), 'exit');
      if (state.phase === 'exited' && fileName(workload) === name) found.set(workload, state);
    } catch {
      // A sandbox that ended in the middle of something, or that forges: as if there were no record.
    }
  }
  return found;
}
