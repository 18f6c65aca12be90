import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { endingCases } from './cases/endings.ts';
import { extensionCases } from './cases/extensions.ts';
import { inputCases } from './cases/inputs.ts';
import { lifecycleCases } from './cases/lifecycle.ts';
import { resizeCases } from './cases/resize.ts';
import { scenarioCases } from './cases/scenarios.ts';
import { survivalCases } from './cases/survival.ts';
import { type ClusterWorld, startCluster } from './cluster.ts';
import { apply, isReady, phase, podOf, remove, statusOf, steps, until } from './world.ts';

describe('pods on a node of a real cluster', () => {
  let world: ClusterWorld;
  before(async () => {
    world = await startCluster();
  });
  after(() => world?.[Symbol.asyncDispose]());

  it('the node shows itself as Krustlet did: architecture, taints, and pods that tolerate neither stay away', async () => {
    const { stdout } = await world.kubectl(['get', 'node', 'wasm', '-o', 'json']);
    const node = JSON.parse(stdout) as {
      metadata: { labels: Record<string, string> };
      spec: { taints: { key: string; value: string; effect: string }[] };
    };
    assert.equal(node.metadata.labels['kubernetes.io/arch'], 'wasm32-wasi');
    const taints = node.spec.taints.map(({ key, value, effect }) => `${key}=${value}:${effect}`);
    for (const effect of ['NoSchedule', 'NoExecute'])
      assert.ok(taints.includes(`kubernetes.io/arch=wasm32-wasi:${effect}`), String(taints));
  });

  lifecycleCases(() => world);
  inputCases(() => world);
  extensionCases(() => world);
  resizeCases(() => world);
  scenarioCases(() => world);
  survivalCases(() => world);
  endingCases(() => world, '`wasmlet join`');

  it('an API server that dies and comes back: pods go on, and what happened meanwhile is told', async () => {
    await apply(
      world,
      podOf(world, 'steady', { main: steps('forever') }),
      podOf(world, 'ends', { main: steps('sleep 4000 , exit 5') }),
    );
    const before = statusOf(await until(world, 'steady', isReady), 'main');
    await until(world, 'ends', isReady);
    await world.cluster.parts['kube-apiserver'].signal('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 5000));
    world.cluster.parts['kube-apiserver'].start();
    await world.cluster.ready();
    const ended = await until(world, 'ends', phase('Failed'), { seconds: 90 });
    assert.equal(statusOf(ended, 'main').state?.terminated?.exitCode, 5);
    const after = statusOf(await until(world, 'steady', isReady, { seconds: 90 }), 'main');
    assert.deepEqual([after.restartCount, after.containerID], [before.restartCount, before.containerID]);
    await remove(world, 'steady', 'ends');
  });
});
