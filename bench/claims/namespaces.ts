/** Many tenants with few pods each: each namespace has a sandbox of its own, so this is what isolation costs; beside runc's for the same pods. */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { burst } from '../burst.ts';
import { type Claim, figure, quantile } from '../claim.ts';
import { startCrowd, sum } from '../crowd.ts';
import { measureKubelet } from '../peers/burst.ts';
import { HELLO_IMAGE } from '../peers/kubelet.ts';

const NAMESPACES = 50;
const PODS_EACH = 4;
const LIMIT_MS = 300_000;

export const namespaces: Claim = {
  name: 'namespaces',
  summary: `${NAMESPACES} namespaces with ${PODS_EACH} pods each: memory, and the first pod of a new namespace`,
  async measure({ folder, log, pods = NAMESPACES * PODS_EACH }) {
    const ours = await measureOurs(folder, pods, log);
    const shape = { count: pods, namespaces: Math.ceil(pods / PODS_EACH), limit: LIMIT_MS };
    const { measured, name: peerName } = await measureKubelet(join(folder, 'kubelet'), shape, log);
    const about = { peerName };
    return [
      figure(
        {
          ...about,
          claim: `${pods} pods in ${shape.namespaces} namespaces: PSS of all processes above idle`,
          unit: 'MB',
          ours: ours.megabytes,
          peer: measured?.megabytes,
          target: "under the peer's",
        },
        { atMost: measured?.megabytes ?? Number.POSITIVE_INFINITY },
      ),
      figure(
        {
          ...about,
          claim: `the first pod of a new namespace, one namespace after the other, bound to Running, p99`,
          unit: 's',
          ours: ours.first / 1000,
          target: 'published',
        },
        { atMost: Number.POSITIVE_INFINITY },
      ),
      figure(
        {
          ...about,
          claim: `${pods} pods in ${shape.namespaces} namespaces at once, bound to Running, p99`,
          unit: 's',
          ours: ours.p99 / 1000,
          peer: measured && measured.p99 / 1000,
          target: 'published',
        },
        { atMost: Number.POSITIVE_INFINITY },
      ),
    ];
  },
};

async function measureOurs(folder: string, pods: number, log: (line: string) => void) {
  const count = Math.ceil(pods / PODS_EACH);
  await using crowd = await startCrowd(folder, { pods: pods + count + 50 });
  await crowd.settle();
  const before = sum(crowd.processes(), 'pss');
  const { durations } = await crowd.start({ count: pods, namespaces: count, limit: LIMIT_MS });
  await crowd.settle();
  const after = crowd.processes();
  const megabytes = sum(after, 'pss') - before;
  const p99 = quantile(durations, 0.99);
  log(
    `ours: ${megabytes.toFixed(0)} MB, of it node ${sum(after, 'pss', 'node').toFixed(0)} MB; p99 ${(p99 / 1000).toFixed(1)} s`,
  );
  const firsts: number[] = [];
  for (let at = 0; at < count; at++) {
    const { kubeconfig } = crowd;
    const one = { count: 1, namespaces: 1, into: `first-${at}`, image: HELLO_IMAGE, limit: LIMIT_MS };
    firsts.push(...(await burst({ kubeconfig, ...one })).durations);
    await setTimeout(500);
  }
  const first = quantile(firsts, 0.99);
  log(`ours: first pod of a new namespace p50 ${quantile(firsts, 0.5).toFixed(0)} ms, p99 ${first.toFixed(0)} ms`);
  return { megabytes, p99, first };
}
