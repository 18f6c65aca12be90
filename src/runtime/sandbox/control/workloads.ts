/**
 * The sandbox's table of workloads, on the control thread: each verb idempotent, each change of state an event with a number,
 * each exit on disk before it is told.
 */
import { closeSync, readFileSync } from 'node:fs';
import { messageOf } from '#kit';
import { duplicate } from '#kit/os';
import type { Exit, Limits, Signal, WorkloadState } from '../../contract.ts';
import { runtimeError } from '../errors.ts';
import { removeExit, writeExit } from '../exits.ts';
import { MOST_MEMORIES } from '../loop/memory-count.ts';
import type { WireSpec } from '../protocol/messages.ts';
import type { Inbox } from './inbox.ts';
import type { LoopEvents, LoopThread } from './loop-thread.ts';
import { Loops, type LoopsOptions } from './loops.ts';
import { chooseToEnd, type Figures } from './pressure.ts';

interface HeldListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly fd: number;
}

interface Workload {
  readonly spec: WireSpec;
  readonly listeners: readonly HeldListener[];
  readonly loop: LoopThread;
  readonly created: Promise<void>;
  /** Those of now. */
  limits: Limits;
  state: WorkloadState;
  /** What the guest is to end with, whatever ends it. */
  killedWith?: Exit;
}

export interface WorkloadsOptions {
  readonly exitsDirectory: string;
  readonly inbox: Inbox | undefined;
  readonly insecureTrustedGuests: boolean;
  readonly changed: (event: number, key: string, state: WorkloadState) => void;
  /** Guests that may be alive at a time; what the process can have where it is not given. */
  readonly mostGuests?: number | undefined;
  readonly most?: LoopsOptions['most'];
}

/** Of the process itself. */
const OWN_MAPPINGS = 2000;
const MOST_GUESTS = mostGuests();
const STATS_MS = 1000;

interface Taken {
  readonly moduleFd: number | undefined;
  readonly listeners: HeldListener[];
}

/** A JSON text may take six bytes for a character. */
const PAGE_BYTES = 900 * 1024;
const PAGE_WORKLOADS = 5000;

const SIGNAL_NUMBERS: Readonly<Record<Signal, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
};

export class Workloads {
  readonly #options: WorkloadsOptions;
  readonly #workloads = new Map<string, Workload>();
  readonly #loops: Loops;
  #event = 0;
  #alive = 0;

  constructor(options: WorkloadsOptions) {
    this.#options = options;
    const { insecureTrustedGuests, most } = options;
    this.#loops = new Loops({ insecureTrustedGuests, most, events: (loop) => this.#eventsOf(loop) });
  }

  /** Number of the last event. */
  get sequence(): number {
    return this.#event;
  }

  /** Workloads that may still do something. */
  get alive(): number {
    return this.#alive;
  }

  async create(spec: WireSpec): Promise<void> {
    const taken = this.#takeDescriptors(spec);
    const known = this.#workloads.get(spec.key);
    if (known !== undefined) {
      closeAll(taken);
      return known.created;
    }
    const loop = this.#place(spec, taken);
    const workload: Workload = {
      spec,
      listeners: taken.listeners,
      loop,
      created: createOn(loop, spec, taken),
      limits: spec.limits,
      state: { phase: 'created' },
    };
    this.#workloads.set(spec.key, workload);
    this.#alive++;
    try {
      await workload.created;
    } catch (error) {
      this.#forget(workload);
      throw error;
    }
  }

  async start(key: string): Promise<void> {
    const workload = this.#find(key);
    await workload.created;
    if (workload.state.phase === 'created') await workload.loop.ask({ do: 'start', key });
  }

  async kill(key: string, signal: Signal): Promise<void> {
    const workload = this.#workloads.get(key);
    if (workload === undefined || workload.state.phase === 'exited') return;
    if (signal !== 'SIGKILL' && ((await taken(workload, signal)) || workload.spec.onTerm === 'grace')) return;
    const number = SIGNAL_NUMBERS[signal];
    await this.#end(workload, { code: 128 + number, signal: number, reason: 'Error' });
  }

