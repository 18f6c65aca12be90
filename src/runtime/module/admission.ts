/**
 * The node's side of admission: has each module looked at once, in a process of its own, and remembers by digest what came of it: the
 * verdict in `modules/<hex>.json`, the rewritten module in `modules/<hex>.<rewriter version>.wasm`, read-only. The module is written before
 * the verdict that speaks of it; a verdict whose module is not there whole, or of another version, is none.
 */
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, messageOf } from '#kit';
import type { Verdict, WorkloadSpec } from '../contract.ts';
import { moduleError, type RefusalCode } from './errors.ts';
import { Examiner } from './examiner.ts';
import { REWRITER_VERSION } from './shape.ts';
import { type Admitted, readVerdict } from './verdict.ts';

export interface AdmissionOptions {
  readonly dataDir: string;
  readonly node: string;
  readonly clock: Clock;
  readonly insecureTrustedGuests: boolean;
  /** The user that looks at modules; the node's own where none is given. */
  readonly user?: number | undefined;
  /** Milliseconds for one module. */
  readonly patienceMs?: number;
  readonly idleMs?: number;
  /** Bytes of rewritten modules that are kept on disk; those that were not used for longest go first. */
  readonly mostKeptBytes?: number;
}

/** What a sandbox is to be given. */
export interface Executable {
  /** The rewritten module, or for the class `process` the original. */
  readonly path: string;
  readonly execution: NonNullable<Verdict['execution']>;
}

/** Its first number grows when the same module may get another verdict. */
const VERSION = `4.${REWRITER_VERSION}`;
const MAX_MODULE_BYTES = 512 * 1024 * 1024;
const MOST_KEPT_BYTES = 1024 * 1024 * 1024;

type Module = WorkloadSpec['module'];

export class Admission {
  readonly #directory: string;
  readonly #examiner: Examiner;
  readonly #mostKeptBytes: number;
  readonly #known = new Map<string, Promise<Verdict>>();
  #line: Promise<unknown> = Promise.resolve();

  constructor({ dataDir, mostKeptBytes = MOST_KEPT_BYTES, ...options }: AdmissionOptions) {
    this.#mostKeptBytes = mostKeptBytes;
    this.#directory = join(dataDir, 'modules');
    this.#examiner = new Examiner({ patienceMs: 30_000, idleMs: 5000, ...options });
  }

  async admit(module: Module, { signal }: { signal?: AbortSignal } = {}): Promise<Verdict> {
    signal?.throwIfAborted();
    const known = this.#known.get(module.digest) ?? this.#first(module);
    if (signal === undefined) return known;
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    return Promise.race([known, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
  }

  /** The file that a sandbox gets, admitting the module first where that has not been done. Throws what it was refused with. */
  async executable(module: Module, options: { signal?: AbortSignal } = {}): Promise<Executable> {
    let verdict = await this.admit(module, options);
    const path = this.#rewritten(module.digest);
    const { execution, refusal } = verdict;
    if (execution === undefined || refusal !== undefined) {
      const { code, message } = refusal ?? { code: 'MODULE_STALLED', message: 'it was not looked at' };
      throw moduleError(code as RefusalCode, `Cannot run the module: ${message}`);
    }
    if (execution.class === 'process') return { path: module.path, execution };
    // Used now: the last to be removed where there is no room.
    const now = new Date();
    const isThere = await utimes(path, now, now).then(
      () => true,
      () => false,
    );
    if (!isThere) {
      // It was removed for room, or somebody took it away under a node that runs.
      this.#known.delete(module.digest);
      verdict = await this.admit(module, options);
    }
    return { path, execution: verdict.execution ?? execution };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#examiner.end();
    await this.#line;
  }

  #first(module: Module): Promise<Verdict> {
    const made = this.#remembered(module);
    this.#known.set(module.digest, made);
    // An error of ours is not the module's verdict; nor is a stall, which a busy machine may have caused.
    made.then(
      ({ refusal }) => refusal?.code === 'MODULE_STALLED' && this.#known.delete(module.digest),
      () => this.#known.delete(module.digest),
    );
    return made;
  }

  #path(digest: string, end: string): string {
    return join(this.#directory, `${digest.replace(/^sha256:/, '').replace(/[^0-9A-Za-z]/g, '_')}.${end}`);
  }

  #rewritten(digest: string): string {
    return this.#path(digest, `${REWRITER_VERSION}.wasm`);
  }

