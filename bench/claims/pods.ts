/** 100 hello pods at once: bound to Running, and memory a pod, beside a real kubelet with containerd and runc on this machine. */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Claim, type Figure, figure, quantile } from '../claim.ts';
import { startCrowd, sum } from '../crowd.ts';
import { measureKubelet } from '../peers/burst.ts';

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
    const shape = { count: COUNT, limit: LIMIT_MS };
    const { measured: peer, name: peerName } = await measureKubelet(join(folder, 'kubelet'), shape, log);
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
          peer: peer && peer.megabytes / COUNT,
          target: 'at most 1 MB',
        },
        { atMost: 1 },
      ),
    ] satisfies Figure[];
  },
};

async function measureOurs(folder: string, log: (line: string) => void): Promise<Measured> {
  await using crowd = await startCrowd(folder, { pods: 250 });
  await setTimeout(3000);
  const before = sum(crowd.processes(), 'pss');
  const { durations, total } = await crowd.start({ count: COUNT, limit: LIMIT_MS });
  await setTimeout(3000);
  const megabytes = (sum(crowd.processes(), 'pss') - before) / COUNT;
  const p99 = quantile(durations, 0.99);
  log(
    `ours: p99 ${p99.toFixed(0)} ms, all in ${total.toFixed(0)} ms, ${megabytes.toFixed(2)} MB a pod (${before.toFixed(0)} MB idle)`,
  );
  return { p99, total, megabytes };
}
