/**
 * The standalone node put together: the embedded API in a thread, and the same node that joins clusters, beside it. `up` and the
 * demo start it; nothing else knows that both are in one process.
 */
import { join } from 'node:path';
import { startApiServer } from '#apiserver';
import type { Pod } from '#kube/types';
import { claimDataDir, type NodeOptions, startNode } from '#node';

export interface StandaloneOptions extends Omit<NodeOptions, 'access' | 'mode'> {
  /** Of the embedded API; 6443, and the next free one when that is taken. */
  readonly apiPort?: number | undefined;
}

export interface Standalone {
  readonly name: string;
  readonly dataDir: string;
  readonly server: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** What a person should know of how it started: a port that was taken, say. */
  readonly notes: readonly string[];
  /** Resolves with an error when the API ends by itself. */
  readonly failed: Promise<Error>;
  pods(): readonly Pod[];
  /** Ends the pods gracefully, then the node, then the API. */
  stop(): Promise<void>;
}

const API_PORT = 6443;
/** Ports above the wished one that are tried. */
const PORT_TRIES = 50;

export async function startStandalone({ apiPort = API_PORT, ...options }: StandaloneOptions): Promise<Standalone> {
  const { dataDir, name, log } = options;
  await using parts = new AsyncDisposableStack();
  refuseIfTaken(dataDir);
  const api = await startApiServer(
    { dataDir, port: apiPort, portTries: PORT_TRIES, node: { name, addresses: [] } },
    { log },
  );
  parts.defer(() => api.stop());
  const node = await startNode({
    ...options,
    mode: 'standalone',
    access: { kubeconfig: api.nodeKubeconfig ?? api.adminKubeconfig },
    // The embedded API schedules to this node alone: nothing has to be kept away from it.
    taints: options.taints ?? [],
    signWith: { certFile: join(dataDir, 'pki', 'ca.crt'), keyFile: join(dataDir, 'pki', 'ca.key') },
  });
  parts.defer(() => node.stop({ guests: 'end' }));
  await node.ready({ signal: options.signal });
  const notes = api.port === apiPort ? [] : [`port ${apiPort} is taken, so the API listens on ${api.port}`];
  const running = parts.move();
  return {
    name: node.name,
    dataDir,
    server: api.url,
    kubeconfig: api.adminKubeconfig,
    notes,
    failed: api.ended.then((error) => error ?? new Promise<never>(() => {})),
    pods: () => node.pods(),
    stop: () => running.disposeAsync(),
  };
}

/** The node takes the lock for good; asked here first, since the API that starts before it must not open another one's state. */
export function refuseIfTaken(dataDir: string): void {
  claimDataDir(dataDir)[Symbol.dispose]();
}
