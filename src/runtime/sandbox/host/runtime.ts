/**
 * The runtime over sandbox processes: places workloads by tenant and isolation, starts and ends sandboxes, finds those of an
 * earlier node process again, and keeps one warm. Composed by the node's main; everything it needs is given.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Log, silentLog, systemClock } from '#kit';
import { ffiAvailable, type UserRange } from '#kit/os';
import type {
  Limits,
  Listener,
  Placement,
  Runtime,
  SandboxInfo,
  Signal,
  Verdict,
  WorkloadId,
  WorkloadReport,
  WorkloadSpec,
  WorkloadStats,
} from '../../contract.ts';
import { workloadKey } from '../../contract.ts';
import { Admission } from '../../module/admission.ts';
import { runtimeError } from '../errors.ts';
import type { ExitedState } from '../exits.ts';
import { workloadIdOf, workloadName } from '../protocol/messages.ts';
import { DEFAULT_USERS, demandedByDefault, findMeans, missingWalls, type Wall, type WallsReport } from '../walls.ts';
import { SandboxGroups } from './groups.ts';
import { defaultMostOwn, placementOf } from './placement.ts';
import { Reports } from './reports.ts';
import type { Sandbox } from './sandbox.ts';
import { Sandboxes } from './sandboxes.ts';
import { TenantUsers } from './users.ts';

export interface RuntimeOptions {
  readonly dataDir: string;
  readonly log?: Log;
  readonly clock?: Clock;
  /** The Node binary that sandboxes run on; this process's own by default. */
  readonly node?: string;
  /** How many sandboxes wait for a tenant. */
  readonly warm?: number | undefined;
  /** How many sandboxes a tenant's pods share; 1 where nothing else is said. */
  readonly pool?: number | undefined;
  /** How many pods may have a process of their own at once; by the machine's memory where nothing is said. */
  readonly mostOwnProcesses?: number | undefined;
  /** Walls without which no guest starts; by what the machine offers where nothing is said. */
  readonly demanded?: readonly Wall[] | undefined;
  /** The users that tenants get; the last of them looks at modules. */
  readonly users?: UserRange | undefined;
  /** Starts guests without walls where the system has none to offer. */
  readonly insecureTrustedGuests?: boolean;
}

export type SandboxRuntime = Runtime &
  Required<Pick<Runtime, 'prepare'>> & {
    /** Demanded walls that cannot stand here, each with why: then no guest starts. */
    readonly missingWalls: readonly string[];
  };

/** Finds the sandboxes that are there, reports their workloads, and starts the warm one. */
export async function createRuntime(options: RuntimeOptions): Promise<SandboxRuntime> {
  if (!ffiAvailable() && options.insecureTrustedGuests !== true) {
    throw runtimeError(
      'RUNTIME_NO_WALLS',
      'Cannot run guests: this Node has no node:ffi, so they would have no walls',
      {
        hint: 'Start it without --no-experimental-ffi, or with --insecure-trusted-guests if you trust every guest',
      },
    );
  }
  const runtime = new ProcessRuntime(options);
  await runtime.open();
  return runtime;
}

class ProcessRuntime implements SandboxRuntime {
  readonly missingWalls: readonly string[];
  readonly #reports = new Reports();
  readonly #sandboxes: Sandboxes;
  readonly #admission: Admission;
  readonly #creating = new Map<string, Promise<void>>();
  #closed = false;

