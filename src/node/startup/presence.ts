/** How the cluster sees the node: the Node object, its status and its lease, from registration to goodbye. */
import { type Clock, type Log, messageOf } from '#kit';
import type { EventRecorder, KubeClient } from '#kube';
import type { ContainerImage, NodeCondition, Node as NodeObject, NodeStatus } from '#kube/types';
import type { NodeOptions } from '../contract.ts';
import { keepLease } from '../lease/lease.ts';
import { type Identity, nodeObjectOf } from '../registration/profile.ts';
import { register } from '../registration/register.ts';
import { conditionsOf, type ServingState } from '../status/conditions.ts';
import { readMachineInfo, readMachineLoad } from '../status/machine.ts';
import { nodeStatusOf, podsFor, problemsOf } from '../status/node-status.ts';
import { type Reporter, startReporter } from '../status/reporter.ts';

export interface PresenceOptions {
  readonly options: Pick<NodeOptions, 'name' | 'dataDir' | 'maxPods' | 'version'>;
  readonly client: KubeClient;
  readonly events: EventRecorder;
  readonly identity: Identity;
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
  readonly images: () => Promise<readonly ContainerImage[]>;
  readonly missingWalls?: readonly string[] | undefined;
  readonly serving: () => { readonly state: ServingState; readonly message: string } | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface Presence {
  /** Resolves with the first Ready=True that the API server has; rejects when the node was refused or stopped. */
  readonly ready: Promise<void>;
  /** Resolves after the signal, when nothing runs any more. */
  readonly done: Promise<void>;
  poke(): void;
  allocatable(): Readonly<Record<string, string | number>>;
  /** Says Ready=False, once. */
  leave(): Promise<void>;
}

/** Returns at once: an API server that is away is waited for in the background. */
export async function startPresence(options: PresenceOptions): Promise<Presence> {
  const presence = new Presenter(options);
  await presence.compute([]);
  const done = presence.run();
  return {
    ready: presence.ready.promise,
    done,
    poke: () => presence.reporter?.poke(),
    allocatable: () => presence.status.allocatable ?? {},
    leave: () => presence.leave(),
  };
}

class Presenter {
  readonly ready = Promise.withResolvers<void>();
  readonly #options: PresenceOptions;
  readonly #info = readMachineInfo();
  readonly #reliefs = new Map<string, number>();
  status: NodeStatus = {};
  reporter: Reporter | undefined;
  #leaving = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.ready.promise.catch(() => {});
  }

  async compute(previous: readonly NodeCondition[]): Promise<NodeStatus> {
    const { missingWalls, options, identity, address, hostname, port, images, serving, clock } = this.#options;
    const load = await readMachineLoad(options.dataDir);
    const problems = this.#leaving ? ['node is shutting down'] : problemsOf(this.#info, load);
    const reliefs = this.#reliefs;
    const conditions = conditionsOf({
      load,
      problems,
      missingWalls,
      serving: serving(),
      previous,
      now: clock.now(),
      reliefs,
    });
    this.status = nodeStatusOf({
      identity,
      info: this.#info,
      load,
      conditions,
      images: await images().catch(() => []),
      address,
      hostname,
      port,
      maxPods: options.maxPods ?? podsFor(this.#info),
      version: options.version,
    });
    return this.status;
  }

  async run(): Promise<void> {
    const { client, clock, log, events, signal } = this.#options;
    try {
      let node = await this.#register();
      const reporter = startReporter({
        client,
        clock,
        log,
        events,
        node,
        compute: (previous) => this.compute(previous),
        registerAgain: async () => {
          node = await this.#register();
          return node;
        },
        signal,
      });
      this.reporter = reporter;
      reporter.ready.then(this.ready.resolve, this.ready.reject);
      // The lease goes with its Node: a status that is written anyway finds out, and makes the Node again.
      const onLost = (): void => reporter.poke({ anyway: true });
      await Promise.all([keepLease({ client, clock, log, node: () => node, onLost, signal }), reporter.done]);
    } catch (error) {
      this.ready.reject(error);
      if (!signal.aborted) log.error('The node is not registered', { error: messageOf(error) });
    }
  }

  async leave(): Promise<void> {
    this.#leaving = true;
    await this.reporter?.flush();
  }

  /** With its status at once, so that nobody sees a node without addresses; conditions follow, each told by an event. */
  async #register(): Promise<NodeObject> {
    const { options, client, clock, log, identity, signal } = this.#options;
    const object = { ...nodeObjectOf(options.name, identity), status: { ...this.status, conditions: [] } };
    return await register(object, { client, clock, log, identity, signal });
  }
}
