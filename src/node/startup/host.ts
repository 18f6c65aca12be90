/**
 * A node without its pods: claims the directory, becomes known to the API server, keeps lease, status and certificates
 * fresh, serves its API, and hands the pod side every pod that is bound to it. `start.ts` gives it the real pod side,
 * tests give it another.
 *
 * Order: what is on disk first (lock, certificates, guests that an earlier process left), then what others see (API,
 * registration), and nothing waits for an API server that is away once the node has a certificate.
 */
import { hostname as machineName } from 'node:os';
import { type Clock, type Log, messageOf, systemClock } from '#kit';
import { createEventRecorder, type EventRecorder, informer, type KubeClient, PODS } from '#kube';
import type { Pod } from '#kube/types';
import { createAuthentication } from '../api/authentication.ts';
import { createAuthorization } from '../api/authorization.ts';
import { serveHealthz } from '../api/healthz.ts';
import { createRoutes } from '../api/routes.ts';
import { type ApiServer, serveApi } from '../api/server.ts';
import { type Credentials, openCredentials } from '../bootstrap/credentials.ts';
import { openServing, type ServingCertificate } from '../bootstrap/serving.ts';
import type { Node, NodeOptions, PodManager } from '../contract.ts';
import { createJoinedNetwork, createStandaloneNetwork, openSubnet, type PodNetwork } from '../network/mod.ts';
import { identityOf } from '../registration/profile.ts';
import { nodeReference } from '../status/reporter.ts';
import { addressTowards, checkAddress } from './address.ts';
import { claimDataDir, keepName } from './data-dir.ts';
import { endingOf } from './ending.ts';
import { readClientAuthority } from './files.ts';
import { type Presence, startPresence } from './presence.ts';

/** What the pod side is made from. */
export interface PodMeans {
  readonly options: NodeOptions;
  readonly client: KubeClient;
  readonly network: PodNetwork;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Log;
  /** `status.allocatable` as it was computed last. */
  readonly allocatable: () => Readonly<Record<string, string | number>>;
}

/** Disposing lets go of what the pods were made from; guests go on unless `stop` ended them. */
export interface PodSide extends AsyncDisposable {
  readonly pods: PodManager;
  /** Demanded walls that cannot stand on this machine. */
  readonly missingWalls?: readonly string[] | undefined;
}

export type MakePods = (means: PodMeans) => Promise<PodSide>;

const KUBELET_PORT = 10250;
const HEALTHZ_PORT = 10248;
/** How long a node that stops waits for its last status and events to be written, in milliseconds. */
const LAST_WORDS = 1_500;

export async function startHost(options: NodeOptions, makePods: MakePods): Promise<Node> {
  const host = new Host(options);
  try {
    await host.open(makePods);
    return host;
  } catch (error) {
    await host[Symbol.asyncDispose]();
    throw error;
  }
}

/** Who set which field is a third of a pod, and nothing to a node. */
function withoutManagers({ metadata }: Pod): void {
  delete metadata?.managedFields;
}

class Host implements Node {
  readonly name: string;
  readonly #options: NodeOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #owned = new AsyncDisposableStack();
  #address = '';
  #port = 0;
  #healthz: string | undefined;
  #pods: PodManager | undefined;
  #missingWalls: readonly string[] = [];
  #presence: Presence | undefined;
  #events: EventRecorder | undefined;

  constructor(options: NodeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
  }

  get address(): string {
    return this.#address;
  }

  get port(): number {
    return this.#port;
  }

  get healthz(): string | undefined {
    return this.#healthz;
  }

