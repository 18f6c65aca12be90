import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#kube/types';
import { podOf } from '../fixture.ts';
import type { ContainerObserved, ExitedInstance, Observed } from './observed.ts';
import { plan } from './plan.ts';

const NOW = Date.UTC(2026, 0, 1);
const UNTIL = NOW + 5_000;

function seen(change: Partial<Observed> = {}, containers: Record<string, ContainerObserved> = {}): Observed {
  return {
    lifecycle: 'syncing',
    startTime: NOW,
    hostIPs: ['10.0.0.1'],
    podIPs: ['10.0.0.2'],
    network: 'ready',
    volumes: 'mounted',
    previous: { phase: 'Pending' },
    containers: new Map(Object.entries(containers)),
    ...change,
  };
}

const exited = (exitCode: number, more: Partial<ExitedInstance> = {}): ContainerObserved => ({
  instance: {
    state: 'exited',
    attempt: 0,
    finishedAt: NOW - 1_000,
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    ...more,
  },
});
const running: ContainerObserved = { instance: { state: 'running', attempt: 0, startedAt: NOW - 1_000 } };
const created: ContainerObserved = { instance: { state: 'created', attempt: 0 } };
const two: Partial<NonNullable<Pod['spec']>> = {
  containers: [
    { name: 'main', image: 'a' },
    { name: 'side', image: 'b' },
  ],
};
const withInit = { initContainers: [{ name: 'init', image: 'i' }] };
const withSidecar = { initContainers: [{ name: 'proxy', image: 'p', restartPolicy: 'Always' }] };
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };
const ending = (killIn = 30_000): Partial<Observed> => ({
  lifecycle: 'terminating',
  termination: { cause: 'deleted', startedAt: NOW, deadline: NOW + killIn },
});
const over: Partial<Observed> = {
  lifecycle: 'terminated',
  termination: { cause: 'deleted', startedAt: NOW, deadline: NOW },
};

/** One row: what is the case, the pod, what is known, and the actions as words. */
type Row = readonly [sentence: string, pod: Pod, observed: Observed, actions: readonly string[]];

