/**
 * Where attempts are made: a runtime as the node has it, with a tenant `evil` that the hostile guest belongs to, a tenant
 * `victim` with a secret, and a neighbour in evil's own namespace that must not notice anything.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type Exit,
  type Limits,
  type Mount,
  refusalAt,
  type Verdict,
  type WorkloadId,
  type WorkloadSpec,
} from '../../src/runtime/mod.ts';
import { createRuntime, type SandboxRuntime } from '../../src/runtime/sandbox/mod.ts';
import { leaveNothing } from '../processes/left-behind.ts';

const guests = fileURLToPath(new URL('../../guests', import.meta.url));
export const HOSTILE = join(guests, 'hostile', 'hostile.wasm');
export const SCRIPTED = join(guests, 'scripted', 'scripted.wasm');

export interface Run {
  readonly tenant?: string;
  readonly isolation?: 'tenant' | 'pod';
  readonly args?: readonly string[];
  readonly env?: readonly (readonly [string, string])[];
  readonly mounts?: readonly Mount[];
  readonly limits?: Limits;
  readonly label?: string;
  readonly entrypoint?: string;
  readonly logName?: string;
}

export interface Guest {
  readonly spec: WorkloadSpec;
  readonly verdict: Verdict;
  /** The exit when it came within the time. */
  exit(seconds?: number): Promise<Exit | undefined>;
  /** SIGKILL; milliseconds until its exit was told, undefined when that took longer than the time. */
  kill(seconds?: number): Promise<number | undefined>;
  output(): string;
  forget(): Promise<void>;
}

/** Somebody in the same namespace, on the same thread, who only wants to go on. */
export interface Neighbour {
  /** What became of it, where something did. */
  lost(): Promise<string | undefined>;
  /** Its longest silence since, in milliseconds; it speaks every 20. */
  pause(): number;
}

/** Longer, and a server would have lost its clients. */
const LONGEST_PAUSE_MS = 3000;

