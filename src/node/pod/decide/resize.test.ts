import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod, ResourceRequirements } from '#kube/types';
import type { ContainerObserved, Observed } from './observed.ts';
import { allocationOf, planAllocation, resizeConditions, resizeStep } from './resize.ts';
import { allocatedPod, isSame, requestsOf } from './resources.ts';

const small: ResourceRequirements = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '100m' } };
const large: ResourceRequirements = { requests: { cpu: '300m', memory: '64Mi' }, limits: { cpu: '300m' } };
const nobody = { cpuMillis: 0, memoryBytes: 0 };

function podWith(resources: ResourceRequirements, more: Partial<Container> = {}): Pod {
  const main: Container = { name: 'main', image: 'a', resources, ...more };
  return { metadata: { name: 'web', generation: 2 }, spec: { containers: [main] } };
}

function observedWith(seen: ContainerObserved, more: Partial<Observed> = {}): Observed {
  return {
    lifecycle: 'syncing',
    startTime: 0,
    hostIPs: [],
    podIPs: [],
    network: 'ready',
    volumes: 'mounted',
    containers: new Map([['main', seen]]),
    previous: {},
    ...more,
  };
}

const running = { state: 'running', attempt: 0, startedAt: 0 } as const;
const times = (now = 0) => ({ now, waits: [] as number[] });

describe('resources', () => {
  it('are compared by value', () => {
    assert.ok(isSame({ limits: { cpu: '1', memory: '1Gi' } }, { limits: { cpu: '1000m', memory: 1073741824 } }));
    assert.ok(!isSame({ limits: { cpu: '1' } }, { requests: { cpu: '1' } }));
    assert.ok(isSame({}, { limits: { 'ephemeral-storage': '1Gi' } }));
  });

  it('of a pod are what its containers ask for together, or an init container before them', () => {
    const of = (cpu: string, more: Partial<Container> = {}): Container => ({
      name: cpu,
      image: 'a',
      resources: { limits: { cpu } },
      ...more,
    });
    const spec = {
      initContainers: [of('100m', { restartPolicy: 'Always' }), of('900m')],
      containers: [of('200m'), of('300m')],
    };
    assert.equal(requestsOf({ spec }).cpuMillis, 1000);
    assert.equal(requestsOf({ spec: { ...spec, initContainers: [] } }).cpuMillis, 500);
    assert.deepEqual(requestsOf({}), nobody);
  });

  it('that were granted stand in place of what is asked for', () => {
    const pod = podWith(large);
    assert.equal(allocatedPod(pod, observedWith({})), pod);
    assert.equal(allocatedPod(pod, observedWith({ allocated: { ...large } })), pod);
    assert.deepEqual(allocatedPod(pod, observedWith({ allocated: small })).spec?.containers[0]?.resources, small);
  });
});

describe('planAllocation()', () => {
  it('asks once for each change, and again when its time has come', () => {
    const seen = { instance: running, allocated: small, actuated: small };
    assert.equal(planAllocation(podWith(small), observedWith(seen), times()), undefined);
    assert.equal(planAllocation(podWith(large), observedWith({}), times()), undefined);
    assert.deepEqual(planAllocation(podWith(large), observedWith(seen), times()), { do: 'allocate' });
    const pending = { reason: 'Deferred', message: '', generation: 2, until: 100 } as const;
    const waiting = observedWith(seen, { resize: { pending } });
    const at = times(50);
    assert.equal(planAllocation(podWith(large), waiting, at), undefined);
    assert.deepEqual(at.waits, [100]);
    assert.deepEqual(planAllocation(podWith(large), waiting, times(100)), { do: 'allocate' });
    const other = { ...podWith(large), metadata: { generation: 3 } };
    assert.deepEqual(planAllocation(other, waiting, times(50)), { do: 'allocate' });
    // Taken back.
    assert.deepEqual(planAllocation(podWith(small), waiting, times(50)), { do: 'allocate' });
    const never = observedWith(seen, { resize: { pending: { ...pending, reason: 'Infeasible', until: undefined } } });
    assert.equal(planAllocation(podWith(large), never, times(1e9)), undefined);
  });
});

