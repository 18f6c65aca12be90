/** Every pod of this node, each with its worker: the pod side of the node's contract (`../contract.ts`). */
import { KeyedQueue, type Log } from '#kit';
import type { ContainerImage, Pod, PodStatus } from '#kube/types';
import type { LogRequest, PodManager } from '../contract.ts';
import { readLogs } from '../log/mod.ts';
import type { ObjectSource } from '../volume/contract.ts';
import { Volumes } from '../volume/mod.ts';
import { createObjectSource } from '../volume/objects.ts';
import { type Requests, sum } from './decide/resources.ts';
import type { PodManagerDependencies } from './dependencies.ts';
import { drain } from './drain.ts';
import { podLogs } from './logs.ts';
import { Pace } from './pace.ts';
import { recoverPods, removeOrphans } from './recovery.ts';
import { StatusWriter } from './status-writer.ts';
import { PodWorker } from './worker.ts';

/** Source: kubelet configMapAndSecretChangeDetectionStrategy; a pod sync a minute picks changes up. */
const REFRESH_EVERY = 60_000;

export interface IdlePodManager extends PodManager {
  /** Resolves when no pod has anything to do but wait. */
  idle(): Promise<void>;
}

export function createPodManager(dependencies: PodManagerDependencies): IdlePodManager {
  return new Manager(dependencies);
}

class Manager implements IdlePodManager {
  readonly #dependencies: PodManagerDependencies;
  readonly #log: Log;
  readonly #workers = new Map<string, PodWorker>();
  /** Pods that are done with here and still stand at the API, held by finalizers. */
  readonly #finished = new Set<string>();
  /** From checkpoints, until the first whole list says whether they still exist. */
  readonly #unconfirmed = new Set<string>();
  readonly #pace: Pace;
  readonly #queue: KeyedQueue<string, undefined>;
  readonly #writer: StatusWriter;
  readonly #objects: ObjectSource;
  readonly #volumes: Volumes;
  readonly #unsubscribe: () => void;
  #stopped = false;

