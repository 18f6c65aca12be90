/**
 * The end of a process that cannot wait for its own threads: Node joins them when it exits, and one that hangs in the kernel never
 * comes. The kernel's own timer ends it then, whatever its threads do. Source: setitimer(2).
 */
import { ffiAvailable, pointerTo, SYS, syscall } from './ffi.ts';

const ITIMER_REAL = 0;

/** Ends this process by SIGALRM if it is still there after so long. For the event `exit` of a process, after which nothing of it runs. */
export function endWithin(milliseconds: number): void {
  if (!ffiAvailable()) return;
  // struct itimerval: no interval; seconds and microseconds.
  const timer = new BigInt64Array(new ArrayBuffer(32));
  timer[2] = BigInt(Math.floor(milliseconds / 1000));
  timer[3] = BigInt((milliseconds % 1000) * 1000);
  syscall(SYS.setitimer, ITIMER_REAL, pointerTo(timer), 0);
}
