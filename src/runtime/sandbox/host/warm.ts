/**
 * Sandboxes that wait for a tenant, each with an empty root that Landlock has granted to it. The first tenant without files gets one by
 * renaming that root to its own: the rule follows the directory (docs/decisions/0003-sandbox-protocol.md).
 */
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Clock, type Log, messageOf } from '#kit';
import { Tree } from '#kit/os';
import type { Sandbox } from './sandbox.ts';

export interface WarmOptions {
  readonly dataDir: string;
  readonly count: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Starts one that is granted this directory. */
  readonly spawn: (id: string, root: string) => Promise<Sandbox>;
  readonly newId: () => string;
}

/** The next one does not start while the pods that took the last one do. */
const REFILL_MS = 2000;
/** A machine on which none starts should not try all day long. */
const RETRY_MS = 5000;

export class WarmSandboxes {
  readonly #options: WarmOptions;
  readonly #waiting: Promise<Sandbox>[] = [];

  constructor(options: WarmOptions) {
    this.#options = options;
  }

  get waiting(): readonly Promise<Sandbox>[] {
    return this.#waiting;
  }

  refill(): void {
    const { dataDir, count, log, signal, spawn, newId } = this.#options;
    while (this.#waiting.length < count && !signal.aborted) {
      const id = newId();
      const root = warmRoot(dataDir, id);
      mkdirSync(root, { recursive: true, mode: 0o755 });
      const warm = spawn(id, root);
      this.#waiting.push(warm);
      warm.catch((error) => {
        const at = this.#waiting.indexOf(warm);
        if (at >= 0) this.#waiting.splice(at, 1);
        void new Tree(dirname(root)).remove(root).catch(() => {});
        log.warn('Cannot keep a sandbox warm', { error: messageOf(error) });
      });
    }
  }

  /** One that was found again; false when there are enough. */
  adopt(sandbox: Sandbox): boolean {
    if (this.#waiting.length >= this.#options.count) return false;
    this.#waiting.push(Promise.resolve(sandbox));
    return true;
  }

  /** One whose root is now `root`; undefined when none waits, or the tenant has files already. */
  async take(root: string): Promise<Sandbox | undefined> {
    const warm = this.#waiting.shift();
    if (warm === undefined) return undefined;
    const sandbox = await warm.catch(() => undefined);
    if (sandbox === undefined || !sandbox.open) return undefined;
    try {
      renameSync(warmRoot(this.#options.dataDir, sandbox.record.id), root);
      return sandbox;
    } catch {
      // The tenant has files already: this one waits on for another.
      this.#waiting.push(warm);
      return undefined;
    } finally {
      this.#refillAfter(REFILL_MS);
    }
  }

  /** One that is gone. */
  lost(sandbox: Sandbox): void {
    for (const warm of [...this.#waiting]) {
      warm.then(
        (other) => {
          const at = this.#waiting.indexOf(warm);
          if (other === sandbox && at >= 0) this.#waiting.splice(at, 1);
        },
        () => {},
      );
    }
    if (sandbox.record.tenant === undefined) this.#refillAfter(RETRY_MS);
  }

  #refillAfter(ms: number): void {
    this.#options.clock.sleep(ms, { signal: this.#options.signal }).then(
      () => this.refill(),
      () => {},
    );
  }
}

export function warmRoot(dataDir: string, id: string): string {
  return join(dataDir, 'tenants', `.warm-${id}`);
}
