/** Thousands of idle pods: what each costs in memory, of all processes of the node, beside what the guest itself has touched. */
import { type Claim, figure } from '../claim.ts';
import { startCrowd, sum } from '../crowd.ts';

const PODS = 5000;
const LIMIT_MS = 600_000;
const AT_MOST_KB = 150;
/** Measured by `pods` on this machine; of runwasi's wasmtime shim published by others, and not measured here. */
const PEERS = 'published: runc 3.0 MB, runwasi with wasmtime 6.2 MB a pod';

export const density: Claim = {
  name: 'density',
  summary: `${PODS} idle pods: memory a pod beyond the linear memory that it touches`,
  async measure({ folder, log, pods = PODS }) {
    await using crowd = await startCrowd(folder, { pods: pods + 50 });
    await crowd.settle();
    const before = crowd.processes();
    log(`without pods: ${before.map(({ role, pss }) => `${role} ${pss.toFixed(0)} MB`).join(', ')}`);
    const { span } = await crowd.start({ count: pods, limit: LIMIT_MS, atOnce: 100 });
    log(`${pods} pods Running in ${(span / 1000).toFixed(1)} s`);
    await crowd.settle();
    const after = crowd.processes();
    for (const { role, pss, linear } of after)
      log(`${role} ${pss.toFixed(0)} MB, of it ${linear.toFixed(0)} MB linear memory`);
    const linear = ((sum(after, 'linear') - sum(before, 'linear')) * 1024) / pods;
    const whole = ((sum(after, 'pss') - sum(before, 'pss')) * 1024) / pods;
    const about = { unit: 'KB', peerName: PEERS };
    return [
      figure(
        { ...about, claim: `${pods} idle pods: PSS a pod, linear memory in it`, ours: whole, target: 'published' },
        { atMost: Number.POSITIVE_INFINITY },
      ),
      figure(
        { ...about, claim: `${pods} idle pods: linear memory touched a pod`, ours: linear, target: 'published' },
        { atMost: Number.POSITIVE_INFINITY },
      ),
      figure(
        {
          ...about,
          claim: `${pods} idle pods: PSS a pod beyond it`,
          ours: whole - linear,
          target: `at most ${AT_MOST_KB} KB`,
        },
        { atMost: AT_MOST_KB },
      ),
    ];
  },
};
