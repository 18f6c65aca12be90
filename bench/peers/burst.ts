/** The same burst of hello pods on the peer: a real kubelet with containerd and runc. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { processesWith } from '../../test/processes/left-behind.ts';
import type { Burst, BurstResult } from '../burst.ts';
import { quantile } from '../claim.ts';
import { memoryOf, run } from '../process.ts';
import { HELLO_IMAGE, startKubelet } from './kubelet.ts';

export interface MeasuredPeer {
  /** Milliseconds from bound to Running. */
  readonly p99: number;
  /** Milliseconds from the first create to the last Running. */
  readonly total: number;
  /** PSS of all processes above idle. */
  readonly megabytes: number;
}

/** Without root, or without what the peer needs, there is none, and its name says why. */
export async function measureKubelet(
  folder: string,
  shape: Pick<Burst, 'count' | 'namespaces' | 'limit'>,
  log: (line: string) => void,
): Promise<{ measured?: MeasuredPeer; name: string }> {
  if (process.getuid?.() !== 0) return { name: 'none: the peer needs root' };
  try {
    await using peer = await startKubelet(folder);
    // Shims and containers are children of init; their command lines name the peer's folder or are the hello program.
    const memory = () => sumOf([...new Set([...processesWith(join(folder, 'peer')), ...containersOf(folder)])]);
    await setTimeout(3000);
    const before = memory();
    const { durations, total } = await burstInside(peer.cluster.namespace.name, peer.cluster.kubeconfig, shape);
    await setTimeout(3000);
    const megabytes = memory() - before;
    const p99 = quantile(durations, 0.99);
    log(
      `peer: p99 ${p99.toFixed(0)} ms, all in ${total.toFixed(0)} ms, ${megabytes.toFixed(0)} MB above ${before.toFixed(0)} MB idle`,
    );
    return { measured: { p99, total, megabytes }, name: peer.versions };
  } catch (error) {
    return { name: `none: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}` };
  }
}

/** Processes whose parent is one of the peer's shims. */
function containersOf(folder: string): number[] {
  const shims = processesWith(join(folder, 'peer'));
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

/** The peer's API server is only reachable inside its namespace, so the burst runs there, in a process of its own. */
async function burstInside(
  namespace: string,
  kubeconfig: string,
  { count, limit, namespaces = 1 }: Pick<Burst, 'count' | 'namespaces' | 'limit'>,
): Promise<BurstResult> {
  const script = new URL('../burst-main.ts', import.meta.url).pathname;
  const words = [kubeconfig, count, HELLO_IMAGE, limit, namespaces].map(String);
  const outcome = await run('ip', ['netns', 'exec', namespace, process.execPath, script, ...words]);
  if (outcome.code !== 0)
    throw new Error(`the peer's burst failed: ${/^.*Error: .*$/m.exec(outcome.stderr)?.[0] ?? outcome.stderr}`);
  return JSON.parse(outcome.stdout) as BurstResult;
}