const rows: readonly Row[] = [
  ['a new pod first gets its address', podOf(), seen({ network: 'none', volumes: 'none' }), ['network']],
  ['then its volumes', podOf(), seen({ volumes: 'none' }), ['mount']],
  ['what failed waits for its time', podOf(), seen({ volumes: 'none', retryAt: UNTIL }), ['wait 5']],
  ['and is tried again when that has come', podOf(), seen({ volumes: 'none', retryAt: NOW }), ['mount']],
  ['old contents are made again', podOf(), seen({ refreshAt: NOW }, { main: running }), ['refresh']],
  ['contents that are not old yet are waited for', podOf(), seen({ refreshAt: UNTIL }, { main: running }), ['wait 5']],
  ['a container that never ran needs its image', podOf(), seen(), ['pull main']],
  ['an image that is here is made a container', podOf(), seen({}, { main: { pulled: true } }), ['create main/0']],
  ['a created container is started', podOf(), seen({}, { main: created }), ['start main/0']],
  ['a running pod needs nothing', podOf(), seen({}, { main: running }), []],
  ['an image that cannot be had is waited for', podOf(), seen({}, { main: waiting('ErrImagePull') }), ['wait 5']],
  [
    'a container that waits does not hold up the next',
    podOf(two),
    seen({}, { main: waiting('ErrImagePull') }),
    ['pull side'],
  ],
  ['containers start in order, one step at a time', podOf(two), seen({}, { main: created }), ['start main/0']],
  ['the second follows the first', podOf(two), seen({}, { main: running }), ['pull side']],
  ['the first restart is at once', podOf(), seen({}, { main: exited(1) }), ['pull main']],
  ['a pulled restart counts up', podOf(), seen({}, { main: { ...exited(1), pulled: true } }), ['create main/1']],
  [
    'the second restart waits',
    podOf(),
    seen({}, { main: { ...exited(1), backoff: entry(10_000) } }),
    ['backOff main 9'],
  ],
  [
    'a back-off that was told is waited for',
    podOf(),
    seen({}, { main: { ...exited(1), ...waiting('CrashLoopBackOff') } }),
    ['wait 5'],
  ],
  [
    'a back-off that is over lets it start',
    podOf(),
    seen({}, { main: { ...exited(1), backoff: entry(500) } }),
    ['pull main'],
  ],
  [
    'a container that ran for more than ten minutes starts with the first delay again',
    podOf(),
    seen({}, { main: { ...exited(1), backoff: { delay: 300_000, updatedAt: NOW - 700_000 } } }),
    ['pull main'],
  ],
  ['Always restarts what succeeded', podOf(), seen({}, { main: exited(0) }), ['pull main']],
  [
    'OnFailure restarts what failed',
    podOf({ restartPolicy: 'OnFailure' }),
    seen({}, { main: exited(1) }),
    ['pull main'],
  ],
  [
    'OnFailure ends with what succeeded',
    podOf({ restartPolicy: 'OnFailure' }),
    seen({}, { main: exited(0) }),
    ['terminate finished 30'],
  ],
  [
    'Never ends with what failed',
    podOf({ restartPolicy: 'Never' }),
    seen({}, { main: exited(1) }),
    ['terminate finished 30'],
  ],
  [
    'Never goes on while another runs',
    podOf({ ...two, restartPolicy: 'Never' }),
    seen({}, { main: exited(1), side: running }),
    [],
  ],
  [
    'Never ends when all have',
    podOf({ ...two, restartPolicy: 'Never' }),
    seen({}, { main: exited(1), side: exited(0) }),
    ['terminate finished 30'],
  ],
  [
    "a container's own policy is stronger",
    podOf({ containers: [{ name: 'main', restartPolicy: 'Never' }] }),
    seen({}, { main: exited(1) }),
    ['terminate finished 30'],
  ],
  [
    'a rule for an exit code is stronger still',
    podOf({
      restartPolicy: 'Never',
      containers: [
        {
          name: 'main',
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
        },
      ],
    }),
    seen({}, { main: exited(42) }),
    ['pull main'],
  ],
  ['init containers come first', podOf(withInit), seen(), ['pull init']],
  ['and hold the others up', podOf(withInit), seen({}, { init: running }), []],
  ['until they succeed', podOf(withInit), seen({}, { init: exited(0) }), ['pull main']],
  ['an init container that failed is tried again', podOf(withInit), seen({}, { init: exited(1) }), ['pull init']],
  [
    'unless the policy is Never',
    podOf({ ...withInit, restartPolicy: 'Never' }),
    seen({}, { init: exited(1) }),
    ['terminate finished 30'],
  ],
  [
    'Always does not repeat an init container that succeeded',
    podOf(withInit),
    seen({}, { init: exited(0), main: running }),
    [],
  ],
  ['a sidecar is started and stays', podOf(withSidecar), seen({}, { proxy: running }), ['pull main']],
  [
    'a sidecar is restarted whatever the policy',
    podOf({ ...withSidecar, restartPolicy: 'Never' }),
    seen({}, { proxy: exited(0), main: running }),
    ['pull proxy'],
  ],
  [
    'a sidecar does not keep a pod that is done',
    podOf({ ...withSidecar, restartPolicy: 'Never' }),
    seen({}, { proxy: running, main: exited(0) }),
    ['terminate finished 30'],
  ],
  [
    'a deleted pod ends, with the grace that was asked',
    podOf({}, { ...deleted, deletionGracePeriodSeconds: 7 }),
    seen({}, { main: running }),
    ['terminate deleted 7'],
  ],
  ['a pod that is gone ends', podOf(), seen({ removed: true }, { main: running }), ['terminate removed 30']],
  [
    'a grace of 0 is one second',
    podOf({}, { ...deleted, deletionGracePeriodSeconds: 0 }),
    seen({}, { main: running }),
    ['terminate deleted 1'],
  ],
  [
    'a pod past its deadline fails',
    podOf({ activeDeadlineSeconds: 60 }),
    seen({ startTime: NOW - 60_000 }, { main: running }),
    ['terminate deadline 30'],
  ],
  [
    'a deadline that comes is waited for',
    podOf({ activeDeadlineSeconds: 60 }),
    seen({ startTime: NOW - 10_000 }, { main: running }),
    ['wait 50'],
  ],
  [
    'a pod for Windows is rejected',
    podOf({ os: { name: 'windows' } }),
    seen({ network: 'none' }),
    ['terminate rejected 1'],
  ],
  [
    'a terminal pod is never started again',
    podOf(),
    seen({ previous: { phase: 'Succeeded' }, network: 'none' }),
    ['terminate finished 30'],
  ],
  [
    'what runs is asked to end',
    podOf(two, deleted),
    seen(ending(), { main: running, side: running }),
    ['kill main/0 SIGTERM', 'kill side/0 SIGTERM'],
  ],
  [
    'what was asked is waited for',
    podOf({}, deleted),
    seen(ending(), { main: { ...running, termAt: NOW } }),
    ['wait 30'],
  ],
  [
    'what does not end in time is killed',
    podOf({}, deleted),
    seen(ending(0), { main: { ...running, termAt: NOW - 30_000 } }),
    ['kill main/0 SIGKILL'],
  ],
  [
    'what was killed is waited for',
    podOf({}, deleted),
    seen(ending(0), { main: { ...running, killAt: NOW } }),
    ['wait 10'],
  ],
  [
    'and killed again',
    podOf({}, deleted),
    seen(ending(0), { main: { ...running, killAt: NOW - 10_000 } }),
    ['kill main/0 SIGKILL'],
  ],
  [
    'what never started is killed at once',
    podOf({}, deleted),
    seen(ending(), { main: created }),
    ['kill main/0 SIGKILL'],
  ],
  [
    'sidecars end after the others',
    podOf(withSidecar, deleted),
    seen(ending(), { proxy: running, main: { ...running, termAt: NOW } }),
    ['wait 30'],
  ],
  [
    'then they end too',
    podOf(withSidecar, deleted),
    seen(ending(), { proxy: running, main: exited(0) }),
    ['kill proxy/0 SIGTERM'],
  ],
  [
    'a shorter grace is taken',
    podOf({}, { ...deleted, deletionGracePeriodSeconds: 2 }),
    seen(ending(), { main: { ...running, termAt: NOW } }),
    ['terminate deleted 2'],
  ],
  [
    'a longer one is not',
    podOf({}, { ...deleted, deletionGracePeriodSeconds: 300 }),
    seen(ending(), { main: { ...running, termAt: NOW } }),
    ['wait 30'],
  ],
  ['nothing is started while a pod ends', podOf({}, deleted), seen(ending(), { main: exited(1) }), ['terminated']],
  ['what has ended is cleaned up', podOf({}, deleted), seen(over, { main: exited(1) }), ['cleanup']],
  ['the last status is awaited before the end', podOf({}, deleted), seen({ ...over, cleaned: true }), []],
  ['then the API may forget it', podOf({}, deleted), seen({ ...over, cleaned: true, reported: true }), ['finish']],
  ['a pod that the API forgot needs no report', podOf(), seen({ ...over, cleaned: true, removed: true }), ['finish']],
  ['a pod that is done stays until it is deleted', podOf(), seen({ ...over, cleaned: true, reported: true }), []],
  ['nothing follows the end', podOf({}, deleted), seen({ ...over, cleaned: true, reported: true, finished: true }), []],
  ['a failed cleanup waits for its time', podOf({}, deleted), seen({ ...over, retryAt: UNTIL }), ['wait 5']],
];

