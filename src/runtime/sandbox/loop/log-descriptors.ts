/** Which logs have a descriptor open: few at a time, and none that is idle. Descriptors are scarcer than guests. */
import type { LogFile } from './log-file.ts';

const SWEEP_MS = 5000;

export class LogDescriptors {
  readonly #most: number;
  /** Open logs, the longest unused first, with whether they were used since the last sweep. */
  readonly #open = new Map<LogFile, boolean>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ most = 256 } = {}) {
    this.#most = most;
  }

  get count(): number {
    return this.#open.size;
  }

  makeRoom(): void {
    for (const log of this.#open.keys()) {
      if (this.#open.size < this.#most) return;
      log.closeDescriptor();
    }
  }

  opened(log: LogFile): void {
    this.#open.set(log, true);
    this.#timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  used(log: LogFile): void {
    this.#open.delete(log);
    this.#open.set(log, true);
  }

  closed(log: LogFile): void {
    this.#open.delete(log);
  }

  /** Closes what was not written to since the last sweep. */
  sweep(): void {
    for (const [log, used] of [...this.#open]) {
      if (used) this.#open.set(log, false);
      else log.closeDescriptor();
    }
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
