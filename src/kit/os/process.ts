/** Processes by more than a number: start times, pidfds, file locks, and the switches that a process sets on itself. */
import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { checked } from './errno.ts';
import { SYS, syscall } from './ffi.ts';

const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const LOCK_EX_NB = 6;
const ESRCH = 3;
const EWOULDBLOCK = 11;
const SIGNALS = { SIGTERM: 15, SIGKILL: 9, none: 0 } as const;

/**
 * When a process started, in clock ticks after boot; with the pid it names one process for ever.
 * `undefined` when there is none, or only its zombie. Source: proc_pid_stat(5), fields 3 and 22.
 */
export function startTimeOf(pid: number): number | undefined {
  const fields = statFields(`/proc/${pid}/stat`);
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return Number(fields[19]);
}

/** User and system time of a thread of this process in clock ticks (1/100 s). */
export function threadTicks(tid: number): number | undefined {
  const fields = statFields(`/proc/self/task/${tid}/stat`);
  return fields === undefined ? undefined : Number(fields[11]) + Number(fields[12]);
}

/** Fields from the third on: the second is the command, which may hold anything, and ends at the last parenthesis. */
function statFields(path: string): string[] | undefined {
  try {
    const text = readFileSync(path, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

export function threadId(): number {
  return checked(syscall(SYS.gettid), 'gettid');
}

/** A descriptor of the process that has this pid now; `undefined` when there is none. The caller closes it. */
export function openPidfd(pid: number): number | undefined {
  const result = syscall(SYS.pidfd_open, pid, 0);
  return result === -ESRCH ? undefined : checked(result, 'pidfd_open');
}

/** Signals the process that started at `startTime` and no other. False when it is gone. */
export function signalProcess(
  { pid, startTime }: { readonly pid: number; readonly startTime: number },
  signal: keyof typeof SIGNALS,
): boolean {
  const pidfd = openPidfd(pid);
  if (pidfd === undefined) return false;
  try {
    // The pidfd holds the process; only now is its start time its own.
    if (startTimeOf(pid) !== startTime) return false;
    const result = syscall(SYS.pidfd_send_signal, pidfd, SIGNALS[signal], 0, 0);
    if (result === -ESRCH) return false;
    checked(result, 'pidfd_send_signal');
    return true;
  } finally {
    closeSync(pidfd);
  }
}

/** From now on no execve of this thread, or of what it becomes, gains a privilege. */
export function setNoNewPrivs(): void {
  checked(syscall(SYS.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'prctl PR_SET_NO_NEW_PRIVS');
}

export function hasNoNewPrivs(): boolean {
  return syscall(SYS.prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) === 1;
}

/** Off: no core dump, and no other process of the same user may trace this one or read its memory. */
export function setDumpable(on: boolean): void {
  checked(syscall(SYS.prctl, PR_SET_DUMPABLE, on ? 1 : 0, 0, 0, 0), 'prctl PR_SET_DUMPABLE');
}

export interface FileLock extends Disposable {
  readonly path: string;
}

/**
 * Takes the exclusive lock of a file (made when missing) and writes this process's pid into it. When another process
 * has it: `{ holder }`, the pid that stands in the file (0 when none does). The kernel lets go when the holder ends.
 */
export function lockFile(path: string): FileLock | { readonly holder: number } {
  const fd = openSync(path, 'a+', 0o600);
  const result = syscall(SYS.flock, fd, LOCK_EX_NB);
  if (result === -EWOULDBLOCK) {
    const text = Buffer.alloc(16);
    const length = readSync(fd, text, 0, 16, 0);
    closeSync(fd);
    const holder = Number.parseInt(text.toString('latin1', 0, length), 10);
    return { holder: Number.isSafeInteger(holder) ? holder : 0 };
  }
  if (result < 0) closeSync(fd);
  checked(result, `flock '${path}'`);
  ftruncateSync(fd, 0);
  writeSync(fd, `${process.pid}\n`);
  return { path, [Symbol.dispose]: () => closeSync(fd) };
}
