/**
 * The node's side of admission: looks at each module once, in a process of its own, and remembers the verdict on disk by
 * digest (`modules/<hex>.json`). The process is started when a module is new and ends when it has been idle for a while.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, entryUrl, messageOf } from '#kit';
import { ffiAvailable } from '#kit/os';
import type { Verdict, WorkloadSpec } from '../contract.ts';
import type { LaunchPlan } from '../sandbox/launch.ts';
import type { RefusalCode } from './errors.ts';
import { parseVerdict, readVerdict } from './verdict.ts';

export interface AdmissionOptions {
  readonly dataDir: string;
  readonly node: string;
  readonly clock: Clock;
  readonly insecureTrustedGuests: boolean;
  /** Milliseconds for one module. */
  readonly patienceMs?: number;
  readonly idleMs?: number;
}

/** Grows when the same module may get another verdict. */
const VERDICTS = 1;
const MAX_MODULE_BYTES = 512 * 1024 * 1024;
const MAX_VERDICT_BYTES = 32 * 1024 * 1024;
const FLAGS = ['--max-old-space-size=256', '--no-warnings'];

export class Admission {
  readonly #options: Required<AdmissionOptions>;
  readonly #known = new Map<string, Promise<Verdict>>();
  #line: Promise<unknown> = Promise.resolve();
  #process: ChildProcess | undefined;
  #uses = 0;

  constructor(options: AdmissionOptions) {
    this.#options = { patienceMs: 30_000, idleMs: 5000, ...options };
  }

  async admit(module: WorkloadSpec['module'], { signal }: { signal?: AbortSignal } = {}): Promise<Verdict> {
    signal?.throwIfAborted();
    const known = this.#known.get(module.digest) ?? this.#first(module);
    if (signal === undefined) return known;
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    return Promise.race([known, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#line;
  }

  #first(module: WorkloadSpec['module']): Promise<Verdict> {
    const made = this.#remembered(module);
    this.#known.set(module.digest, made);
    // An error of ours is not the module's verdict; nor is a stall, which a busy machine may have caused.
    made.then(
      ({ refusal }) => refusal?.code === 'MODULE_STALLED' && this.#known.delete(module.digest),
      () => this.#known.delete(module.digest),
    );
    return made;
  }

  async #remembered(module: WorkloadSpec['module']): Promise<Verdict> {
    const path = join(
      this.#options.dataDir,
      'modules',
      `${module.digest.replace(/^sha256:/, '').replace(/[^0-9A-Za-z]/g, '_')}.json`,
    );
    const found = await readVerdict(path, { version: VERDICTS, digest: module.digest });
    if (found !== undefined) return found;
    const turn = this.#line.then(() => this.#look(module));
    this.#line = turn.catch(() => {});
    const verdict = await turn;
    if (verdict.refusal?.code !== 'MODULE_STALLED') await remember(path, verdict);
    return verdict;
  }

  async #look(module: WorkloadSpec['module']): Promise<Verdict> {
    const { size } = await stat(module.path);
    if (size > MAX_MODULE_BYTES) {
      return refused(
        module.digest,
        'MODULE_TOO_LARGE',
        `the module has ${size} bytes; at most ${MAX_MODULE_BYTES} are taken`,
      );
    }
    const child = this.#running();
    this.#uses++;
    const late = new AbortController();
    const patience = this.#options.clock.sleep(this.#options.patienceMs, { signal: late.signal }).then(
      () => `admission took longer than ${this.#options.patienceMs} ms`,
      () => '',
    );
    try {
      const outcome = await Promise.race([exchange(child, module, size), patience]);
      if (typeof outcome !== 'string') return outcome;
      this.#end();
      return refused(module.digest, 'MODULE_STALLED', outcome);
    } finally {
      late.abort();
      void this.#endWhenIdle(this.#uses);
    }
  }

  #running(): ChildProcess {
    const running = this.#process;
    if (running !== undefined && running.exitCode === null && running.signalCode === null) return running;
    const { node, insecureTrustedGuests } = this.#options;
    const insecure = insecureTrustedGuests && !ffiAvailable();
    const plan: LaunchPlan = { entry: 'admission', inherited: false, grants: [], flags: FLAGS, insecure, config: {} };
    const child = spawn(node, ['--no-warnings', fileURLToPath(entryUrl('launcher')), JSON.stringify(plan)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { NODE_NO_WARNINGS: '1' },
      cwd: '/',
    });
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    this.#process = child;
    return child;
  }

  async #endWhenIdle(use: number): Promise<void> {
    await this.#options.clock.sleep(this.#options.idleMs).catch(() => {});
    if (this.#uses === use) this.#end();
  }

  #end(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }
}

/** The verdict; a text when the process ended over the module or answered what is no verdict. */
async function exchange(child: ChildProcess, module: WorkloadSpec['module'], size: number): Promise<Verdict | string> {
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) return 'admission could not be started';
  const answer = readAnswer(child, module.digest);
  const asked = Buffer.from(JSON.stringify({ digest: module.digest, size }));
  const header = Buffer.alloc(4);
  header.writeUInt32LE(asked.byteLength);
  stdin.write(Buffer.concat([header, asked]));
  let sent = 0;
  for await (const piece of createReadStream(module.path)) {
    sent += (piece as Buffer).byteLength;
    if (!stdin.write(piece) && !stdin.destroyed)
      await Promise.race([once(stdin, 'drain').catch(() => {}), once(child, 'exit')]);
    if (stdin.destroyed || child.exitCode !== null || child.signalCode !== null) break;
  }
  if (sent < size && !stdin.destroyed && child.exitCode === null) return 'the module became shorter while it was read';
  return answer;
}

function readAnswer(child: ChildProcess, digest: string): Promise<Verdict | string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let held = 0;
    function done(outcome: Verdict | string): void {
      child.stdout?.off('data', take);
      child.off('close', closed);
      resolve(outcome);
    }
    function take(piece: Buffer): void {
      pieces.push(piece);
      held += piece.byteLength;
      if (held < 4) return;
      const all = Buffer.concat(pieces);
      const length = all.readUInt32LE(0);
      if (length > MAX_VERDICT_BYTES || held > 4 + length) done('admission answered what is no verdict');
      else if (held === 4 + length)
        done(parseVerdict(all.toString('utf8', 4), digest) ?? 'admission answered what is no verdict');
    }
    function closed(code: number | null, signal: string | null): void {
      done(`the admission process ended over it (${signal ?? `exit code ${code}`})`);
    }
    child.stdout?.on('data', take);
    child.on('close', closed);
  });
}

function refused(digest: string, code: RefusalCode, message: string): Verdict {
  return { digest, kind: 'unknown', wasi: [], exports: [], imports: [], refusal: { code, message } };
}

/** A verdict that cannot be kept is found again. */
async function remember(path: string, verdict: Verdict): Promise<void> {
  const aside = `${path}.${process.pid}.new`;
  try {
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    await writeFile(aside, JSON.stringify({ version: VERDICTS, verdict }), { mode: 0o600 });
    await rename(aside, path);
  } catch (error) {
    process.emitWarning(`Cannot keep a module's verdict: ${messageOf(error)}`);
  }
}
