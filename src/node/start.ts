/**
 * The composition root: the one place where the node's real parts are made and put together. Everything else gets what it
 * needs as arguments.
 */
import { join } from 'node:path';
import { collectWhenCalm } from '#kit';
import { informer, isNotFound, type KubeClient, RUNTIME_CLASSES, SERVICES } from '#kube';
import type { RuntimeClass, Service } from '#kube/types';
import { ContentStore } from '#oci';
import { createRuntime, isWall } from '#runtime/sandbox';
import type { Node, NodeOptions } from './contract.ts';
import { createImageManager } from './image/mod.ts';
import { createPodManager, type PodManagerDependencies } from './pod/mod.ts';
import { type PodMeans, type PodSide, startHost } from './startup/host.ts';

/**
 * Starts a node on a data directory and resolves when its API listens; `ready()` says when the cluster sees it Ready.
 * Rejects when the directory is in use, an option is wrong, or (only without a certificate) the API server is away.
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  collectWhenCalm();
  return await startHost(options, createPodSide);
}

async function createPodSide(means: PodMeans): Promise<PodSide> {
  const { options, clock, log, events } = means;
  const { dataDir } = options;
  await using owned = new AsyncDisposableStack();
  const [runtime, store] = await Promise.all([
    createRuntime({
      dataDir,
      log,
      clock,
      insecureTrustedGuests: options.insecureTrustedGuests === true,
      pool: options.sandboxes?.perNamespace,
      mostOwnProcesses: options.sandboxes?.mostOwnProcesses,
      warm: options.sandboxes?.warm,
      demanded: options.sandboxes?.walls?.filter(isWall),
    }),
    ContentStore.open(join(dataDir, 'content'), { clock }),
  ]);
  owned.use(runtime);
  const images = owned.use(
    createImageManager({ store, events, clock, log, insecureRegistries: options.insecureRegistries ?? [] }),
  );
  const cluster = options.mode === 'joined' ? fromCluster(means, owned) : fromItself(means.client);
  const { client, network, allocatable } = means;
  const nodeName = options.name;
  const pods = createPodManager({
    client,
    runtime,
    images,
    events,
    network,
    dataDir,
    nodeName,
    clock,
    log,
    allocatable,
    ...cluster,
  });
  const parts = owned.move();
  return { pods, missingWalls: runtime.missingWalls, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

type FromCluster = Pick<PodManagerDependencies, 'services' | 'apiAddress' | 'runtimeHandler'>;

/** A real cluster has Services, which every pod is told of, and RuntimeClasses. */
function fromCluster({ client, clock, log }: PodMeans, owned: AsyncDisposableStack): FromCluster {
  const services = owned.use(informer<Service>(client, SERVICES, { clock, log }));
  services.start();
  let listed = false;
  services.synced().then(
    () => {
      listed = true;
    },
    () => {},
  );
  return {
    services: () => (listed ? services.list() : undefined),
    apiAddress: apiAddressOf(client),
    runtimeHandler: (name) => handlerOf(client, name),
  };
}

/** The embedded API has neither: pods reach it at the address that the node uses. */
function fromItself(client: KubeClient): FromCluster {
  return { apiAddress: apiAddressOf(client) };
}

function apiAddressOf({ server }: KubeClient): { host: string; port: number } {
  const { hostname, port } = new URL(server);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) };
}

async function handlerOf(client: KubeClient, name: string): Promise<string | undefined> {
  try {
    return (await client.get<RuntimeClass>(RUNTIME_CLASSES, { name })).handler;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
