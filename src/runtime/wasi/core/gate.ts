/** Wakes everybody who waits, each time it opens; an aborted wait ends silently, so nothing is left behind. */
export class Gate {
  readonly #waiting = new Set<() => void>();

  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  open(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
