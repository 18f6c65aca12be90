/** Changes of log files: one watcher a directory, however many follow; a poll where the kernel gives none. */
import { type FSWatcher, watch } from 'node:fs';
import type { Clock } from '#kit';
import { Tree } from '#kit/os';

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

export interface Watched {
  /** The tenant's directory, below which no link is followed. */
  readonly root: string;
  readonly directory: string;
}

export function changesOf(watched: Watched, { clock, signal }: { clock: Clock; signal: AbortSignal }): Changes {
  const { directory } = watched;
  const entry = shared.get(directory) ?? { watcher: open(watched), waiting: new Set<() => void>(), users: 0 };
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

function open({ root, directory }: Watched): FSWatcher | undefined {
  try {
    // The watch is on what is open now, and stays when the descriptor is closed.
    using folder = new Tree(root).folder(directory);
    const watcher = watch(`/proc/self/fd/${folder.fd}`, { persistent: false }, () => {
      for (const onChange of shared.get(directory)?.waiting ?? []) onChange();
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
