/**
 * The sandbox's table of workloads, on the control thread: each verb idempotent, each change of state an event with a number,
 * each exit on disk before it is told.
 */
import { closeSync } from 'node:fs';
import { messageOf } from '#kit';
import { duplicate } from '#kit/os';
import type { Exit, Signal, WorkloadState } from '../../contract.ts';
import { runtimeError } from '../errors.ts';
import { removeExit, writeExit } from '../exits.ts';
import type { WireSpec } from '../protocol/messages.ts';
import type { Inbox } from './inbox.ts';
import { LoopThread } from './loop-thread.ts';

interface HeldListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly fd: number;
}

interface Workload {
  readonly spec: WireSpec;
  readonly listeners: readonly HeldListener[];
  readonly created: Promise<void>;
  state: WorkloadState;
  /** The exit is decided and on its way to the disk. */
  ending: boolean;
  /** What the guest is to end with, whatever ends it. */
  killedWith?: Exit;
}

export interface WorkloadsOptions {
  readonly exitsDirectory: string;
  readonly inbox: Inbox | undefined;
  readonly insecureTrustedGuests: boolean;
  readonly changed: (event: number, key: string, state: WorkloadState) => void;
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
  #loop: LoopThread | undefined;
  #event = 0;

  constructor(options: WorkloadsOptions) {
    this.#options = options;
  }

  /** Number of the last event. */
  get sequence(): number {
    return this.#event;
  }

  /** Workloads that may still do something. */
  get alive(): number {
    return [...this.#workloads.values()].filter(({ state }) => state.phase !== 'exited').length;
  }

  async create(spec: WireSpec): Promise<void> {
    const taken = this.#takeDescriptors(spec);
    const known = this.#workloads.get(spec.key);
    if (known !== undefined) {
      for (const fd of [taken.moduleFd, ...taken.listeners.map((listener) => listener.fd)])
        if (fd !== undefined) closeSync(fd);
      return known.created;
    }
    const workload: Workload = {
      spec,
      listeners: taken.listeners,
      created: this.#createOnLoop(spec, taken),
      state: { phase: 'created' },
      ending: false,
    };
    this.#workloads.set(spec.key, workload);
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
    if (workload.state.phase === 'created' && !workload.ending) await this.#loopThread().ask({ do: 'start', key });
  }

  async kill(key: string, signal: Signal): Promise<void> {
    const workload = this.#workloads.get(key);
    if (workload === undefined || workload.state.phase === 'exited' || workload.ending) return;
    if (signal !== 'SIGKILL' && workload.spec.onTerm === 'grace') return;
    const number = SIGNAL_NUMBERS[signal];
    const exit: Exit = { code: 128 + number, signal: number, reason: 'Error' };
    workload.killedWith = exit;
    const reason = `'${workload.spec.label}' had to be killed while a guest that never waits held the thread of both`;
    await workload.created.catch(() => {});
    // A thread that ends with the guest on it rejects; `ended` has told the exits by then.
    await this.#loop?.askOrEnd({ do: 'kill', key, exit }, reason).catch(() => {});
  }

  async delete(key: string): Promise<void> {
    const workload = this.#workloads.get(key);
    if (workload === undefined) return removeExit(this.#options.exitsDirectory, key);
    if (workload.state.phase === 'running') {
      throw runtimeError('RUNTIME_STILL_RUNNING', `Cannot delete workload '${key}': it is running`);
    }
    this.#forget(workload);
    await this.#loop?.ask({ do: 'delete', key }).catch(() => {});
    await removeExit(this.#options.exitsDirectory, key);
  }

  stats(key: string): Promise<unknown> {
    const { state } = this.#find(key);
    if (state.phase === 'exited') return Promise.resolve({ cpuNanos: 0, memoryBytes: 0, logBytesDropped: 0 });
    return this.#loopThread().ask({ do: 'stats', key });
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

  #takeDescriptors(spec: WireSpec): { moduleFd: number | undefined; listeners: HeldListener[] } {
    const { inbox } = this.#options;
    const moduleFd = spec.module.token === undefined ? undefined : inbox?.take(spec.module.token);
    const found = spec.listeners.map(({ token, ...listener }) => ({ ...listener, fd: inbox?.take(token) }));
    const listeners = found.filter((listener): listener is HeldListener => listener.fd !== undefined);
    const missing = listeners.length < found.length || (spec.module.token !== undefined && moduleFd === undefined);
    if (!missing) return { moduleFd, listeners };
    for (const fd of [moduleFd, ...listeners.map((listener) => listener.fd)]) if (fd !== undefined) closeSync(fd);
    throw runtimeError(
      'RUNTIME_CREATE_FAILED',
      `Cannot create workload '${spec.key}': a descriptor that it needs did not arrive`,
    );
  }

  async #createOnLoop(
    spec: WireSpec,
    { moduleFd, listeners }: { moduleFd: number | undefined; listeners: HeldListener[] },
  ) {
    const listenerFds = listeners.map(({ fd }) => duplicate(fd));
    await this.#loopThread().ask({ do: 'create', create: { spec, moduleFd, listenerFds } });
  }

  #loopThread(): LoopThread {
    this.#loop ??= this.#startLoop();
    return this.#loop;
  }

  /** Started with the first workload, or before when the sandbox has nothing else to do. */
  warm(): Promise<void> {
    return this.#loopThread().ready;
  }

  #startLoop(): LoopThread {
    const keys = () => [...this.#workloads.values()].filter(({ state }) => state.phase !== 'exited');
    const loop: LoopThread = new LoopThread(
      {
        started: (key, at) => {
          const workload = this.#workloads.get(key);
          if (workload?.state.phase === 'created') this.#change(workload, { phase: 'running', startedAt: at });
        },
        exited: (key, exit, at) => void this.#exit(key, exit, at),
        ended: (reason) => {
          if (this.#loop === loop) this.#loop = undefined;
          const exit: Exit = {
            code: 137,
            signal: 9,
            reason: 'Error',
            message: `The guest was ended: ${reason}`.slice(0, 4000),
          };
          for (const { spec, killedWith } of keys()) void this.#exit(spec.key, killedWith ?? exit, Date.now());
        },
      },
      { insecureTrustedGuests: this.#options.insecureTrustedGuests },
    );
    return loop;
  }

  async #exit(key: string, exit: Exit, finishedAt: number): Promise<void> {
    const workload = this.#workloads.get(key);
    if (workload === undefined || workload.state.phase === 'exited' || workload.ending) return;
    workload.ending = true;
    const startedAt = workload.state.phase === 'running' ? { startedAt: workload.state.startedAt } : {};
    const state = { phase: 'exited' as const, ...startedAt, finishedAt, exit };
    try {
      await writeExit(this.#options.exitsDirectory, key, state);
    } catch (error) {
      // A full disk: the node hears it all the same, and only a crash of both would lose it.
      console.error(`Cannot write the exit of '${key}': ${messageOf(error)}`);
    }
    this.#change(workload, state);
  }

  #change(workload: Workload, state: WorkloadState): void {
    workload.state = state;
    if (this.#workloads.get(workload.spec.key) === workload)
      this.#options.changed(++this.#event, workload.spec.key, state);
  }

  #forget(workload: Workload): void {
    if (this.#workloads.get(workload.spec.key) !== workload) return;
    this.#workloads.delete(workload.spec.key);
    for (const { fd } of workload.listeners) closeSync(fd);
  }
}
