/** Which node runs on a data directory, and its sandboxes, from outside: nothing is disturbed, and no bare pid is believed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#kit';
import { signalProcess, startTimeOf } from '#kit/os';

/**
 * The pid of the node that holds the directory's lock; undefined when none does. Reads the kernel's list of locks, since
 * trying the lock itself could make a node that starts at this moment believe that another one is there.
 * Source: proc_locks(5).
 */
export function holderOf(dataDir: string): number | undefined {
  let inode: number;
  try {
    inode = statSync(join(dataDir, 'lock')).ino;
  } catch {
    return undefined;
  }
  for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
    const [, kind, , , pid, place] = line.trim().split(/\s+/);
    if (kind === 'FLOCK' && place?.endsWith(`:${inode}`) === true) return Number(pid);
  }
  return undefined;
}

export interface SandboxProcess {
  readonly id: string;
  readonly pid: number;
  readonly startTime: number;
  readonly tenant?: string | undefined;
  readonly isolation?: string | undefined;
  /** The user that it runs as, where that is not the node's own. */
  readonly uid?: number | undefined;
  readonly walls?: readonly string[] | undefined;
}

/** The sandboxes of a data directory that are alive, by the node's records of them. */
export function sandboxesOf(dataDir: string): SandboxProcess[] {
  let ids: string[];
  try {
    ids = readdirSync(join(dataDir, 'sandboxes'));
  } catch {
    return [];
  }
  return ids.flatMap((id) => {
    try {
      const record = JSON.parse(readFileSync(join(dataDir, 'sandboxes', id, 'record.json'), 'utf8')) as SandboxProcess;
      return startTimeOf(record.pid) === record.startTime ? [{ ...record, id }] : [];
    } catch {
      // Half made or just removed.
      return [];
    }
  });
}

/** Ends the sandboxes that no node looks after any more, gently first. Returns how many there were. */
export async function endSandboxes(dataDir: string): Promise<number> {
  const sandboxes = sandboxesOf(dataDir);
  for (const sandbox of sandboxes) signalProcess(sandbox, 'SIGTERM');
  const end = systemClock.monotonic() + 2000;
  while (sandboxesOf(dataDir).length > 0 && systemClock.monotonic() < end) await systemClock.sleep(50);
  for (const sandbox of sandboxesOf(dataDir)) signalProcess(sandbox, 'SIGKILL');
  return sandboxes.length;
}
