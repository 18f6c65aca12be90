import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PodStatus } from '#kube/types';
import { podOf } from '../fixture.ts';
import type { ContainerObserved, Observed } from './observed.ts';
import { qualityOf } from './quality.ts';
import { status } from './status.ts';

const NOW = Date.UTC(2026, 0, 1, 0, 1);

function seen(change: Partial<Observed> = {}, containers: Record<string, ContainerObserved> = {}): Observed {
  return {
    lifecycle: 'syncing',
    startTime: Date.UTC(2026, 0, 1),
    hostIPs: ['10.0.0.1'],
    podIPs: ['10.0.0.2'],
    network: 'ready',
    volumes: 'mounted',
    previous: {},
    containers: new Map(Object.entries(containers)),
    ...change,
  };
}

const running: ContainerObserved = { instance: { state: 'running', attempt: 2, startedAt: NOW } };
const exited = (exitCode: number): ContainerObserved => ({
  instance: {
    state: 'exited',
    attempt: 0,
    startedAt: NOW,
    finishedAt: NOW,
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
  },
});
const crash: ContainerObserved = {
  ...exited(1),
  waiting: { reason: 'CrashLoopBackOff', message: 'back-off', until: NOW },
};
const two = {
  containers: [
    { name: 'b', image: 'b' },
    { name: 'a', image: 'a' },
  ],
};
const init = { initContainers: [{ name: 'init', image: 'i' }] };
const over: Partial<Observed> = {
  lifecycle: 'terminated',
  termination: { cause: 'finished', startedAt: NOW, deadline: NOW },
};

describe('the phase', () => {
  const rows: readonly (readonly [sentence: string, pod: Pod, observed: Observed, phase: string])[] = [
    ['is Pending before anything runs', podOf(), seen(), 'Pending'],
    ['is Running with one container of one', podOf(), seen({}, { main: running }), 'Running'],
    ['is Pending while one of two never ran', podOf(two), seen({}, { a: running }), 'Pending'],
    ['stays Running while all wait to be restarted', podOf(), seen({}, { main: crash }), 'Running'],
    ['is Pending while an init container runs', podOf(init), seen({}, { init: running }), 'Pending'],
    [
      'is not Succeeded before the end was taken',
      podOf({ restartPolicy: 'Never' }),
      seen({ previous: { phase: 'Running' } }, { main: exited(0) }),
      'Running',
    ],
    [
      'is Succeeded when all succeeded',
      podOf({ restartPolicy: 'Never' }),
      seen(over, { main: exited(0) }),
      'Succeeded',
    ],
    [
      'is Failed when one failed',
      podOf({ ...two, restartPolicy: 'Never' }),
      seen(over, { a: exited(0), b: exited(1) }),
      'Failed',
    ],
    [
      'is Failed when an init container failed for good',
      podOf({ ...init, restartPolicy: 'Never' }),
      seen(over, { init: exited(1) }),
      'Failed',
    ],
    ['is Failed for a pod that ended before it ran', podOf(), seen(over), 'Failed'],
    ['never goes back from Running', podOf(two), seen({ previous: { phase: 'Running' } }, { a: running }), 'Running'],
    ['never goes back from Failed', podOf(), seen({ previous: { phase: 'Failed' } }, { main: running }), 'Failed'],
    [
      'never goes back from what the server has',
      { ...podOf(), status: { phase: 'Failed' } },
      seen({ previous: { phase: 'Running' } }, { main: running }),
      'Failed',
    ],
    [
      'never leaves what the API says is Succeeded',
      { ...podOf(), status: { phase: 'Succeeded' } },
      seen({}, { main: running }),
      'Succeeded',
    ],
    [
      'stays Running while a container of a deleted pod runs',
      podOf(two),
      seen({ lifecycle: 'terminating' }, { a: running, b: exited(0) }),
      'Running',
    ],
  ];
  for (const [sentence, pod, observed, phase] of rows) {
    it(sentence, () => assert.equal(status(pod, observed, NOW).phase, phase));
  }
});