  constructor(dependencies: PodManagerDependencies) {
    const { client, clock, dataDir, runtime, refreshEvery = REFRESH_EVERY } = dependencies;
    const log = dependencies.log.with({ room: 'pod' });
    this.#dependencies = dependencies;
    this.#pace = new Pace(clock);
    this.#log = log;
    this.#queue = new KeyedQueue(
      (uid) => this.#sync(uid),
      (uid, error) => log.error('a pod could not be worked on', { uid, error }),
    );
    this.#writer = new StatusWriter({ client, clock, log, onWritten: (uid, result) => this.#onWritten(uid, result) });
    this.#objects = createObjectSource({ client, clock });
    this.#volumes = new Volumes({ dataDir, clock, log, refreshEvery, objects: this.#objects });
    this.#unsubscribe = runtime.subscribe((report) => this.#workers.get(report.id.podUid)?.report(report));
  }

  update(given: Pod): void {
    const uid = given.metadata?.uid;
    if (uid === undefined || this.#stopped || this.#finished.has(uid)) return;
    const pod: Pod = { apiVersion: 'v1', kind: 'Pod', ...given };
    this.#unconfirmed.delete(uid);
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      if (known.observed.previous.phase !== undefined) this.#writer.seen(pod, known.observed.previous);
      return;
    }
    try {
      this.#workers.set(uid, this.#worker(pod));
      this.#queue.push(uid, undefined);
    } catch (error) {
      this.#log.error('a pod cannot be taken', { uid, error });
    }
  }

  remove(pod: Pod): void {
    // As for `settled`: the next start hears of it from its first list.
    if (this.#stopped) return;
    const uid = pod.metadata?.uid ?? '';
    this.#finished.delete(uid);
    this.#unconfirmed.delete(uid);
    this.#workers.get(uid)?.remove({ apiVersion: 'v1', kind: 'Pod', ...pod });
  }

  async recover(): Promise<void> {
    const recovered = await recoverPods(this.#dependencies);
    for (const { pod, observed, reports } of recovered) {
      const uid = pod.metadata?.uid ?? '';
      const worker = this.#worker(pod, observed);
      this.#workers.set(uid, worker);
      this.#unconfirmed.add(uid);
      for (const report of reports) worker.report(report);
      this.#queue.push(uid, undefined);
    }
    if (this.#dependencies.keepOrphans === true) return;
    const removed = await removeOrphans(this.#dependencies.dataDir, new Set(this.#workers.keys()));
    if (removed.length > 0) this.#log.info('directories without a pod were removed', { count: removed.length });
  }

  settled(): void {
    // A node that stops takes no pods from the list any more, so that none is in it says nothing: they would all be forgotten.
    if (this.#stopped) return;
    for (const uid of this.#unconfirmed) {
      const worker = this.#workers.get(uid);
      if (worker !== undefined) worker.remove(worker.pod);
    }
    this.#unconfirmed.clear();
  }

  async stop({ guests, signal }: Parameters<PodManager['stop']>[0]): Promise<void> {
    this.#stopped = true;
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.halt();
    await this.#queue.idle();
    const { runtime, clock } = this.#dependencies;
    if (guests === 'end') await drain(workers, { runtime, clock, signal });
    for (const worker of workers) {
      await worker.settle();
      await worker.checkpoint();
    }
    this.#unsubscribe();
    const flushed = this.#writer.idle();
    await Promise.race([flushed, clock.sleep(1_000, { signal: AbortSignal.timeout(2_000) }).catch(() => {})]);
    this.#writer.stop();
  }

  pods(): readonly Pod[] {
    return [...this.#workers.values()].map(({ pod, observed }) => ({
      ...pod,
      status: { ...pod.status, ...observed.previous },
    }));
  }

  async logs(request: LogRequest, options: { readonly signal: AbortSignal }): Promise<AsyncIterable<Uint8Array>> {
    const worker = [...this.#workers.values()].findLast(
      ({ pod }) => pod.metadata?.namespace === request.namespace && pod.metadata.name === request.pod,
    );
    const files = podLogs(worker, request);
    return readLogs({ ...request, ...files, signal: options.signal, clock: this.#dependencies.clock });
  }

  async idle(): Promise<void> {
    await this.#queue.idle();
    await this.#writer.idle();
    if ([...this.#workers.keys()].some((uid) => this.#queue.has(uid))) await this.idle();
  }

  images(): Promise<readonly ContainerImage[]> {
    return this.#dependencies.images.images();
  }

  #worker(pod: Pod, observed?: PodWorker['observed']): PodWorker {
    const uid = pod.metadata?.uid ?? '';
    return new PodWorker({
      pod,
      observed,
      dependencies: this.#dependencies,
      volumes: this.#volumes,
      objects: this.#objects,
      taken: () => this.#takenBeside(uid),
      push: () => {
        if (!this.#stopped) this.#queue.push(uid, undefined);
      },
      publish: (of, status) => this.#writer.push(of, status),
    });
  }

  #takenBeside(uid: string): Requests {
    const others = [...this.#workers].filter(([other]) => other !== uid);
    return others.map(([, { requests }]) => requests).reduce(sum, { cpuMillis: 0, memoryBytes: 0 });
  }

  async #sync(uid: string): Promise<void> {
    const worker = this.#workers.get(uid);
    if (worker === undefined) return;
    await (worker.isNew ? this.#pace.run(() => worker.sync()) : worker.sync());
    if (worker.observed.finished !== true) return;
    this.#workers.delete(uid);
    this.#writer.forget(uid);
    if (worker.observed.removed !== true) this.#finished.add(uid);
  }

  #onWritten(uid: string, { status, gone }: { status: PodStatus; gone: boolean }): void {
    const worker = this.#workers.get(uid);
    if (gone) worker?.gone();
    else worker?.written(status);
  }
}
