/**
 * The peer: a real kubelet with containerd and runc, joined to the real control plane in a network namespace of its own.
 * Needs root, Debian's containerd, runc and containernetworking-plugins, and the test cache's control plane binary.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type ControlPlane, startControlPlane } from '../../test/cluster/start.ts';
import { run } from '../../test/processes/command.ts';
import { Daemon } from '../../test/processes/daemon.ts';
import { controlPlaneBinary } from '../../test/setup/control-plane.ts';
import { makeImage } from './image.ts';

export const HELLO_IMAGE = 'localhost/hello:v1';
const PAUSE_IMAGE = 'localhost/pause:v1';
const NODE = 'peer';

export interface KubeletPeer extends AsyncDisposable {
  readonly cluster: ControlPlane;
  readonly node: string;
  /** Process ids of kubelet and containerd. */
  readonly pids: readonly number[];
  readonly versions: string;
}

export async function startKubelet(folder: string): Promise<KubeletPeer> {
  const cluster = await startControlPlane({ dir: join(folder, 'cluster') });
  const before = podNamespaces();
  const state = join(folder, 'peer');
  mkdirSync(state, { recursive: true });
  const containerd = new Daemon({
    name: 'containerd',
    argv: ['containerd', '--config', writeContainerd(state)],
    enter: cluster.enter,
    log: join(state, 'containerd.log'),
  });
  const kubelet = new Daemon({
    name: 'kubelet',
    argv: [controlPlaneBinary(), 'kubelet', ...(await kubeletFlags(cluster, state))],
    enter: cluster.enter,
    log: join(state, 'kubelet.log'),
  });
  async function stop(): Promise<void> {
    await cluster.kubectl(['delete', 'pods', '--all', '-A', '--force', '--grace-period=0'], { accept: 'any' });
    await kubelet.signal('SIGKILL');
    await endContainers(state);
    await containerd.signal('SIGKILL');
    await run(
      [
        'sh',
        '-c',
        `umount -R ${state}/* 2>/dev/null; grep -o '${state}[^ ]*' /proc/mounts | sort -r | xargs -r umount -l`,
      ],
      { accept: 'any' },
    );
    // Without their containers nobody asks CNI to take these away.
    for (const name of podNamespaces())
      if (!before.has(name)) await run(['ip', 'netns', 'delete', name], { accept: 'any' });
    await cluster.stop();
  }
  try {
    containerd.start();
    await importImage(folder, state);
    kubelet.start();
    await cluster.kubectl(['wait', '--for=create', '--timeout=60s', `node/${NODE}`]);
    await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=120s', `node/${NODE}`]);
  } catch (error) {
    const tails = `${kubelet.tail()}\n${containerd.tail()}`;
    await stop();
    throw new Error(`Cannot start the peer\n${tails}`, { cause: error });
  }
  const { stdout } = await run(['containerd', '--version']);
  const pids = [kubelet.pid, containerd.pid].filter((pid): pid is number => pid !== undefined);
  return {
    cluster,
    node: NODE,
    pids,
    versions: `kubelet v1.35.4, ${stdout.trim()}, runc`,
    [Symbol.asyncDispose]: stop,
  };
}

function writeContainerd(state: string): string {
  const cni = join(state, 'cni');
  mkdirSync(cni, { recursive: true });
  const network = {
    cniVersion: '0.4.0',
    name: 'peer',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: { type: 'host-local', subnet: '10.244.9.0/24', dataDir: join(state, 'ipam') },
      },
    ],
  };
  writeFileSync(join(cni, '10-peer.conflist'), JSON.stringify(network));
  const path = join(state, 'containerd.toml');
  writeFileSync(
    path,
    `version = 2
root = "${state}/root"
state = "${state}/state"
[grpc]
  address = "${state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`,
  );
  return path;
}

async function kubeletFlags(cluster: ControlPlane, state: string): Promise<string[]> {
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: '/',
    containerRuntimeEndpoint: `unix://${state}/containerd.sock`,
    failSwapOn: false,
    maxPods: 250,
    readOnlyPort: 0,
    podLogsDir: join(state, 'pod-logs'),
    authentication: { x509: { clientCAFile: cluster.ca }, anonymous: { enabled: false } },
    evictionHard: { 'memory.available': '1Mi' },
    enableControllerAttachDetach: true,
    registryPullQPS: 0,
  };
  const path = join(state, 'kubelet.yaml');
  writeFileSync(path, JSON.stringify(config));
  const kubeconfig = await cluster.user(`system:node:${NODE}`, 'system:nodes');
  return [
    `--config=${path}`,
    `--kubeconfig=${kubeconfig}`,
    `--root-dir=${join(state, 'kubelet')}`,
    `--hostname-override=${NODE}`,
    '--v=1',
  ];
}

async function importImage(folder: string, state: string): Promise<void> {
  const tar = makeImage(join(folder, 'image'), [HELLO_IMAGE, PAUSE_IMAGE]);
  const ctr = ['ctr', '--address', `${state}/containerd.sock`, '--namespace', 'k8s.io'];
  for (let attempt = 0; ; attempt++) {
    const { code, stderr } = await run([...ctr, 'images', 'import', tar], { accept: 'any' });
    if (code === 0) return;
    if (attempt === 50) throw new Error(`Cannot import the peer's image: ${stderr}`);
    await setTimeout(200);
  }
}

/** Network namespaces that containerd's CNI makes, one a pod. */
function podNamespaces(): Set<string> {
  return new Set(existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith('cni-')) : []);
}

async function endContainers(state: string): Promise<void> {
  const ctr = ['ctr', '--address', `${state}/containerd.sock`, '--namespace', 'k8s.io'];
  const { stdout } = await run([...ctr, 'tasks', 'list', '-q'], { accept: 'any' });
  for (const id of stdout.split('\n').filter((line) => line !== '')) {
    await run([...ctr, 'tasks', 'delete', '--force', id], { accept: 'any' });
  }
}
