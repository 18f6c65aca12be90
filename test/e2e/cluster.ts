/** The cluster world: a real control plane in a network namespace, and `wasmlet join` by TLS bootstrap, approved as an administrator would. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from '../cluster/start.ts';
import { run } from '../processes/command.ts';
import { startRegistry } from '../registry/start.ts';
import { pushGuests } from './guests.ts';
import { nodeProcess, WASMLET } from './node-process.ts';
import { eventually, type World } from './world.ts';

const NODE = 'wasm';

export interface ClusterWorld extends World {
  readonly cluster: ControlPlane;
}

/** Must run inside the namespace that `npm test` makes for the group. */
export async function startCluster(): Promise<ClusterWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-e2e-cluster-'));
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  const cluster = await startControlPlane({ dir: join(folder, 'cluster') });
  if (cluster.enter.length > 0) {
    await cluster.stop();
    throw new Error("Cannot run the cluster cases outside the group's namespace: use `npm test -- e2e-cluster`");
  }
  const registry = await startRegistry();
  const images = await pushGuests(registry.host);
  const { kubectl } = cluster;
  async function ready(): Promise<void> {
    await approveServing(cluster);
    await kubectl(['wait', '--for=condition=Ready', `node/${NODE}`, '--timeout=60s']);
  }
  const args = [
    'join',
    '--bootstrap-kubeconfig',
    cluster.bootstrapKubeconfig,
    '--node-name',
    NODE,
    '--data-dir',
    dataDir,
    '--log-level',
    'debug',
  ];
  const node = nodeProcess({ args, dataDir, log: join(folder, 'node.log'), ready });
  async function dispose(): Promise<void> {
    await node.end('SIGTERM');
    await run([process.execPath, WASMLET, 'down', '--data-dir', dataDir], { accept: 'any' });
    await registry.stop();
    await cluster.stop();
    if (process.env['WASMLET_TEST_KEEP'] !== '1') rmSync(folder, { recursive: true, force: true });
  }
  const world: ClusterWorld = {
    kind: 'cluster',
    cluster,
    dataDir,
    kubeconfig: cluster.kubeconfig,
    registry: registry.host,
    image: (name) => images[name],
    kubectl,
    node,
    [Symbol.asyncDispose]: dispose,
  };
  try {
    await node.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return world;
}

/** The serving certificate is for an administrator to approve; every pending request of ours is. */
async function approveServing({ kubectl }: ControlPlane): Promise<void> {
  await eventually('the node', async () => {
    const { code } = await kubectl(['get', 'node', NODE], { accept: 'any' });
    return code === 0 ? true : undefined;
  });
  await eventually('an issued serving certificate', async () => {
    const { stdout } = await kubectl(['get', 'csr', '-o', 'json']);
    const { items } = JSON.parse(stdout) as { items: SigningRequest[] };
    const serving = items.filter(({ spec }) => spec.signerName === 'kubernetes.io/kubelet-serving');
    const pending = serving.filter(({ status }) => status?.conditions === undefined);
    for (const { metadata } of pending) await kubectl(['certificate', 'approve', metadata.name]);
    return serving.some(({ status }) => status?.certificate !== undefined) ? true : undefined;
  });
}

interface SigningRequest {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly signerName: string };
  readonly status?: { readonly conditions?: readonly unknown[]; readonly certificate?: string };
}