  /** Ends one guest where the process has too little memory for all: see pressure.ts. */
  async relieve(figures: Figures): Promise<void> {
    const running = [...this.#workloads.values()].filter(({ state }) => state.phase === 'running');
    const candidates = await Promise.all(
      running.map(async ({ spec: { key }, limits }) => {
        const stats = (await this.stats(key).catch(() => undefined)) as { memoryBytes?: number } | undefined;
        return { key, limits, memoryBytes: stats?.memoryBytes ?? 0 };
      }),
    );
    const workload = this.#workloads.get(chooseToEnd(candidates, figures) ?? '');
    if (workload === undefined) return;
    const message = 'The guest was ended: its sandbox had no memory left, and it stood first by class and size';
    await this.#end(workload, { code: 137, signal: 9, reason: 'OOMKilled', message });
  }

  async #end(workload: Workload, exit: Exit): Promise<void> {
    const { key } = workload.spec;
    workload.killedWith = exit;
    const reason = `'${workload.spec.label}' had to be killed while a guest that never waits held the thread of both`;
    await workload.created.catch(() => {});
    // A thread that ends with the guest on it rejects; `ended` has told the exits by then.
    await workload.loop.askOrEnd({ do: 'kill', key, exit }, reason).catch(() => {});
  }

  async delete(key: string): Promise<void> {
    const workload = this.#workloads.get(key);
    if (workload === undefined) return removeExit(this.#options.exitsDirectory, key);
    if (workload.state.phase === 'running') {
      throw runtimeError('RUNTIME_STILL_RUNNING', `Cannot delete workload '${key}': it is running`);
    }
    const deleted = workload.loop.ask({ do: 'delete', key }).catch(() => {});
    this.#forget(workload);
    await deleted;
    removeExit(this.#options.exitsDirectory, key);
  }

  async stats(key: string): Promise<unknown> {
    const { state, loop } = this.#find(key);
    if (state.phase === 'exited') return { cpuNanos: 0, memoryBytes: 0, logBytesDropped: 0 };
    const answer = loop.ask({ do: 'stats', key });
    return loop.isOwn ? Promise.race([answer, statsOfThread(loop)]) : answer;
  }

  /** Limits that are not named are taken away. False where the change needs a new instance. */
  async resize(key: string, limits: Limits): Promise<boolean> {
    const workload = this.#find(key);
    await workload.created;
    if (workload.state.phase === 'exited') return false;
    const changed = (await workload.loop.ask({ do: 'resize', key, limits })) === true;
    if (changed) workload.limits = limits;
    return changed;
  }

  /** A page of states in the order of creation, after the workload named; a page fits into a frame. */
  page(after: string | undefined) {
    const keys = [...this.#workloads.keys()];
    const from = after === undefined ? 0 : keys.indexOf(after) + 1;
    const workloads: { workload: string; state: WorkloadState }[] = [];
    let bytes = 0;
    for (const workload of keys.slice(from, from + PAGE_WORKLOADS)) {
      const { state } = this.#find(workload);
      bytes += 1024 + (state.phase === 'exited' ? 6 * (state.exit.message?.length ?? 0) : 0);
      if (bytes > PAGE_BYTES) break;
      workloads.push({ workload, state });
    }
    const more = from + workloads.length < keys.length ? workloads.at(-1)?.workload : undefined;
    return { event: this.#event, workloads, ...(more === undefined ? {} : { more }) };
  }

  listenersOf(podUid: string): readonly (HeldListener & { readonly workload: string })[] {
    return [...this.#workloads.values()]
      .filter(({ spec }) => spec.key.startsWith(`${podUid}/`))
      .flatMap(({ spec, listeners }) => listeners.map((listener) => ({ ...listener, workload: spec.key })));
  }

  #find(key: string): Workload {
    const workload = this.#workloads.get(key);
    if (workload === undefined) throw runtimeError('RUNTIME_UNKNOWN_WORKLOAD', `Cannot find workload '${key}'`);
    return workload;
  }

  #takeDescriptors(spec: WireSpec): Taken {
    const { inbox } = this.#options;
    const moduleFd = spec.module.token === undefined ? undefined : inbox?.take(spec.module.token);
    const found = spec.listeners.map(({ token, ...listener }) => ({ ...listener, fd: inbox?.take(token) }));
    const listeners = found.filter((listener): listener is HeldListener => listener.fd !== undefined);
    const missing = listeners.length < found.length || (spec.module.token !== undefined && moduleFd === undefined);
    if (!missing) return { moduleFd, listeners };
    closeAll({ moduleFd, listeners });
    throw runtimeError(
      'RUNTIME_CREATE_FAILED',
      `Cannot create workload '${spec.key}': a descriptor that it needs did not arrive`,
    );
  }

  #place(spec: WireSpec, taken: Taken): LoopThread {
    const most = this.#options.mostGuests ?? MOST_GUESTS;
    if (this.alive >= most) {
      closeAll(taken);
      throw runtimeError('RUNTIME_FULL', `Cannot create workload '${spec.key}': its sandbox has ${most} already`);
    }
    try {
      return this.#loops.place(spec);
    } catch (error) {
      closeAll(taken);
      throw error;
    }
  }

  /** Starts the thread for those that share one before the first of them comes. */
  warm(): Promise<void> {
    return this.#loops.warm();
  }

  /** Ends the threads; a sandbox does so by the end of its process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loops[Symbol.asyncDispose]();
  }

  #eventsOf(loop: () => LoopThread): LoopEvents {
    return {
      started: (key, at) => {
        const workload = this.#workloads.get(key);
        if (workload?.state.phase === 'created') this.#change(workload, { phase: 'running', startedAt: at });
      },
      exited: (key, exit, at) => this.#exit(key, exit, at),
      ended: (reason, { outOfMemory }) => {
        this.#loops.ended(loop());
        const message = `The guest was ended: ${reason}`.slice(0, 4000);
        const exit: Exit = { code: 137, signal: 9, reason: outOfMemory ? 'OOMKilled' : 'Error', message };
        for (const workload of this.#workloads.values()) {
          if (workload.loop !== loop()) continue;
          this.#exit(workload.spec.key, workload.killedWith ?? exit, Date.now());
        }
      },
    };
  }

  #exit(key: string, exit: Exit, finishedAt: number): void {
    const workload = this.#workloads.get(key);
    if (workload === undefined || workload.state.phase === 'exited') return;
    const startedAt = workload.state.phase === 'running' ? { startedAt: workload.state.startedAt } : {};
    const state = { phase: 'exited' as const, ...startedAt, finishedAt, exit };
    // A full disk: the node hears it all the same, and only a crash of both would lose it.
    const failed = (error: unknown) => console.error(`Cannot write the exit of '${key}': ${messageOf(error)}`);
    try {
      writeExit(this.#options.exitsDirectory, key, state).catch(failed);
    } catch (error) {
      failed(error);
    }
    this.#change(workload, state);
  }

  #change(workload: Workload, state: WorkloadState): void {
    workload.state = state;
    // Last: the thread that goes with its only guest tells the end of those that have none yet.
    if (state.phase === 'exited') this.#over(workload);
    if (this.#workloads.get(workload.spec.key) === workload)
      this.#options.changed(++this.#event, workload.spec.key, state);
  }

  #forget(workload: Workload): void {
    if (this.#workloads.get(workload.spec.key) !== workload) return;
    this.#workloads.delete(workload.spec.key);
    for (const { fd } of workload.listeners) closeSync(fd);
    if (workload.state.phase !== 'exited') this.#over(workload);
  }

  #over(workload: Workload): void {
    this.#alive--;
    this.#loops.left(workload.loop);
  }
}

function closeAll({ moduleFd, listeners }: Taken): void {
  for (const fd of [moduleFd, ...listeners.map((listener) => listener.fd)]) if (fd !== undefined) closeSync(fd);
}

async function createOn(loop: LoopThread, spec: WireSpec, { moduleFd, listeners }: Taken): Promise<void> {
  const listenerFds = listeners.map(({ fd }) => duplicate(fd));
  await loop.ask({ do: 'create', create: { spec, moduleFd, listenerFds } });
}

/** For a guest without checks, whose thread answers nothing while it computes. */
async function statsOfThread(loop: LoopThread): Promise<unknown> {
  await new Promise((resolve) => setTimeout(resolve, STATS_MS));
  return { cpuNanos: loop.cpuNanos, memoryBytes: 0, logBytesDropped: 0 };
}

/** Each guest's memory and stack are some six mappings of the process, of which the kernel allows so many before V8 aborts. */
function mostGuests(): number {
  let mappings = 65_530;
  try {
    mappings = Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8'));
  } catch {
    // Behind the walls: the kernel's own default.
  }
  return Math.max(64, Math.min(MOST_MEMORIES, Math.floor((mappings - OWN_MAPPINGS) / 6)));
}

/** A thread that does not answer in time has a guest that computes: it has the signal, and its pod's grace to take it up. */
const SIGNAL_PATIENCE_MS = 2000;

async function taken({ spec, created, loop }: Workload, signal: Signal): Promise<boolean> {
  if (spec.posix === undefined) return false;
  await created.catch(() => {});
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(true), SIGNAL_PATIENCE_MS);
  const answer = loop.ask({ do: 'signal', key: spec.key, signal }).then(
    (ok) => ok === true,
    () => false,
  );
  return Promise.race([answer, late.promise]).finally(() => clearTimeout(timer));
}
