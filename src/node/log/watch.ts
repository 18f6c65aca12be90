/** Changes of log files: one watcher a directory, however many follow; a poll where the kernel gives none. */
import { type FSWatcher, watch } from 'node:fs';
import type { Clock } from '#kit';

const POLL = 1_000;

interface Shared {
  watcher: FSWatcher | undefined;
  readonly waiting: Set<() => void>;
  users: number;
}

const shared = new Map<string, Shared>();

export interface Changes extends Disposable {
  /** Resolves at the next change, after a second, or when the signal is aborted. */
  next(): Promise<void>;
}

export function changesOf(directory: string, { clock, signal }: { clock: Clock; signal: AbortSignal }): Changes {
  const entry = shared.get(directory) ?? { watcher: open(directory), waiting: new Set<() => void>(), users: 0 };
  shared.set(directory, entry);
  entry.users++;
  // A change between the last read and `next` must not be slept over.
  let changed = false;
  let wake: () => void = () => {};
  const onChange = () => {
    changed = true;
    wake();
  };
  entry.waiting.add(onChange);
  return {
    async next() {
      if (!changed) {
        const stop = new AbortController();
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const late = clock.sleep(POLL, { signal: AbortSignal.any([signal, stop.signal]) }).catch(() => {});
        await Promise.race([promise, late]);
        stop.abort();
      }
      changed = false;
    },
    [Symbol.dispose]() {
      entry.waiting.delete(onChange);
      if (--entry.users > 0) return;
      entry.watcher?.close();
      shared.delete(directory);
    },
  };
}

/** How many watchers there are; for tests. */
export function watchers(): number {
  return shared.size;
}

function open(directory: string): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, () => {
      for (const onChange of shared.get(directory)?.waiting ?? []) onChange();
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