function waiting(reason: string): ContainerObserved {
  return { waiting: { reason, message: 'why', until: UNTIL } };
}

function entry(delay: number) {
  return { delay, updatedAt: NOW - 2_000 };
}

describe('plan()', () => {
  for (const [sentence, pod, observed, expected] of rows) {
    it(sentence, () => {
      assert.deepEqual(plan(pod, observed, NOW).map(words), expected);
    });
  }

  it('says the delay as the kubelet does', () => {
    const texts = [10, 20, 40, 80, 160, 300].map((seconds) => {
      const main = { ...exited(1), backoff: entry(seconds * 1000) };
      const [action] = plan(podOf(), seen({}, { main }), NOW);
      return action?.do === 'backOff' ? action.message.split(' ')[1] : action?.do;
    });
    assert.deepEqual(texts, ['10s', '20s', '40s', '1m20s', '2m40s', '5m0s']);
  });

  it('doubles the delay from 10 s to 300 s', () => {
    let backoff = entry(10_000);
    const delays: number[] = [];
    for (let at = 0; at < 7; at++) {
      const main = {
        ...exited(1, { finishedAt: NOW - 400_000 }),
        pulled: true,
        backoff: { ...backoff, updatedAt: NOW - 400_000 },
      };
      const [action] = plan(podOf(), seen({}, { main }), NOW);
      assert.ok(action?.do === 'create' && action.backoff !== undefined);
      backoff = action.backoff;
      delays.push(backoff.delay / 1000);
    }
    assert.deepEqual(delays, [20, 40, 80, 160, 300, 300, 300]);
  });
});

function words(action: ReturnType<typeof plan>[number]): string {
  if (action.do === 'wait') return `wait ${(action.until - NOW) / 1000}`;
  if (action.do === 'terminate') return `terminate ${action.cause} ${action.graceSeconds}`;
  if (action.do === 'kill') return `kill ${action.container}/${action.attempt} ${action.signal}`;
  if (action.do === 'backOff') return `backOff ${action.container} ${(action.until - NOW) / 1000}`;
  if (action.do === 'pull') return `pull ${action.container}`;
  return 'container' in action ? `${action.do} ${action.container}/${action.attempt}` : action.do;
}
