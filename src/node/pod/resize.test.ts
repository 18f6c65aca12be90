/** A pod whose resources change while it runs, with the whole pod side of the node around it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod, ResourceRequirements } from '#kube/types';
import { createWorld, podOf, type World } from './fixture.ts';

const MIB = 1024 * 1024;
const of = (cpu: string, memory = '64Mi'): ResourceRequirements => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});

async function runs(world: World, container: Partial<Container> = {}): Promise<void> {
  world.api.createPod(podOf({ containers: [{ name: 'main', image: 'hello:1', resources: of('100m'), ...container }] }));
  await world.run();
  assert.equal(world.api.pod('web')?.status?.phase, 'Running');
}

async function asks(world: World, resources: ResourceRequirements): Promise<void> {
  const pod = world.api.pod('web') as Pod;
  const containers = (pod.spec?.containers ?? []).map((container) => ({ ...container, resources }));
  const generation = (pod.metadata?.generation ?? 0) + 1;
  world.api.createPod({
    ...pod,
    metadata: { ...pod.metadata, generation },
    spec: { ...pod.spec, containers } as NonNullable<Pod['spec']>,
  });
  await world.run();
}

const conditionsOf = (world: World) =>
  (world.api.pod('web')?.status?.conditions ?? [])
    .filter(({ type }) => type.startsWith('PodResize'))
    .map(({ type, status, reason, message }) => [type, status, reason, message]);
const statusOf = (world: World) => world.api.pod('web')?.status?.containerStatuses?.[0];
const eventsOf = (world: World) =>
  world.events.map(({ reason }) => reason).filter((reason) => reason.startsWith('Resize'));

describe('a running pod', () => {
  it('gets other limits in place, and says what it has', async () => {
    using world = createWorld();
    await runs(world);
    await asks(world, of('300m', '128Mi'));
    assert.deepEqual(world.machine.limits.get('u-1/main/0'), {
      memoryBytes: 128 * MIB,
      cpuMillis: 300,
      cpuShares: 307,
    });
    assert.deepEqual(statusOf(world)?.resources, of('300m', '128Mi'));
    assert.deepEqual(statusOf(world)?.allocatedResources, { cpu: '300m', memory: '128Mi' });
    assert.equal(statusOf(world)?.restartCount, 0);
    assert.deepEqual(conditionsOf(world), []);
    assert.deepEqual(eventsOf(world), ['ResizeStarted', 'ResizeCompleted']);
    assert.equal(world.api.pod('web')?.status?.observedGeneration, 2);
    assert.deepEqual(world.machine.violations, []);
  });

  it('keeps its limits while less memory is asked for than it uses, and gets the new ones when it uses less', async () => {
    using world = createWorld();
    world.machine.used = 50 * MIB;
    await runs(world);
    await asks(world, of('100m', '32Mi'));
    const words = `cannot decrease memory limits: attempting to set container "main" memory limit (${32 * MIB}) below current usage (${50 * MIB})`;
    assert.deepEqual(conditionsOf(world), [['PodResizeInProgress', 'True', 'Error', words]]);
    assert.deepEqual(statusOf(world)?.resources, of('100m'));
    assert.deepEqual(statusOf(world)?.allocatedResources, { cpu: '100m', memory: '32Mi' });
    await world.run(30_000);
    assert.ok(statusOf(world)?.state?.running);
    assert.deepEqual(eventsOf(world), ['ResizeStarted', 'ResizeError']);
    world.machine.used = 20 * MIB;
    await world.run(11_000);
    assert.deepEqual(conditionsOf(world), []);
    assert.deepEqual(statusOf(world)?.resources, of('100m', '32Mi'));
    assert.deepEqual(eventsOf(world).at(-1), 'ResizeCompleted');
  });

  it('waits for room that others have, and is refused what the node never had', async () => {
    using world = createWorld({ more: { allocatable: () => ({ cpu: '1', memory: '1Gi' }) } });
    await runs(world);
    const other = podOf({ containers: [{ name: 'main', image: 'hello:1', resources: of('800m') }] });
    world.api.createPod({ ...other, metadata: { ...other.metadata, name: 'other', uid: 'u-2' } });
    await world.run();
    await asks(world, of('2'));
    const infeasible = "Node didn't have enough capacity: cpu, requested: 2000, capacity: 1000";
    assert.deepEqual(conditionsOf(world), [['PodResizePending', 'True', 'Infeasible', infeasible]]);
    await asks(world, of('300m'));
    const deferred = "Node didn't have enough resource: cpu, requested: 300, used: 800, capacity: 1000";
    assert.deepEqual(conditionsOf(world), [['PodResizePending', 'True', 'Deferred', deferred]]);
    assert.deepEqual(statusOf(world)?.allocatedResources, { cpu: '100m', memory: '64Mi' });
    // A container that is made meanwhile has what was granted.
    world.machine.exit('u-1', 'main', { code: 1 });
    await world.run(1_000);
    assert.equal(world.machine.newest('u-1', 'main')?.spec.limits.cpuMillis, 100);
    world.machine.exit('u-2', 'main', { code: 0 });
    world.api.deletePod('other', 0);
    await world.run(12_000);
    assert.deepEqual(conditionsOf(world), []);
    assert.deepEqual(statusOf(world)?.resources, of('300m'));
    assert.deepEqual(eventsOf(world), ['ResizeInfeasible', 'ResizeDeferred', 'ResizeStarted', 'ResizeCompleted']);
  });

  it('is restarted where its policy says so, at once and once', async () => {
    using world = createWorld();
    await runs(world, { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] });
    await asks(world, of('200m'));
    assert.equal(statusOf(world)?.restartCount, 0);
    await asks(world, of('200m', '256Mi'));
    assert.equal(statusOf(world)?.restartCount, 1);
    assert.equal(world.machine.newest('u-1', 'main')?.spec.limits.memoryBytes, 256 * MIB);
    assert.ok(statusOf(world)?.state?.running);
    await world.run(60_000);
    assert.equal(statusOf(world)?.restartCount, 1);
    assert.deepEqual(conditionsOf(world), []);
    assert.deepEqual(world.machine.violations, []);
  });

  it('gets what was asked for while the node was away', async () => {
    using world = createWorld();
    await runs(world);
    await world.manager.stop({ guests: 'keep' });
    await asks(world, of('300m'));
    await world.restart();
    assert.equal(world.machine.limits.get('u-1/main/0')?.cpuMillis, 300);
    assert.deepEqual(statusOf(world)?.resources, of('300m'));
    assert.equal(statusOf(world)?.restartCount, 0);
  });
});