  async #remembered(module: Module): Promise<Verdict> {
    const { digest } = module;
    const found = await readVerdict(this.#path(digest, 'json'), { version: VERSION, digest });
    if (found !== undefined && (await this.#isWhole(digest, found))) return found.verdict;
    const turn = this.#line.then(() => this.#examine(module));
    this.#line = turn.catch(() => {});
    return turn;
  }

  async #isWhole(digest: string, { rewrittenBytes }: Admitted): Promise<boolean> {
    return rewrittenBytes === 0 || (await sizeOf(this.#rewritten(digest))) === rewrittenBytes;
  }

  async #examine({ digest, path }: Module): Promise<Verdict> {
    const { size } = await stat(path);
    if (size > MAX_MODULE_BYTES) {
      return refused(digest, 'MODULE_TOO_LARGE', `the module has ${size} bytes; at most ${MAX_MODULE_BYTES} are taken`);
    }
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const into = this.#path(digest, `wasm.${process.pid}.new`);
    const outcome = await this.#examiner.examine({ digest, path, size, into });
    if (typeof outcome === 'string') return refused(digest, 'MODULE_STALLED', outcome);
    await this.#keep(outcome, into);
    return outcome.verdict;
  }

  /** The module first, then the verdict. */
  async #keep({ verdict, rewrittenBytes }: Admitted, written: string): Promise<void> {
    const path = this.#path(verdict.digest, 'json');
    await this.#removeOthers(verdict.digest, written);
    if (rewrittenBytes > 0) {
      await this.#makeRoom(rewrittenBytes);
      await rename(written, this.#rewritten(verdict.digest));
    }
    const aside = `${path}.${process.pid}.new`;
    try {
      await using file = await open(aside, 'w', 0o600);
      await file.writeFile(JSON.stringify({ version: VERSION, verdict, rewrittenBytes }));
      await file.sync();
      await rename(aside, path);
    } catch (error) {
      // A verdict that cannot be kept is found again.
      process.emitWarning(`Cannot keep a module's verdict: ${messageOf(error)}`);
    }
  }

  /** A removed one is made again when it is asked for; sandboxes that have it open keep it. */
  async #makeRoom(bytes: number): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith('.wasm'));
    const files = await Promise.all(names.map((name) => fileAt(join(this.#directory, name))));
    const known = files.filter((file) => file !== undefined).sort((a, b) => a.usedAt - b.usedAt);
    let held = known.reduce((sum, { size }) => sum + size, bytes);
    for (const { path, size } of known) {
      if (held <= this.#mostKeptBytes) return;
      await rm(path, { force: true });
      held -= size;
    }
  }

  /** What other versions of the rewriter left, and processes that ended in between. Sandboxes that have such a file open keep it. */
  async #removeOthers(digest: string, written: string): Promise<void> {
    const prefix = this.#path(digest, '');
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      if (path.startsWith(prefix) && path !== written) await rm(path, { force: true });
    }
  }
}

async function fileAt(path: string): Promise<{ path: string; size: number; usedAt: number } | undefined> {
  return stat(path).then(
    ({ size, mtimeMs }) => ({ path, size, usedAt: mtimeMs }),
    () => undefined,
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

function refused(digest: string, code: RefusalCode, message: string): Verdict {
  return { digest, kind: 'unknown', wasi: [], exports: [], imports: [], refusal: { code, message } };
}
