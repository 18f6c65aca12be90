import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodSpec } from '#kube/types';
import { createWorld, podOf, type World } from './fixture.ts';

const POSIX = { 'wasmlet.dev/capabilities': 'posix' };

async function applied(spec: Partial<PodSpec>, annotations: Record<string, string>): Promise<World> {
  const world = createWorld();
  world.api.createPod(podOf(spec, { annotations }));
  await world.run(2000);
  return world;
}

function grantOf({ machine }: World) {
  const [workload] = [...machine.workloads.values()];
  return workload?.spec.posix;
}

describe('wasmlet.dev/capabilities', () => {
  it('grants nothing by itself', async () => {
    using world = await applied({}, {});
    assert.equal(grantOf(world), undefined);
  });

  it('grants the extension, with the identity of containers', async () => {
    using world = await applied({}, POSIX);
    assert.deepEqual(grantOf(world), { uid: 0, gid: 0, groups: [], hostname: 'web' });
  });

  it('shows the identity that the pod has, the container first', async () => {
    const containers = [{ name: 'main', image: 'hello:1', securityContext: { runAsUser: 7 } }];
    const securityContext = { runAsUser: 5, runAsGroup: 6, supplementalGroups: [8] };
    using world = await applied({ containers, securityContext, hostname: 'named' }, POSIX);
    assert.deepEqual(grantOf(world), { uid: 7, gid: 6, groups: [8], hostname: 'named' });
  });

  it('is refused for a word that nobody provides', async () => {
    using world = await applied({}, { 'wasmlet.dev/capabilities': 'posix, gpu' });
    assert.equal(world.machine.workloads.size, 0);
    const refused = world.events.find(({ reason }) => reason === 'Failed');
    assert.match(refused?.message ?? '', /grants 'gpu', which nobody provides; known is posix/);
  });
});

describe('wasmlet.dev/grace', () => {
  it('is refused where it is neither true nor false', async () => {
    using world = await applied({}, { 'wasmlet.dev/grace': 'yes' });
    assert.equal(world.machine.workloads.size, 0);
    const refused = world.events.find(({ reason }) => reason === 'Failed');
    assert.match(refused?.message ?? '', /wasmlet.dev\/grace is 'yes'; it may be true or false/);
  });
});
