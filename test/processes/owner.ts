import { readFileSync } from 'node:fs';

/**
 * A process's name for as long as the machine runs: its id and when it was started, in clock ticks since boot (field 22
 * of proc(5)'s /proc/pid/stat). An id alone comes again after a while, and would make a stale thing look owned.
 */
export function identityOf(pid: number = process.pid): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name, field 2, is in parentheses and may hold anything: count after the last one.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const started = fields[18];
    // A zombie has ended, whoever has not taken note yet.
    return started === undefined || state === 'Z' ? undefined : `${pid}-${started}`;
  } catch {
    return undefined;
  }
}

/** Whether the process is still there. More words may follow the identity: `PID-STARTED-…`. */
export function isAlive(identity: string): boolean {
  const [pid, started] = identity.split('-');
  return identityOf(Number(pid)) === `${pid}-${started}`;
}
