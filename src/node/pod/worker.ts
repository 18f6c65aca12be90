/**
 * One pod: what is known of it, and the loop of plan and effect. The manager runs `sync` serially (a KeyedQueue by uid),
 * puts news into the mailbox from outside, and is told by `push` when there is something to do again. Three lifecycles,
 * never backward: syncing, terminating, terminated.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Log, messageOf } from '#kit';
import type { Container, Pod, PodStatus } from '#kube/types';
import type { WorkloadImage } from '#oci';
import type { WorkloadReport } from '#runtime';
import type { ObjectSource } from '../volume/contract.ts';
import type { Volumes } from '../volume/mod.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { type Instance, isAlive, type Observed } from './decide/observed.ts';
import { isTerminal } from './decide/phase.ts';
import { type Action, plan, startTimeOf } from './decide/plan.ts';
import { allocatedPod, type Requests, requestsOf } from './decide/resources.ts';
import { status } from './decide/status.ts';
import type { PodManagerDependencies } from './dependencies.ts';
import { type Change, carryOut, type EffectContext } from './effects/mod.ts';
import { exitOf } from './exit.ts';
import { type PodPlaces, placesOf } from './places.ts';

/** A loop that goes on longer has a mistake in it; it is taken up again later. */
const MAX_STEPS = 300;
const TROUBLE_RETRY = 10_000;
/**
 * A status is written when a pod comes to rest, when news came, and while an effect takes longer than this, in
 * milliseconds: a pod that starts in no time costs one write.
 */
const SLOW = 400;
/** Made once: each abort without a reason makes an exception with a stack of its own. */
const NOT_NEEDED = new Error('not needed any more');
/** What ends is told before the rest of the work. */
const TOLD_BEFORE: ReadonlySet<Action['do']> = new Set(['backOff', 'kill', 'cleanup', 'finish']);
/** What came to an end is not told before the checkpoint says so; the step after it tells. */
const TOLD_AFTER: ReadonlySet<Action['do']> = new Set(['terminate', 'terminated']);
/** Sleeps are cut, so that a clock that is set meanwhile is noticed. */
const MAX_SLEEP = 600_000;

export interface WorkerOptions {
  readonly pod: Pod;
  readonly observed?: Observed | undefined;
  readonly dependencies: PodManagerDependencies;
  readonly volumes: Volumes;
  readonly objects: ObjectSource;
  /** What the node's other pods were granted. */
  taken(): Requests;
  /** Asks for another `sync`. */
  push(): void;
  publish(pod: Pod, status: PodStatus): void;
}

export class PodWorker {
  readonly places: PodPlaces;
  readonly #options: WorkerOptions;
  readonly #log: Log;
  readonly #images = new Map<string, WorkloadImage>();
  readonly #reports: WorkloadReport[] = [];
  #pod: Pod;
  #observed: Observed;
  #news: Change = {};
  #work = new AbortController();
  #alarm: AbortController | undefined;
  #failures = 0;
  #halted = false;
  /** Whether anybody was told of this pod by us: until then its first steps are not worth a write. */
  #told = false;

  constructor(options: WorkerOptions) {
    const { pod, dependencies } = options;
    this.#options = options;
    this.#pod = pod;
    this.places = placesOf(pod, dependencies.dataDir);
    this.#observed = options.observed ?? firstSight(options);
    this.#told = options.observed !== undefined;
    this.#log = dependencies.log.with({ pod: `${pod.metadata?.namespace}/${pod.metadata?.name}` });
  }

  get pod(): Pod {
    return this.#pod;
  }

  get observed(): Observed {
    return this.#observed;
  }

