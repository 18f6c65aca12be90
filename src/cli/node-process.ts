/** Which node runs on a data directory, from outside: without disturbing it, and without believing a bare pid. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

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
