/**
 * A runtime without guests, for the node's tests: what a test says happens, happens; what the contract forbids is
 * remembered as a violation. Workloads live in a `FakeMachine`, which several runtimes in turn (restarted nodes) may share.
 */
import type { Clock } from '#kit';
import {
  type Exit,
  type Limits,
  type Listener,
  type Runtime,
  type Signal,
  type Verdict,
  type WorkloadId,
  type WorkloadReport,
  type WorkloadSpec,
  type WorkloadState,
  type WorkloadStats,
  workloadKey,
} from '#runtime';

type Verb = 'create' | 'start' | 'kill' | 'delete' | 'resize';

interface Workload {
  readonly spec: WorkloadSpec;
  state: WorkloadState;
  readonly signals: Signal[];
}

export interface FakeMachineOptions {
  readonly clock: Clock;
  /** What SIGTERM does to a guest; SIGKILL always ends it. */
  readonly onTerm?: 'end' | 'ignore';
}

export class FakeMachine {
  readonly clock: Clock;
  onTerm: 'end' | 'ignore';
  readonly workloads = new Map<string, Workload>();
  readonly violations: string[] = [];
  /** Every verb in order, for tests that ask for it. */
  readonly calls: string[] = [];
  /** Errors that the next call of a verb throws. */
  readonly failures = new Map<Verb, Error>();
  refusal: Verdict['refusal'];
  /** Bytes that every guest uses: a lower limit is not taken. */
  used = 0;
  /** Limits that were changed in place. */
  readonly limits = new Map<string, Limits>();
  readonly #listeners = new Set<(report: WorkloadReport) => void>();
  readonly #started = new Set<string>();

  constructor({ clock, onTerm = 'end' }: FakeMachineOptions) {
    this.clock = clock;
    this.onTerm = onTerm;
  }

  /** The newest try of a container. */
  newest(podUid: string, container: string): Workload | undefined {
    return [...this.workloads.values()]
      .filter(({ spec: { id } }) => id.podUid === podUid && id.container === container)
      .toSorted((a, b) => b.spec.id.attempt - a.spec.id.attempt)[0];
  }

  get running(): Workload[] {
    return [...this.workloads.values()].filter(({ state }) => state.phase === 'running');
  }

  /** The guest ends by itself, or is lost. */
  exit(podUid: string, container: string, exit: Partial<Exit> = {}): void {
    const workload = this.newest(podUid, container);
    if (workload !== undefined) this.end(workload, { code: 0, reason: exit.code ? 'Error' : 'Completed', ...exit });
  }

  /** The machine went down: nothing is left of any workload. */
  powerCut(): void {
    this.workloads.clear();
  }

  end(workload: Workload, exit: Exit): void {
    if (workload.state.phase === 'exited') return;
    const startedAt = workload.state.phase === 'running' ? workload.state.startedAt : undefined;
    this.#set(workload, { phase: 'exited', startedAt, finishedAt: this.clock.now(), exit });
  }

