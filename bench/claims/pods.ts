/** 100 hello pods at once: bound to Running, and memory a pod, beside a real kubelet with containerd and runc on this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { burst, removeBurst } from '../burst.ts';
import { type Claim, type Figure, figure, quantile } from '../claim.ts';
import { compileHello } from '../hello.ts';
import { HELLO_IMAGE, startKubelet } from '../peers/kubelet.ts';
import { memoryOf, pidsWith, wasmlet } from '../process.ts';

const COUNT = 100;
const LIMIT_MS = 120_000;

interface Measured {
  readonly p99: number;
  readonly total: number;
  readonly megabytes: number;
}

export const pods: Claim = {
  name: 'pods',
  summary: `${COUNT} hello pods at once, beside kubelet with containerd and runc`,
  async measure({ folder, log }) {
    const ours = await measureOurs(folder, log);
    const { measured: peer, name: peerName } = await measurePeer(folder, log);
    const about = { peerName };
    return [
      figure(
        {
          ...about,
          claim: `${COUNT} pods, bound to Running, p99`,
          unit: 's',
          ours: ours.p99 / 1000,
          peer: peer && peer.p99 / 1000,
          target: 'at most 1.5 s',
        },
        { atMost: 1.5 },
      ),
      figure(
        {
          ...about,
          claim: `${COUNT} pods, first create to last Running`,
          unit: 's',
          ours: ours.total / 1000,
          peer: peer && peer.total / 1000,
          target: 'published',
        },
        { atMost: Number.POSITIVE_INFINITY },
      ),
      figure(
        {
          ...about,
          claim: 'memory a pod (PSS of all processes, above idle)',
          unit: 'MB',
          ours: ours.megabytes,
          peer: peer?.megabytes,
          target: 'at most 1 MB',
        },
        { atMost: 1 },
      ),
    ] satisfies Figure[];
  },
};

async function measureOurs(folder: string, log: (line: string) => void): Promise<Measured> {
  const dir = join(folder, 'data');
  const module = await compileHello(folder);
  await wasmlet(['push', '--local', '--data-dir', dir, module, HELLO_IMAGE]);
  await wasmlet(['up', '--detach', '--data-dir', dir, '--max-pods', '250']);
  try {
    return await timed({ kubeconfig: join(dir, 'kubeconfig'), memory: () => sumOf(pidsWith(dir)), log, who: 'ours' });
  } finally {
    await wasmlet(['down', '--data-dir', dir]);
  }
}

async function measurePeer(
  folder: string,
  log: (line: string) => void,
): Promise<{ measured?: Measured; name: string }> {
  if (process.getuid?.() !== 0) return { name: 'none: the peer needs root' };
  try {
    await using peer = await startKubelet(folder);
    // Shims and containers are children of init; their command lines name the peer's folder or are the hello program.
    const memory = () => sumOf([...new Set([...pidsWith(join(folder, 'peer')), ...containersOf(folder)])]);
    const measured = await timed({
      kubeconfig: peer.cluster.kubeconfig,
      memory,
      log,
      who: 'peer',
      enter: peer.cluster.namespace.name,
    });
    return { measured, name: peer.versions };
  } catch (error) {
    return { name: `none: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}` };
  }
}

/** Processes whose parent is one of the peer's shims. */
function containersOf(folder: string): number[] {
  const shims = pidsWith(join(folder, 'peer'));
  return shims.flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
}

function sumOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + memoryOf(pid).pss;
    } catch {
      return sum;
    }
  }, 0);
}

interface Timing {
  readonly kubeconfig: string;
  readonly memory: () => number;
  readonly log: (line: string) => void;
  readonly who: string;
  readonly enter?: string;
}

async function timed({ kubeconfig, memory, log, who, enter }: Timing): Promise<Measured> {
  await setTimeout(3000);
  const before = memory();
  const result =
    enter === undefined
      ? await burst({ kubeconfig, count: COUNT, image: HELLO_IMAGE, limit: LIMIT_MS })
      : await burstInside(enter, kubeconfig);
  await setTimeout(3000);
  const megabytes = (memory() - before) / COUNT;
  const p99 = quantile(result.durations, 0.99);
  log(
    `${who}: p99 ${p99.toFixed(0)} ms, all in ${result.total.toFixed(0)} ms, ${megabytes.toFixed(2)} MB a pod (${before.toFixed(0)} MB idle)`,
  );
  if (enter === undefined) await removeBurst({ kubeconfig, count: COUNT });
  return { p99, total: result.total, megabytes };
}

/** The peer's API server is only reachable inside its namespace, so the burst runs there, in a process of its own. */
async function burstInside(
  namespace: string,
  kubeconfig: string,
): Promise<{ durations: readonly number[]; total: number }> {
  const { run } = await import('../process.ts');
  const script = new URL('../burst-main.ts', import.meta.url).pathname;
  const args = [
    'netns',
    'exec',
    namespace,
    process.execPath,
    script,
    kubeconfig,
    String(COUNT),
    HELLO_IMAGE,
    String(LIMIT_MS),
  ];
  const outcome = await run('ip', args);
  if (outcome.code !== 0)
    throw new Error(`the peer's burst failed: ${/^.*Error: .*$/m.exec(outcome.stderr)?.[0] ?? outcome.stderr}`);
  return JSON.parse(outcome.stdout) as { durations: number[]; total: number };
}