describe('allocationOf()', () => {
  const allocatable = { cpu: '1', memory: '1Gi' };

  it('grants what fits, also where nothing is known of the node', () => {
    assert.deepEqual(allocationOf(podWith(large), { allocatable, taken: { ...nobody, cpuMillis: 700 } }), {
      fits: true,
    });
    assert.deepEqual(allocationOf(podWith(large), { allocatable: {}, taken: nobody }), { fits: true });
  });

  it("defers what others have, and calls infeasible what the node never had, in the kubelet's words", () => {
    assert.deepEqual(allocationOf(podWith(large), { allocatable, taken: { ...nobody, cpuMillis: 701 } }), {
      fits: false,
      reason: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 300, used: 701, capacity: 1000",
    });
    const huge = podWith({ requests: { cpu: '2', memory: '2Gi' } });
    assert.deepEqual(allocationOf(huge, { allocatable, taken: nobody }), {
      fits: false,
      reason: 'Infeasible',
      message: "Node didn't have enough capacity: memory, requested: 2147483648, capacity: 1073741824",
    });
  });
});

describe('resizeStep()', () => {
  const rest = { kind: 'containers', graceSeconds: 30 } as const;
  const behind = { instance: running, allocated: large, actuated: small };
  const main = podWith(large).spec?.containers[0] as Container;
  const restarting = { ...main, resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] };

  it('changes a running container in place, later again where that failed', () => {
    const resize = { do: 'resize', kind: 'containers', container: 'main', attempt: 0 };
    assert.deepEqual(resizeStep(main, { ...rest, seen: behind, ...times() }), resize);
    const at = times(10);
    assert.equal(resizeStep(main, { ...rest, seen: { ...behind, resizeAt: 20 }, ...at }), undefined);
    assert.deepEqual(at.waits, [20]);
    assert.deepEqual(resizeStep(main, { ...rest, seen: { ...behind, resizeAt: 20 }, ...times(20) }), resize);
  });

  it('leaves alone what has what it was granted, or does not run', () => {
    for (const seen of [
      { ...behind, actuated: large },
      { allocated: large, actuated: small },
      { ...behind, instance: { state: 'created', attempt: 0 } as const },
      { instance: running },
    ]) {
      assert.equal(resizeStep(main, { ...rest, seen, ...times() }), undefined);
    }
  });

  it('ends the container where its policy says so for what changes', () => {
    const at = { kind: 'containers', container: 'main', attempt: 0 };
    const step = (seen: ContainerObserved, now: number) =>
      resizeStep(restarting, { ...rest, seen: { ...behind, ...seen }, ...times(now) });
    assert.deepEqual(step({}, 0), { do: 'kill', ...at, signal: 'SIGTERM' });
    assert.equal(step({ termAt: 0 }, 29_999), undefined);
    assert.deepEqual(step({ termAt: 0 }, 30_000), { do: 'kill', ...at, signal: 'SIGKILL' });
    assert.equal(step({ termAt: 0, killAt: 30_000 }, 30_001), undefined);
    const memory = { ...main, resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    assert.equal(resizeStep(memory, { ...rest, seen: behind, ...times() })?.do, 'resize');
  });
});

describe('resizeConditions()', () => {
  it('stand while a change waits or is on its way, and not at the end of a pod', () => {
    const pending = { reason: 'Deferred', message: 'full', generation: 2 } as const;
    const progress = { generation: 1, reason: 'Error', message: 'used' } as const;
    const resize = { pending, progress };
    const seen = { instance: running, allocated: large, actuated: small };
    assert.deepEqual(resizeConditions(podWith(large), observedWith(seen, { resize })), [
      { type: 'PodResizePending', status: 'True', reason: 'Deferred', message: 'full', observedGeneration: 2 },
      { type: 'PodResizeInProgress', status: 'True', reason: 'Error', message: 'used', observedGeneration: 1 },
    ]);
    const done = observedWith({ ...seen, actuated: large }, { resize: { progress } });
    assert.deepEqual(resizeConditions(podWith(large), done), []);
    assert.deepEqual(resizeConditions(podWith(large), observedWith(seen, { resize, lifecycle: 'terminated' })), []);
  });
});