  async open(makePods: MakePods): Promise<void> {
    const { dataDir, name, mode } = this.#options;
    this.#owned.use(claimDataDir(dataDir));
    await keepName(dataDir, name);
    const credentials = await this.#connect();
    const { client } = credentials;
    const network = await this.#openNetwork(client);
    this.#address =
      mode === 'joined' ? network.nodeAddress : checkAddress(this.#options.address ?? network.nodeAddress);
    const events = this.#owned.use(
      createEventRecorder({ client, source: { component: 'kubelet', host: name }, clock: this.#clock, log: this.#log }),
    );
    this.#events = events;
    const [pods, serving] = await Promise.all([
      this.#openPods(makePods, { client, network, events }),
      this.#openServing(client),
    ]);
    const api = await this.#serve(credentials, { pods, serving });
    this.#onServing = (pair) => {
      if (pair !== undefined) api.useCertificate(pair);
      this.#presence?.poke();
    };
    await this.#appear({ client, events, pods, serving });
    void credentials.keep(this.#stop.signal);
    void serving.keep(this.#stop.signal);
    this.#follow(client, pods);
  }

  #onServing: Parameters<typeof openServing>[0]['onChange'] = () => {};

  async #connect(): Promise<Credentials> {
    const { signal = new AbortController().signal } = this.#options;
    const credentials = await openCredentials({ options: this.#options, clock: this.#clock, log: this.#log, signal });
    this.#owned.use(credentials.client);
    return credentials;
  }

  async #openNetwork(client: KubeClient): Promise<PodNetwork> {
    const { mode, dataDir, address } = this.#options;
    if (mode === 'standalone') return this.#owned.use(createStandaloneNetwork(openSubnet({ dataDir })));
    return this.#owned.use(createJoinedNetwork(checkAddress(address ?? (await addressTowards(client.server)))));
  }

  async #openPods(
    makePods: MakePods,
    parts: { client: KubeClient; network: PodNetwork; events: EventRecorder },
  ): Promise<PodManager> {
    const means = { ...parts, options: this.#options, clock: this.#clock, log: this.#log };
    const { pods, missingWalls } = this.#owned.use(
      await makePods({ ...means, allocatable: () => this.#presence?.allocatable() ?? {} }),
    );
    await pods.recover();
    this.#missingWalls = missingWalls ?? [];
    this.#pods = pods;
    return pods;
  }

  #openServing(client: KubeClient): Promise<ServingCertificate> {
    return openServing({
      options: this.#options,
      client,
      address: this.#options.listenAddress ?? this.#address,
      hostname: this.#hostname(),
      clock: this.#clock,
      log: this.#log,
      onChange: (pair) => this.#onServing(pair),
    });
  }

  #hostname(): string {
    return this.#options.hostname ?? (this.#options.mode === 'joined' ? machineName() : this.name);
  }

  async #serve(
    { client, authority }: Credentials,
    { pods, serving }: { pods: PodManager; serving: ServingCertificate },
  ): Promise<ApiServer> {
    const { port = KUBELET_PORT, healthzPort = HEALTHZ_PORT, clientCaFile, listenAddress } = this.#options;
    const clock = this.#clock;
    const api = this.#owned.use(
      await serveApi({
        address: listenAddress === undefined ? this.#address : checkAddress(listenAddress),
        port,
        certificate: serving.current,
        clientAuthority: await readClientAuthority(clientCaFile, authority),
        authenticate: createAuthentication({ client, clock }),
        authorize: createAuthorization({ client, clock, nodeName: this.name }),
        route: createRoutes({ pods: () => pods.pods(), logs: (...args) => pods.logs(...args), now: () => clock.now() }),
        log: this.#log,
      }),
    );
    this.#port = api.port;
    if (healthzPort === 0) return api;
    const healthz = await serveHealthz(healthzPort, { log: this.#log, problem: () => undefined });
    this.#healthz = healthz?.url;
    if (healthz !== undefined) this.#owned.use(healthz);
    return api;
  }

  async #appear(parts: {
    client: KubeClient;
    events: EventRecorder;
    pods: PodManager;
    serving: ServingCertificate;
  }): Promise<void> {
    const { client, events, pods, serving } = parts;
    events.record(nodeReference(this.name), { type: 'Normal', reason: 'Starting', message: 'Starting kubelet.' });
    this.#presence = await startPresence({
      options: this.#options,
      client,
      events,
      identity: identityOf({ ...this.#options, hostname: this.#hostname() }),
      address: this.#address,
      hostname: this.#hostname(),
      port: this.#port,
      images: () => pods.images(),
      missingWalls: this.#missingWalls,
      serving: () => serving.state,
      clock: this.#clock,
      log: this.#log,
      signal: this.#stop.signal,
    });
  }

  /** Only this node's pods: the node authorizer allows no other list. */
  #follow(client: KubeClient, pods: PodManager): void {
    const { signal } = this.#stop;
    const bound = informer<Pod>(client, PODS, {
      fieldSelector: `spec.nodeName=${this.name}`,
      trim: withoutManagers,
      clock: this.#clock,
      log: this.#log,
    });
    this.#owned.use(bound);
    // Items of a list carry no kind of their own, and what is made from them (events) needs one.
    const named = (pod: Pod): Pod => ({ apiVersion: 'v1', kind: 'Pod', ...pod });
    bound.on(({ type, object }) => (type === 'deleted' ? pods.remove(named(object)) : pods.update(named(object))));
    bound.start();
    bound.synced({ signal }).then(
      () => pods.settled(),
      () => {},
    );
  }

  async ready({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const ready = this.#presence?.ready ?? Promise.reject(new Error('Cannot become ready: the node was stopped'));
    if (signal === undefined) return await ready;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([ready, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  pods(): readonly Pod[] {
    return this.#pods?.pods() ?? [];
  }

  /**
   * With guests to end, the node says first that it goes, so that nothing new is sent to it. `keep` becomes `end` when the
   * machine goes down, or `wasmlet down` said so.
   */
  async stop(options: { readonly guests: 'keep' | 'end'; readonly signal?: AbortSignal | undefined }): Promise<void> {
    const guests = await endingOf(options.guests, this.#options);
    if (guests === 'end') {
      await this.#within(LAST_WORDS, this.#presence?.leave());
    }
    await this.#pods?.stop({ ...options, guests });
    await this.#within(LAST_WORDS, this.#events?.flush());
    await this[Symbol.asyncDispose]();
  }

  /** Last words are worth a moment, not a minute of an API server that is away. */
  async #within(ms: number, words: Promise<void> | undefined): Promise<void> {
    const said = words?.catch((error) => this.#log.debug('Cannot say goodbye', { error: messageOf(error) }));
    const enough = new AbortController();
    await Promise.race([said, this.#clock.sleep(ms, { signal: enough.signal }).catch(() => {})]);
    enough.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#presence?.done;
    await this.#owned.disposeAsync();
  }
}
