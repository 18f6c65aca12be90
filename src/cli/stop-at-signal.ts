/**
 * The first SIGINT or SIGTERM asks for an orderly end; a later one ends the process at once. Launchers pass on a Ctrl-C that
 * the terminal sent to all of them (npm, `bin/start.js`, `bin/wasmlet`), so what follows closely is the same one.
 */
import type { EventEmitter } from 'node:events';
import { type Clock, systemClock } from '#kit';

const SAME_MS = 1000;

export interface SignalSource {
  readonly source?: EventEmitter;
  readonly clock?: Pick<Clock, 'monotonic'>;
  readonly endAtOnce?: (name: NodeJS.Signals) => void;
}

export function stopAtSignal({
  source = process,
  clock = systemClock,
  endAtOnce = dieOf,
}: SignalSource = {}): AbortController {
  const stop = new AbortController();
  let first = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    source.on(name, () => {
      if (stop.signal.aborted && clock.monotonic() - first > SAME_MS) return endAtOnce(name);
      if (stop.signal.aborted) return;
      first = clock.monotonic();
      stop.abort(name);
    });
  }
  return stop;
}

/** As without a listener: whoever waits for this process sees the signal. */
function dieOf(name: NodeJS.Signals): void {
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}
