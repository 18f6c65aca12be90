/** Idle and joined, no pods: node process and one warm sandbox, memory and CPU, beside kubelet with containerd on this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type ControlPlane, startControlPlane } from '../../test/cluster/start.ts';
import { processesWith } from '../../test/processes/left-behind.ts';
import { type Claim, type Figure, figure } from '../claim.ts';
import { startKubelet } from '../peers/kubelet.ts';
import { cpuOf, end, memoryOf, WASMLET } from '../process.ts';

const WATCHED_S = 30;

interface Idle {
  readonly pss: number;
  /** Private MB of the sandbox, for what each further one costs. */
  readonly sandbox: number;
  /** Share of one core, in percent. */
  readonly cpu: number;
}

export const idle: Claim = {
  name: 'idle',
  summary: 'idle and joined without pods: memory and CPU, beside kubelet with containerd',
  async measure({ folder, log }) {
    const ours = await measureOurs(folder, log);
    const peer = await measurePeer(join(folder, 'kubelet'), log);
    const peerName = peer.name;
    return [
      figure(
        {
          claim: 'idle, joined: node and one warm sandbox, PSS',
          unit: 'MB',
          ours: ours.pss,
          peer: peer.idle?.pss,
          peerName,
          target: 'at most 110 MB',
        },
        { atMost: 110 },
      ),
      figure(
        {
          claim: 'a further sandbox, private',
          unit: 'MB',
          ours: ours.sandbox,
          peerName: 'none',
          target: 'at most 35 MB',
        },
        { atMost: 35 },
      ),
      figure(
        {
          claim: 'idle, joined: CPU',
          unit: '% of a core',
          ours: ours.cpu,
          peer: peer.idle?.cpu,
          peerName,
          target: 'under 0.5 %',
        },
        { atMost: 0.5 },
      ),
    ] satisfies Figure[];
  },
};

async function measureOurs(folder: string, log: (line: string) => void): Promise<Idle> {
  await using cluster = await startControlPlane({ dir: join(folder, 'cluster') });
  const dir = join(folder, 'data');
  const node = startJoin(cluster, dir, folder);
  try {
    await ready(cluster, node, folder);
    await setTimeout(15_000);
    const pids = [...new Set([node.pid ?? 0, ...processesWith(dir)])].filter((pid) => cmdline(pid) !== '');
    const sandboxes = pids.filter((pid) => /sandbox/.test(cmdline(pid)));
    const idle = await watched(pids);
    const sandbox = Math.max(0, ...sandboxes.map((pid) => memoryOf(pid).private));
    log(
      `ours: ${pids.length} processes, ${idle.pss.toFixed(0)} MB PSS, sandbox ${sandbox.toFixed(0)} MB private, ${idle.cpu.toFixed(2)} % CPU`,
    );
    return { ...idle, sandbox };
  } finally {
    await end(node);
    for (const pid of processesWith(dir)) process.kill(pid, 'SIGKILL');
  }
}

function startJoin(cluster: ControlPlane, dir: string, folder: string): ChildProcess {
  const output = openSync(join(folder, 'node.log'), 'a');
  const [file = '', ...args] = [
    ...cluster.enter,
    process.execPath,
    WASMLET,
    'join',
    '--bootstrap-kubeconfig',
    cluster.bootstrapKubeconfig,
    '--node-name',
    'idle',
    '--data-dir',
    dir,
  ];
  return spawn(file, args, { stdio: ['ignore', output, output] });
}

async function ready(cluster: ControlPlane, node: ChildProcess, folder: string): Promise<void> {
  try {
    await cluster.kubectl(['wait', '--for=create', '--timeout=60s', 'node/idle']);
    await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=60s', 'node/idle']);
  } catch (cause) {
    throw new Error(`Cannot join (pid ${node.pid}): ${readFileSync(join(folder, 'node.log'), 'utf8').slice(-2000)}`, {
      cause,
    });
  }
}

async function measurePeer(folder: string, log: (line: string) => void): Promise<{ idle?: Idle; name: string }> {
  if (process.getuid?.() !== 0) return { name: 'none: the peer needs root' };
  try {
    await using peer = await startKubelet(folder);
    await setTimeout(15_000);
    const idle = await watched(peer.pids);
    log(`peer: ${idle.pss.toFixed(0)} MB PSS, ${idle.cpu.toFixed(2)} % CPU`);
    return { idle: { ...idle, sandbox: 0 }, name: peer.versions };
  } catch (error) {
    return { name: `none: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}` };
  }
}

async function watched(pids: readonly number[]): Promise<{ pss: number; cpu: number }> {
  const before = pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  await setTimeout(WATCHED_S * 1000);
  const spent = pids.reduce((sum, pid) => sum + cpuOf(pid), 0) - before;
  return { pss: pids.reduce((sum, pid) => sum + memoryOf(pid).pss, 0), cpu: (spent / WATCHED_S) * 100 };
}

function cmdline(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