describe('conditions', () => {
  const of = (observed: Observed, pod = podOf()) =>
    Object.fromEntries(
      (status(pod, observed, NOW).conditions ?? []).map(({ type, status: is, reason }) => [
        type,
        reason === undefined ? is : `${is} ${reason}`,
      ]),
    );

  it('of a pod that begins', () => {
    assert.deepEqual(of(seen({ network: 'none' }), podOf(init)), {
      PodReadyToStartContainers: 'False',
      Initialized: 'False ContainersNotInitialized',
      Ready: 'False ContainersNotReady',
      ContainersReady: 'False ContainersNotReady',
      PodScheduled: 'True',
    });
  });

  it('of a pod that is done', () => {
    assert.deepEqual(of(seen(over, { main: exited(0) }), podOf({ restartPolicy: 'Never' })), {
      PodReadyToStartContainers: 'False',
      Initialized: 'True PodCompleted',
      Ready: 'False PodCompleted',
      ContainersReady: 'False PodCompleted',
      PodScheduled: 'True',
    });
  });

  it('of a pod whose port is not bound name it', () => {
    const all = of(seen({ ports: { bound: false, message: 'port 80' } }));
    assert.equal(all['wasmlet.dev/PortsBound'], 'False PortsNotBound');
  });

  it('of others stay, and a readiness gate asks for one', () => {
    const pod = {
      ...podOf({ readinessGates: [{ conditionType: 'x/gate' }] }),
      status: { conditions: [{ type: 'x/gate', status: 'False' }] },
    };
    const all = of(seen({}, { main: running }), pod);
    assert.equal(all['x/gate'], 'False');
    assert.equal(all['Ready'], 'False ReadinessGatesNotReady');
    assert.equal(all['ContainersReady'], 'True');
  });

  it('move their time only with their status', () => {
    const first = status(podOf(), seen(), NOW);
    const later = status(podOf(), seen({ previous: first }), NOW + 60_000);
    const times = new Set((later.conditions ?? []).map(({ lastTransitionTime }) => lastTransitionTime));
    assert.deepEqual([...times], ['2026-01-01T00:01:00Z']);
    const ready = status(podOf(), seen({ previous: first }, { main: running }), NOW + 60_000);
    assert.equal(ready.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime, '2026-01-01T00:02:00Z');
  });

  it('say which generation they are of', () => {
    const found = status(podOf({}, { generation: 4 }), seen(), NOW);
    assert.equal(found.observedGeneration, 4);
    assert.deepEqual(new Set(found.conditions?.map(({ observedGeneration }) => observedGeneration)), new Set([4]));
  });
});

describe('container statuses', () => {
  const first = (found: PodStatus) => found.containerStatuses?.[0];

  it('are sorted by name, init containers as they stand in the spec', () => {
    const pod = podOf({ ...two, initContainers: [{ name: 'z' }, { name: 'y' }] });
    const found = status(pod, seen(), NOW);
    assert.deepEqual(
      found.containerStatuses?.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.deepEqual(
      found.initContainerStatuses?.map(({ name }) => name),
      ['z', 'y'],
    );
  });

  it('wait with PodInitializing while there are init containers', () => {
    assert.equal(first(status(podOf(init), seen(), NOW))?.state?.waiting?.reason, 'PodInitializing');
    assert.equal(first(status(podOf(), seen(), NOW))?.state?.waiting?.reason, 'ContainerCreating');
  });

  it('count restarts and keep the state before', () => {
    const found = first(
      status(
        podOf(),
        seen(
          {},
          {
            main: { ...running, last: { state: 'exited', attempt: 1, finishedAt: NOW, exitCode: 3, reason: 'Error' } },
          },
        ),
        NOW,
      ),
    );
    assert.equal(found?.restartCount, 2);
    assert.equal(found?.containerID, 'wasmlet://u-1/main/2');
    assert.equal(found?.lastState?.terminated?.containerID, 'wasmlet://u-1/main/1');
  });

  it('are lost, not waiting, in a pod that ended without them', () => {
    const found = first(status(podOf(), seen(over), NOW));
    assert.deepEqual(found?.state?.terminated, {
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated',
      exitCode: 137,
    });
  });

  it('say why a pod was rejected, and that nothing ran', () => {
    const rejected: Partial<Observed> = {
      lifecycle: 'terminated',
      termination: {
        cause: 'rejected',
        startedAt: NOW,
        deadline: NOW,
        reason: 'PodOSNotSupported',
        message: 'Pod was rejected: x',
      },
    };
    const found = status(podOf(), seen(rejected), NOW);
    assert.deepEqual(
      [found.phase, found.reason, found.message],
      ['Failed', 'PodOSNotSupported', 'Pod was rejected: x'],
    );
    assert.equal(first(found)?.state?.waiting?.reason, 'ContainerCreating');
  });
});

describe('qualityOf()', () => {
  const pod = (resources: object) => podOf({ containers: [{ name: 'main', resources }] });
  it('is BestEffort without numbers, Guaranteed with equal ones, else Burstable', () => {
    assert.equal(qualityOf(pod({})), 'BestEffort');
    assert.equal(qualityOf(pod({ limits: { cpu: '1', memory: '1Gi' } })), 'Guaranteed');
    assert.equal(
      qualityOf(pod({ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1000m', memory: '1024Mi' } })),
      'Guaranteed',
    );
    assert.equal(qualityOf(pod({ limits: { cpu: '1' } })), 'Burstable');
    assert.equal(qualityOf(pod({ requests: { memory: '1Mi' } })), 'Burstable');
  });
});