  create(spec: WorkloadSpec): void {
    this.#called('create', spec.id);
    const key = workloadKey(spec.id);
    if (this.workloads.has(key)) return;
    const alive = this.newest(spec.id.podUid, spec.id.container);
    if (alive !== undefined && alive.state.phase !== 'exited') this.violations.push(`two instances of ${key}`);
    if (this.#started.has(key)) this.violations.push(`attempt used again: ${key}`);
    const workload: Workload = { spec, state: { phase: 'created' }, signals: [] };
    this.workloads.set(key, workload);
    this.#tell(workload);
  }

  start(id: WorkloadId): void {
    this.#called('start', id);
    const workload = this.#get(id);
    if (workload.state.phase !== 'created') return;
    this.#started.add(workloadKey(id));
    this.#set(workload, { phase: 'running', startedAt: this.clock.now() });
  }

  kill(id: WorkloadId, signal: Signal): void {
    this.#called('kill', id, ` ${signal}`);
    const workload = this.workloads.get(workloadKey(id));
    if (workload === undefined || workload.state.phase === 'exited') return;
    workload.signals.push(signal);
    if (signal === 'SIGKILL') this.end(workload, { code: 137, signal: 9, reason: 'Error' });
    else if (this.onTerm === 'end') this.end(workload, { code: 143, signal: 15, reason: 'Error' });
  }

  delete(id: WorkloadId): void {
    this.#called('delete', id);
    const workload = this.workloads.get(workloadKey(id));
    if (workload !== undefined && workload.state.phase === 'running')
      this.violations.push(`deleted while running: ${workloadKey(id)}`);
    this.workloads.delete(workloadKey(id));
  }

  stats(id: WorkloadId): WorkloadStats | undefined {
    const running = this.workloads.get(workloadKey(id))?.state.phase === 'running';
    return running ? { cpuNanos: 0, memoryBytes: this.used, logBytesDropped: 0 } : undefined;
  }

  resize(id: WorkloadId, limits: Limits): boolean {
    this.#called('resize', id);
    if (this.#get(id).state.phase !== 'running') this.violations.push(`resized while not running: ${workloadKey(id)}`);
    if (limits.memoryBytes !== undefined && limits.memoryBytes < this.used) return false;
    this.limits.set(workloadKey(id), limits);
    return true;
  }

  subscribe(listener: (report: WorkloadReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #get(id: WorkloadId): Workload {
    const workload = this.workloads.get(workloadKey(id));
    if (workload === undefined) throw new Error(`no workload ${workloadKey(id)}`);
    return workload;
  }

  #called(verb: Verb, id: WorkloadId, more = ''): void {
    this.calls.push(`${verb} ${id.container}/${id.attempt}${more}`);
    const failure = this.failures.get(verb);
    this.failures.delete(verb);
    if (failure !== undefined) throw failure;
  }

  #set(workload: Workload, state: WorkloadState): void {
    workload.state = state;
    this.#tell(workload);
  }

  #tell({ spec: { id }, state }: Workload): void {
    for (const listener of this.#listeners) listener({ id, state });
  }
}

export function createFakeRuntime(machine: FakeMachine): Runtime {
  const unsubscribe: (() => void)[] = [];
  return {
    async admit({ digest }) {
      return { digest, kind: 'command', wasi: [], exports: [], imports: [], refusal: machine.refusal };
    },
    create: async (spec) => machine.create(spec),
    start: async (id) => machine.start(id),
    kill: async (id, signal) => machine.kill(id, signal),
    delete: async (id) => machine.delete(id),
    wait: (id, options) => waitFor(machine, id, options),
    stats: async (id) => machine.stats(id),
    resize: async (id, limits) => machine.resize(id, limits),
    list: () => [...machine.workloads.values()].map(({ spec: { id }, state }) => ({ id, state })),
    listenersOf: async (podUid): Promise<readonly Listener[]> =>
      [...machine.workloads.values()]
        .filter(({ spec }) => spec.id.podUid === podUid)
        .flatMap(({ spec }) => spec.listeners),
    subscribe(listener) {
      const stop = machine.subscribe(listener);
      unsubscribe.push(stop);
      return stop;
    },
    release: async () => {},
    sandboxes: () => [],
    async [Symbol.asyncDispose]() {
      for (const stop of unsubscribe) stop();
    },
  };
}

function waitFor(machine: FakeMachine, id: WorkloadId, { signal }: { signal?: AbortSignal } = {}) {
  type Exited = Extract<WorkloadState, { phase: 'exited' }>;
  return new Promise<Exited>((resolve, reject) => {
    const state = machine.workloads.get(workloadKey(id))?.state;
    if (state === undefined) return reject(new Error(`no workload ${workloadKey(id)}`));
    if (state.phase === 'exited') return resolve(state);
    const stop = machine.subscribe((report) => {
      if (workloadKey(report.id) !== workloadKey(id) || report.state.phase !== 'exited') return;
      stop();
      resolve(report.state);
    });
    signal?.addEventListener('abort', () => {
      stop();
      reject(signal.reason);
    });
  });
}
