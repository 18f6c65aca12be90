/** What an interrupted run leaves behind, and how it is prevented: sandboxes are made to outlive whoever started them. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';

/** Processes, but for this one, that have the text in their command line. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}

/** Until it is disposed of: a Ctrl-C or SIGTERM ends what has the folder in its command line, removes the folder, and ends this process as the signal says. */
export function leaveNothing(folder: string): Disposable {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  function clean(signal: (typeof signals)[number]): void {
    for (const pid of processesWith(folder)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    process.exit(128 + constants.signals[signal]);
  }
  for (const signal of signals) process.once(signal, clean);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, clean);
    },
  };
}