export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class Ground implements AsyncDisposable {
  readonly dataDir: string;
  readonly secret = `SECRET-${randomBytes(8).toString('hex')}`;
  readonly runtime: SandboxRuntime;
  readonly #interrupted: Disposable;
  #count = 0;
  #neighbour: Guest | undefined;
  /** Ticks of the neighbour before it was started anew. */
  #deaths = 0;

  static async open({ node = process.execPath }: { node?: string } = {}): Promise<Ground> {
    const dataDir = mkdtempSync(join(tmpdir(), 'wasmlet-escape-'));
    chmodSync(dataDir, 0o711);
    const ground = new Ground(dataDir, await createRuntime({ dataDir, node, warm: 0 }));
    mkdirSync(join(dataDir, 'pki'), { mode: 0o700 });
    writeFileSync(join(dataDir, 'pki', 'sa.key'), ground.secret, { mode: 0o600 });
    const victim = join(dataDir, 'tenants', 'victim', 'pods', 'v', 'data');
    mkdirSync(victim, { recursive: true });
    writeFileSync(join(victim, 'secret'), ground.secret);
    return ground;
  }

  private constructor(dataDir: string, runtime: SandboxRuntime) {
    this.dataDir = dataDir;
    this.runtime = runtime;
    this.#interrupted = leaveNothing(dataDir);
  }

  get victimSecret(): string {
    return join(this.dataDir, 'tenants', 'victim', 'pods', 'v', 'data', 'secret');
  }

  folder(name: string, { tenant = 'evil', podUid = 'shared' } = {}): string {
    const path = join(this.dataDir, 'tenants', tenant, 'pods', podUid, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Admits, creates and starts a module as the node does. Throws Refused where one of them says no. */
  async start(module: string | Uint8Array, run: Run = {}): Promise<Guest> {
    const spec = this.#spec(module, run);
    const verdict = await this.runtime.admit(spec.module);
    const refusal = refusalAt(verdict, spec.entrypoint);
    if (refusal !== undefined) throw new Refused(refusal.code, refusal.message);
    try {
      await this.runtime.create(spec);
      await this.runtime.start(spec.id);
    } catch (error) {
      const { code = 'ERROR', message } = error as { code?: string; message: string };
      throw new Refused(code, message);
    }
    return this.#guest(spec, verdict);
  }

  /** Runs to its end; killed when it takes longer. */
  async run(module: string | Uint8Array, run: Run = {}, seconds = 20): Promise<{ exit: Exit; output: string }> {
    const guest = await this.start(module, run);
    const exit = await guest.exit(seconds);
    if (exit === undefined) await guest.kill();
    const output = guest.output();
    await guest.forget();
    return { exit: exit ?? { code: -1, reason: 'Error', message: `did not end in ${seconds} s` }, output };
  }

  /** A guest beside the hostile one that goes on answering: the same namespace, the same process. */
  async neighbour(): Promise<Neighbour> {
    if (this.#neighbour === undefined || (await this.#neighbour.exit(0)) !== undefined) {
      this.#neighbour = await this.start(SCRIPTED, { args: ['scripted', 'tick', '20'], label: 'evil/neighbour' });
    }
    const guest = this.#neighbour;
    const before = guest.output().length;
    const from = Date.now();
    const lost = async () => {
      const exit = await guest.exit(0);
      if (exit !== undefined) {
        this.#deaths++;
        return `the neighbour ended with it: ${exit.code} ${exit.message ?? ''}`.slice(0, 160);
      }
      const then = performance.now();
      while (performance.now() - then < LONGEST_PAUSE_MS && guest.output().length <= before) await sleep(20);
      const pause = longestPause(guest.spec.logPath, from);
      return pause > LONGEST_PAUSE_MS ? `the neighbour stood still for ${pause} ms` : undefined;
    };
    return { lost, pause: () => longestPause(guest.spec.logPath, from) };
  }

  get deaths(): number {
    return this.#deaths;
  }

  sandboxPid(tenant: string): number | undefined {
    return this.runtime.sandboxes().find((sandbox) => sandbox.tenant === tenant)?.pid;
  }

  /** What each process of a sandbox wrote for itself. */
  sandboxLog(tenant: string): string {
    const id = this.runtime.sandboxes().find((sandbox) => sandbox.tenant === tenant)?.id ?? '';
    return readFileSync(join(this.dataDir, 'sandboxes', id, 'log'), 'utf8');
  }

  #spec(module: string | Uint8Array, run: Run): WorkloadSpec {
    const { tenant = 'evil', isolation = 'tenant', args = ['hostile'], env = [], mounts = [], limits = {} } = run;
    const bytes = typeof module === 'string' ? readFileSync(module) : module;
    const hex = createHash('sha256').update(bytes).digest('hex');
    const path = join(this.dataDir, 'content', hex);
    if (!existsSync(path)) {
      mkdirSync(join(this.dataDir, 'content'), { recursive: true, mode: 0o700 });
      writeFileSync(path, bytes, { mode: 0o600 });
    }
    const id: WorkloadId = { podUid: `p${this.#count++}`, container: 'main', attempt: 0 };
    const label = run.label ?? `${tenant}/hostile`;
    return {
      ...{ id, label, args, env, mounts, limits, workingDir: '/', listeners: [], onTerm: 'default' },
      placement: { tenant, isolation },
      module: { digest: `sha256:${hex}`, path },
      entrypoint: run.entrypoint ?? '_start',
      logPath: join(
        this.dataDir,
        'tenants',
        tenant,
        'logs',
        run.logName ?? `${tenant}_x_${id.podUid}`,
        'main',
        '0.log',
      ),
    };
  }

  #guest(spec: WorkloadSpec, verdict: Verdict): Guest {
    const { runtime } = this;
    const ended = runtime.wait(spec.id).then(({ exit }) => exit);
    ended.catch(() => {});
    async function exit(seconds = 20): Promise<Exit | undefined> {
      return await Promise.race([ended, sleep(seconds * 1000, undefined, { ref: false })]);
    }
    async function kill(seconds = 20): Promise<number | undefined> {
      const from = performance.now();
      await runtime.kill(spec.id, 'SIGKILL');
      return (await exit(seconds)) === undefined ? undefined : performance.now() - from;
    }
    async function forget(): Promise<void> {
      await kill();
      await runtime.delete(spec.id);
    }
    return { spec, verdict, exit, kill, output: () => outputOf(spec.logPath), forget };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of this.runtime.list()) await this.runtime.kill(id, 'SIGKILL').catch(() => {});
    for (const { tenant } of this.runtime.sandboxes()) {
      if (tenant === undefined) continue;
      for (const isolation of ['tenant', 'pod'] as const) await this.runtime.release({ tenant, isolation });
    }
    await this.runtime[Symbol.asyncDispose]();
    this.#interrupted[Symbol.dispose]();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** The longest time without a line since then, in milliseconds. */
function longestPause(path: string, from: number): number {
  const times = [...readFileSync(path, 'latin1').matchAll(/^(\S+)\d{6}Z /gm)].map(([, time]) => Date.parse(`${time}Z`));
  const since = [from, ...times.filter((time) => time > from), Date.now()];
  return Math.max(...since.slice(1).map((time, at) => time - (since[at] ?? time)));
}

/** The text of a log, without times and streams; of a large one its end. */
function outputOf(path: string): string {
  if (!existsSync(path)) return '';
  const size = statSync(path).size;
  const text = readFileSync(path, 'latin1').slice(Math.max(0, size - 4_000_000));
  return text.replace(/^\S+ (stdout|stderr) [PF] /gm, '');
}
