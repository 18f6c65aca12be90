/**
 * One sandbox as the node sees it: the process, the link to it, and the workloads that were placed there. States only move
 * forward; what the sandbox says of others ends it. When the process is gone, its exit records tell how its workloads ended.
 */
import { closeSync } from 'node:fs';
import { type Clock, isWasmletError, type Log, messageOf } from '#kit';
import { connectPackets, ffiAvailable, signalProcess, startTimeOf } from '#kit/os';
import type {
  Limits,
  Listener,
  SandboxInfo,
  Signal,
  WorkloadSpec,
  WorkloadState,
  WorkloadStats,
} from '../../contract.ts';
import { workloadKey } from '../../contract.ts';
import type { Executable } from '../../module/admission.ts';
import { runtimeError } from '../errors.ts';
import { type ExitedState, readExits, writeExit } from '../exits.ts';
import { listenersShape, snapshotShape, statsShape, type WireSpec } from '../protocol/messages.ts';
import { flag, type Shape } from '../protocol/shape.ts';
import type { Wall } from '../walls.ts';
import { EventOrder } from './event-order.ts';
import { Claims, type SandboxGroups } from './groups.ts';
import { MOST_MISSED, progressOf, watchHeartbeat } from './heartbeat.ts';
import { Link, type LinkEnd } from './link.ts';
import { ReceivedDescriptors } from './received.ts';
import type { Claim, SandboxFolder, SandboxRecord } from './record.ts';
import { wireSpec } from './wire.ts';

export interface SandboxContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly changed: (key: string, state: WorkloadState) => void;
  /** A workload was placed in this sandbox, or is no longer known there. */
  readonly placed: (key: string, sandbox: Sandbox) => void;
  readonly forgotten: (key: string, sandbox: Sandbox) => void;
  readonly gone: (sandbox: Sandbox) => void;
  readonly groups: SandboxGroups;
}

const CLAIM_MS = 50;
/** The heartbeat has its own patience. */
const FOREVER_MS = 2 ** 31 - 1;
/** Many times what a sandbox can hold. */
const MAX_KNOWN = 200_000;
const PHASES = ['created', 'running', 'exited'] as const;
const anything: Shape<unknown> = (value) => value;

export class Sandbox {
  readonly folder: SandboxFolder;
  readonly workloads = new Map<string, WorkloadState>();
  /** How many workloads each pod has here. */
  readonly #pods = new Map<string, number>();
  readonly #claims = new Claims();
  #claimsDue = false;
  readonly #context: SandboxContext;
  /** Of the connection of now. */
  #stop = new AbortController();
  #record: SandboxRecord;
  #link: Link | undefined;
  #packets: number | undefined;
  readonly #received = new ReceivedDescriptors();
  readonly #events = new EventOrder();
  #state: 'open' | 'detached' | 'ending' | 'gone' = 'open';
  readonly #end = Promise.withResolvers<void>();

  constructor(folder: SandboxFolder, record: SandboxRecord, context: SandboxContext) {
    this.folder = folder;
    this.#record = record;
    this.#context = context;
    for (const [key, claim] of folder.placed()) this.#place(key, claim);
  }

  /** Demanded walls that it does not have, by its own word; the launcher has looked before. */
  missing(demanded: readonly Wall[]): readonly Wall[] {
    return demanded.filter((wall) => this.#link?.hello.walls[wall] !== true);
  }

  #place(key: string, claim: Claim | undefined): void {
    this.#claims.set(key, claim?.limits);
    if (claim?.plain === true) this.#claims.setPlain(key);
    this.#claim();
    this.workloads.set(key, { phase: 'created' });
    const podUid = podOf(key);
    this.#pods.set(podUid, (this.#pods.get(podUid) ?? 0) + 1);
    this.#context.placed(key, this);
  }

  /** Limits of the whole process, a little later: many workloads may come at once. */
  #claim(): void {
    if (this.#claimsDue) return;
    this.#claimsDue = true;
    this.#context.clock.sleep(CLAIM_MS).then(
      () => {
        this.#claimsDue = false;
        if (this.#state !== 'gone') this.#context.groups.set(this.#record.id, this.#claims.limits);
      },
      () => {},
    );
  }

  /** Whether a workload of this pod is here. */
  has(podUid: string): boolean {
    return this.#pods.has(podUid);
  }

