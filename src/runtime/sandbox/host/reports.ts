/** What is known of every workload, and who wants to know. */
import type { WorkloadReport, WorkloadState } from '../../contract.ts';
import { runtimeError } from '../errors.ts';
import type { ExitedState } from '../exits.ts';
import { workloadIdOf } from '../protocol/messages.ts';

interface Waiter {
  readonly resolve: (state: ExitedState) => void;
  readonly reject: (error: unknown) => void;
}

export class Reports {
  readonly #states = new Map<string, WorkloadState>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #listeners = new Set<(report: WorkloadReport) => void>();

  get(key: string): WorkloadState | undefined {
    return this.#states.get(key);
  }

  list(): readonly WorkloadReport[] {
    return [...this.#states].map(([key, state]) => ({ id: workloadIdOf(key), state }));
  }

  set(key: string, state: WorkloadState): void {
    const before = this.#states.get(key);
    if (before?.phase === 'exited' || (before?.phase === 'running' && state.phase !== 'exited')) return;
    this.#states.set(key, state);
    const report = { id: workloadIdOf(key), state };
    for (const listener of [...this.#listeners]) listener(report);
    if (state.phase !== 'exited') return;
    for (const waiter of this.#waiters.get(key) ?? []) waiter.resolve(state);
    this.#waiters.delete(key);
  }

  delete(key: string): void {
    this.#states.delete(key);
    const error = runtimeError('RUNTIME_UNKNOWN_WORKLOAD', `Cannot wait for workload '${key}': it was deleted`);
    for (const waiter of this.#waiters.get(key) ?? []) waiter.reject(error);
    this.#waiters.delete(key);
  }

  exitOf(key: string, signal?: AbortSignal): Promise<ExitedState> {
    const state = this.#states.get(key);
    if (state?.phase === 'exited') return Promise.resolve(state);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const waiters = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiters);
      const waiter: Waiter = {
        resolve(exit) {
          signal?.removeEventListener('abort', abort);
          resolve(exit);
        },
        reject(error) {
          signal?.removeEventListener('abort', abort);
          reject(error);
        },
      };
      function abort(): void {
        waiters.delete(waiter);
        reject(signal?.reason);
      }
      waiters.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  subscribe(listener: (report: WorkloadReport) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