  /** What it was granted of the node. */
  get requests(): Requests {
    const ended = this.#observed.lifecycle === 'terminated' || isTerminal(this.#observed.previous.phase);
    return ended ? { cpuMillis: 0, memoryBytes: 0 } : requestsOf(allocatedPod(this.#pod, this.#observed));
  }

  /** Whether anybody was told of this pod: one that is not begun yet may wait for others. */
  get isNew(): boolean {
    return !this.#told;
  }

  /** The latest spec wins. Of the status only what others wrote matters; ours is made anew. */
  update(pod: Pod): void {
    this.#pod = pod;
    if (pod.metadata?.deletionTimestamp !== undefined && this.#observed.lifecycle === 'syncing') this.#interrupt();
    this.#options.push();
  }

  remove(pod: Pod): void {
    this.#pod = { ...pod, status: pod.status ?? this.#pod.status ?? {} };
    this.#news = { ...this.#news, removed: true };
    this.#interrupt();
    this.#options.push();
  }

  report(report: WorkloadReport): void {
    this.#reports.push(report);
    this.#options.push();
  }

  /** The server has this status; the final one lets the pod be taken from it. */
  written(status: PodStatus): void {
    if (this.#observed.lifecycle !== 'terminated' || !isTerminal(status.phase)) return;
    if (!isDeepStrictEqual(status, this.#observed.previous)) return;
    this.#news = { ...this.#news, reported: true };
    this.#options.push();
  }

  /** The server has no such pod: nobody waits for its last status. That it is to end is the watch's word alone. */
  gone(): void {
    if (this.#observed.lifecycle !== 'terminated') return;
    this.#news = { ...this.#news, reported: true };
    this.#options.push();
  }

  /** No more effects: the node stops, or drains by itself. */
  halt(): void {
    this.#halted = true;
    this.#interrupt();
    this.#alarm?.abort(NOT_NEEDED);
  }

  async sync(): Promise<void> {
    this.#alarm?.abort(NOT_NEEDED);
    for (let step = 0; step < MAX_STEPS; step++) {
      await this.#takeNews();
      if (this.#halted) return this.#publish();
      const actions = plan(this.#pod, this.#observed, this.#now());
      const [first] = actions;
      const atRest = first === undefined || first.do === 'wait';
      const news = step === 0 && this.#told;
      if (atRest || TOLD_BEFORE.has(first.do) || (news && !TOLD_AFTER.has(first.do))) this.#publish();
      if (first === undefined) return;
      if (first.do === 'wait') return this.#wakeAt(first.until);
      for (const action of actions) await this.#act(action);
    }
    this.#log.error('a pod does not come to rest; its work is put off');
    this.#wakeAt(this.#now() + TROUBLE_RETRY);
  }

  async checkpoint(): Promise<void> {
    if (this.#observed.finished === true || this.#observed.startTime === 0) return;
    await writeCheckpoint(this.places.checkpoint, { pod: this.#pod, observed: this.#observed });
  }

  /** Applies what came meanwhile, without doing anything about it. */
  async settle(): Promise<void> {
    await this.#takeNews();
    this.#publish();
  }

  #now(): number {
    return this.#options.dependencies.clock.now();
  }

  #interrupt(): void {
    this.#work.abort(new Error('the pod is to end'));
    this.#work = new AbortController();
  }

  async #act(action: Action): Promise<void> {
    const { signal } = this.#work;
    this.#log.debug('pod action', { ...action });
    const context: EffectContext = {
      pod: allocatedPod(this.#pod, this.#observed),
      desired: this.#pod,
      taken: this.#options.taken,
      observed: this.#observed,
      places: this.places,
      dependencies: this.#options.dependencies,
      volumes: this.#options.volumes,
      objects: this.#options.objects,
      images: this.#images,
      signal,
      failures: this.#failures,
    };
    const soon = new AbortController();
    if (!TOLD_AFTER.has(action.do)) {
      this.#options.dependencies.clock.sleep(SLOW, { signal: soon.signal }).then(
        () => this.#publish(),
        () => {},
      );
    }
    try {
      this.#merge(await carryOut(context, action));
    } catch (error) {
      // An interrupted effect changed nothing that is known; the next plan starts from there.
      if (!signal.aborted) this.#trouble(action, error);
    } finally {
      soon.abort(NOT_NEEDED);
    }
  }

  #merge(change: Change): void {
    const before = this.#observed;
    this.#observed = { ...before, ...change };
    const waits = this.#observed.retryAt !== undefined && this.#observed.retryAt !== before.retryAt;
    this.#failures = waits
      ? this.#failures + 1
      : change.retryAt === undefined && 'retryAt' in change
        ? 0
        : this.#failures;
  }

  #trouble(action: Action, error: unknown): void {
    this.#log.warn('a pod action failed', { do: action.do, error: messageOf(error) });
    const until = this.#now() + TROUBLE_RETRY;
    if (!('container' in action)) {
      this.#merge({ retryAt: until });
      return;
    }
    const seen = this.#observed.containers.get(action.container);
    const containers = new Map(this.#observed.containers);
    const waiting = { reason: 'CreateContainerError', message: messageOf(error), until };
    containers.set(action.container, action.do === 'kill' ? { ...seen, killAt: this.#now() } : { ...seen, waiting });
    this.#merge({ containers });
  }

  async #takeNews(): Promise<void> {
    const news = this.#news;
    this.#news = {};
    if (Object.keys(news).length > 0) this.#observed = { ...this.#observed, ...news };
    for (const report of this.#reports.splice(0)) await this.#take(report);
  }

  /** A report of an older try, or one that would bring a container back, is no news. */
  async #take({ id, state }: WorkloadReport): Promise<void> {
    const seen = this.#observed.containers.get(id.container);
    const container = this.#container(id.container);
    if (seen?.instance === undefined || container === undefined) return;
    if (seen.instance.attempt !== id.attempt || !isAlive(seen) || state.phase === 'created') return;
    const { attempt } = id;
    const instance: Instance =
      state.phase === 'running'
        ? { state: 'running', attempt, startedAt: state.startedAt }
        : await exitOf(state, { attempt, container, places: this.places });
    const containers = new Map(this.#observed.containers);
    containers.set(id.container, { ...seen, instance });
    this.#observed = { ...this.#observed, containers };
  }

  #container(name: string): Container | undefined {
    const { initContainers = [], containers = [] } = this.#pod.spec ?? { containers: [] };
    return [...initContainers, ...containers].find((container) => container.name === name);
  }

  #publish(): void {
    if (this.#observed.finished === true) return;
    const next = status(allocatedPod(this.#pod, this.#observed), this.#observed, this.#now());
    if (isDeepStrictEqual(next, this.#observed.previous)) {
      if (this.#observed.lifecycle !== 'terminated' || this.#observed.reported === true) return;
    }
    this.#observed = { ...this.#observed, previous: next };
    this.#told = true;
    this.#options.publish(this.#pod, next);
  }

  #wakeAt(until: number): void {
    const alarm = new AbortController();
    this.#alarm = alarm;
    const ms = Math.min(MAX_SLEEP, Math.max(0, until - this.#now()));
    this.#options.dependencies.clock.sleep(ms, { signal: alarm.signal }).then(
      () => this.#options.push(),
      () => {},
    );
  }
}

/** A pod that this node has not seen before, or has forgotten: its status at the API is all that is known. */
function firstSight({ pod, dependencies }: WorkerOptions): Observed {
  return {
    lifecycle: 'syncing',
    startTime: startTimeOf(pod, dependencies.clock.now()),
    hostIPs: [dependencies.network.nodeAddress],
    podIPs: [],
    network: 'none',
    volumes: 'none',
    containers: new Map(),
    previous: pod.status ?? {},
  };
}
