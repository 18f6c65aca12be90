/**
 * The node's heartbeat of a sandbox: whose control thread answers nothing hangs, and so do all of its guests' ends and starts.
 *
 * Patience is counted in beats in which the thread could have answered, not in time: a beat in which it wanted the processor and got none is
 * the machine's fault, and a beat that took an hour, because the machine slept or this process was stopped, is one beat.
 */
import { readFileSync } from 'node:fs';
import type { Clock } from '#kit';

export interface Progress {
  /** As in /proc: `R` runs or wants to, `S` waits. */
  readonly state: string;
  /** Clock ticks on the processor. */
  readonly ticks: number;
}

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Resolves with the answer, rejects when the connection is gone. */
  readonly ping: () => Promise<unknown>;
  /** Of the thread that answers; undefined when it is gone. */
  readonly progress: () => Progress | undefined;
  /** Before each ping. */
  readonly beat?: () => void;
}

export const PING_MS = 5000;
const BEAT_MS = 1000;
export const MOST_MISSED = 15;

/** Resolves with true when the sandbox hangs, with false when there is nothing to watch any more. */
export async function watchHeartbeat({ clock, signal, ping, progress, beat }: HeartbeatOptions): Promise<boolean> {
  try {
    for (;;) {
      await clock.sleep(PING_MS, { signal });
      beat?.();
      if (!(await answered({ clock, signal, ping, progress }))) return true;
    }
  } catch {
    return false;
  }
}

async function answered({ clock, signal, ping, progress }: HeartbeatOptions): Promise<boolean> {
  const answer = ping().then(() => true);
  answer.catch(() => {});
  let before = progress();
  for (let missed = 0; missed < MOST_MISSED; ) {
    const stop = new AbortController();
    const beat = clock.sleep(BEAT_MS, { signal: AbortSignal.any([signal, stop.signal]) }).then(() => false);
    beat.catch(() => {});
    const isAnswered = await Promise.race([answer, beat]).finally(() => stop.abort());
    if (isAnswered) return true;
    const now = progress();
    if (!isStarved(before, now)) missed++;
    before = now;
  }
  return false;
}

function isStarved(before: Progress | undefined, now: Progress | undefined): boolean {
  return now?.state === 'R' && now.ticks === before?.ticks;
}

/** Of a process's first thread. Source: proc_pid_stat(5), fields 3, 14 and 15. */
export function progressOf(pid: number): Progress | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}
