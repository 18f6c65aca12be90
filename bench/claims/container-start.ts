/**
 * One container after the other, its image present: from the wish to its end and removal, through containerd with runc and through the
 * runtime of the node in a warm sandbox. The same program, in turn.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Claim, figure, quantile } from '../claim.ts';
import { type Containerd, HOW_TO_GET_IT, startContainerd } from '../peers/containerd.ts';
import { type Bench, openBench, runToEnd } from '../workload.ts';

export const HELLO_MODULE = fileURLToPath(new URL('../modules/hello.wasm', import.meta.url));
export const HELLO_SOURCE = fileURLToPath(new URL('../modules/hello.c', import.meta.url));
const ROUNDS = 30;
/** Ours in each round, so that the sandbox does what it does under load, and single starts do not hide in the clock. */
const OURS_A_ROUND = 10;
const WARM_UP = 100;
const RATIO = 30;

export const containerStart: Claim = {
  name: 'container-start',
  summary: 'a hello container from create to its end, one after another, beside containerd with runc',
  async measure({ folder, log }) {
    await using bench = await openBench(folder);
    await using containerd = (await startContainerd(folder)) ?? null;
    const rootfs = containerd === null ? '' : buildRoot(join(folder, 'rootfs'));
    for (let left = WARM_UP; left > 0; left--) await ours(bench);
    const times = { ours: [] as number[], peer: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      for (let left = OURS_A_ROUND; left > 0; left--) times.ours.push(await ours(bench));
      if (containerd !== null) times.peer.push(await peers(containerd, rootfs));
    }
    const spread = (all: number[]) => [0.1, 0.5, 0.9].map((q) => quantile(all, q).toFixed(2)).join(', ');
    log(`ms at p10, p50, p90: ours ${spread(times.ours)}, peer ${spread(times.peer)}`);
    const common = {
      claim: 'hello from create to its end, median',
      unit: 'ms',
      ours: quantile(times.ours, 0.5),
      target: `the peer's at least ${RATIO} times that`,
    };
    if (containerd === null) return [{ ...common, peerName: HOW_TO_GET_IT, holds: false }];
    const peer = quantile(times.peer, 0.5);
    return [figure({ ...common, peer, peerName: containerd.versions }, { atMost: peer / RATIO })];
  },
};

async function ours({ runtime, spec }: Bench): Promise<number> {
  const wanted = spec(HELLO_MODULE);
  const start = performance.now();
  const output = await runToEnd(runtime, wanted);
  const took = performance.now() - start;
  if (output !== 'Hello, world!\n') throw new Error(`hello printed '${output}'`);
  return took;
}

async function peers(containerd: Containerd, rootfs: string): Promise<number> {
  const start = performance.now();
  const { code, stdout, stderr } = await containerd.run(rootfs, ['/hello']);
  const took = performance.now() - start;
  if (code !== 0 || stdout.trim() !== 'Hello, world!') throw new Error(`the container ended with ${code}: ${stderr}`);
  return took;
}

/** The smallest there is: one static program, so that nothing but the runtime is measured. */
export function buildRoot(rootfs: string): string {
  mkdirSync(rootfs, { recursive: true });
  execFileSync('gcc', ['-static', '-Os', '-s', '-o', join(rootfs, 'hello'), HELLO_SOURCE]);
  return rootfs;
}