  constructor({
    dataDir,
    log = silentLog,
    clock = systemClock,
    node = process.execPath,
    warm = 1,
    pool = 1,
    mostOwnProcesses = defaultMostOwn(totalmem()),
    insecureTrustedGuests = false,
    users = DEFAULT_USERS,
    demanded,
  }: RuntimeOptions) {
    const { means, cgroups } = findMeans(users);
    const wanted = demanded ?? demandedByDefault(means, { trusted: insecureTrustedGuests });
    this.missingWalls = missingWalls({ means, demanded: wanted });
    for (const missing of this.missingWalls)
      log.error('No guest will start: a demanded wall cannot stand', { missing });
    writeReport(dataDir, { means, demanded: wanted });
    const reports = this.#reports;
    const canChange = means.users && means.landlock > 0;
    this.#sandboxes = new Sandboxes({
      dataDir,
      log,
      clock,
      node,
      warm,
      rules: { pool, mostOwn: mostOwnProcesses },
      insecureTrustedGuests,
      users: canChange ? new TenantUsers(dataDir, { first: users.first, last: users.last - 1 }) : undefined,
      groups: new SandboxGroups(cgroups),
      demanded: wanted,
      changed: (key, state) => reports.set(key, state),
    });
    const user = canChange ? users.last : undefined;
    this.#admission = new Admission({ dataDir, node, clock, insecureTrustedGuests, user });
  }

  async open(): Promise<void> {
    await this.#sandboxes.takeOver();
    this.#sandboxes.refill();
  }

  admit(module: WorkloadSpec['module'], options: { signal?: AbortSignal } = {}): Promise<Verdict> {
    return this.#admission.admit(module, options);
  }

  async prepare(placement: Placement & { readonly podUid?: string }): Promise<void> {
    // A process of the pod's own is granted folders that are there by then; they are to have the tenant's user.
    if (placement.isolation === 'pod') return this.#sandboxes.claim(placement.tenant);
    const sandbox = await this.#sandboxes.place(placement, placement.podUid ?? '');
    // The workload it was prepared for may never come.
    this.#sandboxes.emptied(sandbox);
  }

  async create(spec: WorkloadSpec, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#closed) throw runtimeError('RUNTIME_CLOSED', 'Cannot create a workload: the runtime is closed');
    const key = checkedKey(spec.id);
    const creating = this.#creating.get(key);
    if (creating !== undefined) return creating;
    if (this.#reports.get(key) !== undefined) return;
    const made = this.#place(spec).finally(() => this.#creating.delete(key));
    this.#creating.set(key, made);
    return made;
  }

  async #place(spec: WorkloadSpec): Promise<void> {
    const executable = await this.#admission.executable(spec.module);
    const placement = placementOf(spec.placement, executable.execution);
    const sandbox = await this.#sandboxes.place(placement, spec.id.podUid, spec.logPath);
    await sandbox.create(spec, executable);
  }

  async start(id: WorkloadId): Promise<void> {
    const key = workloadKey(id);
    if (this.#find(key).phase === 'created') await this.#sandboxOf(key)?.start(key);
  }

  async kill(id: WorkloadId, signal: Signal): Promise<void> {
    const key = workloadKey(id);
    const state = this.#reports.get(key);
    if (state === undefined || state.phase === 'exited') return;
    await this.#sandboxOf(key)?.kill(key, signal);
  }

  async wait(id: WorkloadId, { signal }: { signal?: AbortSignal } = {}): Promise<ExitedState> {
    const key = workloadKey(id);
    this.#find(key);
    return this.#reports.exitOf(key, signal);
  }

  async delete(id: WorkloadId): Promise<void> {
    const key = workloadKey(id);
    const state = this.#reports.get(key);
    if (state === undefined) return;
    if (state.phase === 'running')
      throw runtimeError('RUNTIME_STILL_RUNNING', `Cannot delete workload '${key}': it is running`);
    const sandbox = this.#sandboxOf(key);
    await sandbox?.delete(key);
    this.#reports.delete(key);
    if (sandbox !== undefined) this.#sandboxes.emptied(sandbox);
  }

  async stats(id: WorkloadId): Promise<WorkloadStats | undefined> {
    const key = workloadKey(id);
    if (this.#reports.get(key)?.phase !== 'running') return undefined;
    return this.#sandboxOf(key)
      ?.stats(key)
      .catch(() => undefined);
  }

  async resize(id: WorkloadId, limits: Limits): Promise<boolean> {
    const key = workloadKey(id);
    this.#find(key);
    return (await this.#sandboxOf(key)?.resize(key, limits)) ?? false;
  }

  list(): readonly WorkloadReport[] {
    return this.#reports.list();
  }

  async listenersOf(podUid: string): Promise<readonly Listener[]> {
    const holders = this.#sandboxes.all().filter((sandbox) => sandbox.open && sandbox.has(podUid));
    const found = await Promise.all(holders.map((sandbox) => sandbox.listenersOf(podUid)));
    return found.flat();
  }

  subscribe(listener: (report: WorkloadReport) => void): () => void {
    return this.#reports.subscribe(listener);
  }

  async release(placement: Placement & { readonly podUid?: string }): Promise<void> {
    const removed = await this.#sandboxes.release(placement);
    for (const key of removed) this.#reports.delete(key);
  }

  sandboxes(): readonly SandboxInfo[] {
    return this.#sandboxes
      .all()
      .filter((sandbox) => sandbox.open)
      .map((sandbox) => sandbox.info());
  }

  /** Lets go of everything and ends only what holds no workload. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#admission[Symbol.asyncDispose]();
    await this.#sandboxes[Symbol.asyncDispose]();
  }

  #find(key: string) {
    const state = this.#reports.get(key);
    if (state === undefined) throw runtimeError('RUNTIME_UNKNOWN_WORKLOAD', `Cannot find workload '${key}'`);
    return state;
  }

  #sandboxOf(key: string): Sandbox | undefined {
    return this.#sandboxes.of(key);
  }
}

/** For people who ask from outside; a node that cannot write it runs all the same. */
function writeReport(dataDir: string, report: WallsReport): void {
  const path = join(dataDir, 'walls.json');
  try {
    writeFileSync(`${path}.new`, JSON.stringify(report), { mode: 0o644 });
    renameSync(`${path}.new`, path);
  } catch {
    // `status` shows less.
  }
}

function checkedKey(id: WorkloadId): string {
  const key = workloadKey(id);
  try {
    workloadName(key, 'workload');
    if (workloadKey(workloadIdOf(key)) === key) return key;
  } catch {
    // Said below.
  }
  throw runtimeError(
    'RUNTIME_BAD_SPEC',
    `Cannot create workload '${key}': that is not podUid/container/attempt in letters that a file name can have`,
  );
}