  get record(): SandboxRecord {
    return this.#record;
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  get isAlive(): boolean {
    return ffiAvailable() ? startTimeOf(this.#record.pid) === this.#record.startTime : pidExists(this.#record.pid);
  }

  info(): SandboxInfo {
    const { id, pid, tenant } = this.#record;
    return { id, pid, tenant, workloads: this.workloads.size, walls: this.#link?.hello.walls ?? {} };
  }

  /** Speaks with a process that has just started. */
  async connect(): Promise<void> {
    this.#stop = new AbortController();
    if (ffiAvailable()) this.#packets = connectPackets(this.folder.descriptors);
    this.#link = await Link.open({
      path: this.folder.control,
      clock: this.#context.clock,
      onEvent: (event, key, state) => this.#event(event, key, state),
      onEnd: (end) => void this.#lost(end),
    });
    const { sandbox } = this.#link.hello;
    if (sandbox !== this.#record.id) this.#link.break(`it calls itself '${sandbox}'`);
    const walls = Object.entries(this.#link.hello.walls).flatMap(([wall, stands]) => (stands ? [wall] : []));
    this.#record = { ...this.#record, walls };
    this.folder.write(this.#record);
    void this.#heartbeat();
  }

  /** Speaks with a process that was there before, and learns what happened while nobody listened. */
  async resume(): Promise<void> {
    this.#events.hold();
    await this.connect();
    const known = new Map<string, WorkloadState>();
    let after: string | undefined;
    do {
      const page = await this.#ask({ do: 'snapshot', ...(after === undefined ? {} : { after }) }, snapshotShape);
      const wrong = after === undefined ? this.#events.release(page.event) : undefined;
      if (wrong !== undefined) this.#link?.break(wrong);
      for (const { workload, state } of page.workloads) known.set(workload, state);
      after = page.more;
      if (known.size > MAX_KNOWN) throw new RangeError(`it tells of more than ${MAX_KNOWN} workloads`);
    } while (after !== undefined);
    const exits = readExits(this.folder.exits);
    for (const key of [...this.workloads.keys()]) {
      const state = known.get(key) ?? exits.get(key);
      // Noted, and never created: the node ended in between.
      if (state === undefined) this.#forget(key);
      else this.#apply(key, state);
    }
    for (const key of known.keys()) if (!this.workloads.has(key)) void this.#discard(key);
  }

  assign(record: Pick<SandboxRecord, 'tenant' | 'isolation' | 'podUid'>): void {
    this.#record = { ...this.#record, ...record };
    this.folder.write(this.#record);
    void this.#ask({ do: 'assign', tenant: record.tenant ?? '' }, anything).catch(() => {});
  }

  async create(spec: WorkloadSpec, executable: Executable): Promise<void> {
    const key = workloadKey(spec.id);
    const claim = { limits: spec.limits, plain: executable.execution.class === 'process' };
    this.folder.note('+', key, claim);
    this.#place(key, claim);
    try {
      await this.#ask({ do: 'create', spec: this.#wire(spec, executable) }, anything);
      this.#context.changed(key, { phase: 'created' });
    } catch (error) {
      if (isWasmletError(error, 'RUNTIME_TIMEOUT')) void this.#discard(key);
      this.#forget(key);
      throw error;
    }
  }

  start(key: string): Promise<unknown> {
    return this.#ask({ do: 'start', workload: key }, anything);
  }

  async kill(key: string, signal: Signal): Promise<void> {
    if (signal === 'SIGKILL' && this.#claims.lift(key)) this.#context.groups.set(this.#record.id, this.#claims.limits);
    await this.#ask({ do: 'kill', workload: key, signal }, anything);
  }

  async delete(key: string): Promise<void> {
    if (this.open) await this.#ask({ do: 'delete', workload: key }, anything);
    this.#forget(key);
  }

  stats(key: string): Promise<WorkloadStats> {
    return this.#ask({ do: 'stats', workload: key }, statsShape, 5000);
  }

  async resize(key: string, limits: Limits): Promise<boolean> {
    const changed = await this.#ask({ do: 'resize', workload: key, limits }, flag);
    if (!changed || !this.workloads.has(key)) return changed;
    this.#claims.set(key, limits);
    this.folder.note('+', key, { limits, plain: this.#claims.isPlain(key) });
    this.#claim();
    return changed;
  }

  async listenersOf(podUid: string): Promise<readonly Listener[]> {
    const told = await this.#ask({ do: 'listeners', podUid }, listenersShape);
    if (this.#packets !== undefined) this.#received.collect(this.#packets);
    return told.flatMap(({ token, name, address, port }) => {
      const fd = this.#received.take(token);
      return fd === undefined ? [] : [{ name, address, port, fd }];
    });
  }

  /** Lets go of the process without ending it. */
  detach(): void {
    if (this.#state === 'open') this.#state = 'detached';
    this.#close();
  }

  /** Ends the process; its workloads end with it. Resolves when it is gone and its exits are known. */
  async end(reason: string): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'ending';
      await this.#link?.ask({ do: 'stop' }, anything, { timeoutMs: 2000 }).catch(() => {});
      void this.#bury(reason);
    }
    await this.#end.promise;
  }

  /** For a process that is known to be gone, or that has to go at once. */
  async #bury(reason: string): Promise<void> {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#close();
    await this.#kill();
    const exits = new Map([...readExits(this.folder.lost), ...readExits(this.folder.exits)]);
    for (const key of [...this.workloads.keys()]) {
      const state = exits.get(key) ?? (await this.#conclude(key, reason));
      this.#apply(key, state);
    }
    this.#context.gone(this);
    this.#end.resolve();
  }

  /** A process found dead, or that cannot be spoken with. */
  bury(reason: string): Promise<void> {
    return this.#bury(reason);
  }

  async #conclude(key: string, reason: string): Promise<ExitedState> {
    const before = this.workloads.get(key);
    const message = `The sandbox of this workload ended: ${reason}`.slice(0, 4000);
    const state: ExitedState = {
      phase: 'exited',
      ...(before?.phase === 'running' ? { startedAt: before.startedAt } : {}),
      finishedAt: this.#context.clock.now(),
      exit: { code: 137, signal: 9, reason: 'Error', message },
    };
    try {
      await writeExit(this.folder.lost, key, state);
    } catch (error) {
      this.#context.log.warn('Cannot write the exit of a workload', { workload: key, error: messageOf(error) });
    }
    return state;
  }

  async #kill(): Promise<void> {
    const { pid, startTime } = this.#record;
    if (ffiAvailable()) signalProcess({ pid, startTime }, 'SIGKILL');
    else if (pidExists(pid)) process.kill(pid, 'SIGKILL');
    // A killed process closes its files before it is reaped; its records are complete when it is a zombie or gone.
    for (let waits = 0; this.isAlive && waits < 500; waits++) await this.#context.clock.sleep(10);
  }

  #ask<T>(request: Parameters<Link['ask']>[0], shape: Shape<T>, timeoutMs?: number): Promise<T> {
    if (this.#link === undefined || !this.open) {
      return Promise.reject(runtimeError('RUNTIME_SANDBOX_GONE', `Cannot ${request.do}: the sandbox is gone`));
    }
    return this.#link.ask(request, shape, timeoutMs === undefined ? {} : { timeoutMs });
  }

  #wire(spec: WorkloadSpec, executable: Executable): WireSpec {
    const version = this.#link?.version ?? 0;
    return wireSpec(spec, { executable, version, packets: this.#packets });
  }

  #event(event: number, key: string, state: WorkloadState): void {
    const wrong = this.#events.take(event, () => {
      if (this.workloads.has(key)) this.#apply(key, state);
      else this.#link?.break(`it speaks of '${key.slice(0, 200)}', which was not placed there`);
    });
    if (wrong !== undefined) this.#link?.break(wrong);
  }

  #apply(key: string, state: WorkloadState): void {
    const before = this.workloads.get(key)?.phase ?? 'created';
    if (PHASES.indexOf(state.phase) <= PHASES.indexOf(before)) return;
    this.workloads.set(key, state);
    this.#context.changed(key, state);
  }

  #forget(key: string): void {
    if (!this.workloads.delete(key)) return;
    this.folder.note('-', key);
    this.#claims.delete(key);
    this.#claim();
    const podUid = podOf(key);
    const left = (this.#pods.get(podUid) ?? 1) - 1;
    if (left > 0) this.#pods.set(podUid, left);
    else this.#pods.delete(podUid);
    this.#context.forgotten(key, this);
  }

  /** A workload that nobody wants any more. */
  async #discard(key: string): Promise<void> {
    await this.#ask({ do: 'kill', workload: key, signal: 'SIGKILL' }, anything).catch(() => {});
    await this.#ask({ do: 'delete', workload: key }, anything).catch(() => {});
  }

  async #lost({ broken, reason }: LinkEnd): Promise<void> {
    if (this.#state !== 'open') return;
    if (broken)
      this.#context.log.error('A sandbox broke the protocol and is ended', { sandbox: this.#record.id, reason });
    else if (this.isAlive && (await this.#reconnect())) return;
    const why = broken ? `it broke the protocol (${reason})` : this.#crashNote();
    await this.#bury(why);
  }

  /** The connection ended while the process lives: it may have dropped it, as it does when the node does not read. */
  async #reconnect(): Promise<boolean> {
    await this.#context.clock.sleep(100);
    if (!this.open || !this.isAlive) return false;
    this.#close();
    try {
      await this.resume();
      return true;
    } catch {
      return false;
    }
  }

  #crashNote(): string {
    const note = this.folder.crashNote();
    if (note !== undefined) return note;
    if (this.#context.groups.endedForMemory(this.#record.id)) return 'the kernel ended it: out of memory';
    return 'the process is gone';
  }

  #close(): void {
    this.#stop.abort();
    this.#link?.close();
    if (this.#packets !== undefined) closeSync(this.#packets);
    this.#packets = undefined;
    this.#received.close();
  }

  async #heartbeat(): Promise<void> {
    const link = this.#link;
    const hangs = await watchHeartbeat({
      clock: this.#context.clock,
      signal: this.#stop.signal,
      ping: async () => link?.ask({ do: 'ping' }, anything, { timeoutMs: FOREVER_MS }),
      progress: () => progressOf(this.#record.pid),
      beat: () => this.folder.boundLog(),
    });
    if (hangs && this.open && this.#link === link) await this.#bury(`it did not answer for ${MOST_MISSED} seconds`);
  }
}

function podOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
