/** Pods live and die as they do on a real node: phases, exits, restarts, deletion. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  apply,
  eventsOf,
  eventually,
  getPod,
  isReady,
  logsOf,
  phase,
  podOf,
  remove,
  statusOf,
  steps,
  until,
  type World,
} from '../world.ts';

export function lifecycleCases(world: () => World): void {
  it('a pod that prints and ends is Succeeded, with both streams in its logs', async () => {
    await apply(world(), podOf(world(), 'done', { main: steps('print to-stdout , error to-stderr') }));
    const pod = await until(world(), 'done', phase('Succeeded'));
    const { state, restartCount, imageID, containerID } = statusOf(pod, 'main');
    assert.deepEqual([state?.terminated?.reason, state?.terminated?.exitCode, restartCount], ['Completed', 0, 0]);
    assert.match(imageID ?? '', /@sha256:[0-9a-f]{64}$/);
    assert.match(containerID ?? '', /^wasmlet:\/\//);
    const conditions = Object.fromEntries(
      (pod.status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason ?? ''}`.trim()]),
    );
    assert.equal(conditions['PodScheduled'], 'True');
    assert.equal(conditions['Ready'], 'False PodCompleted');
    assert.equal(conditions['ContainersReady'], 'False PodCompleted');
    const logs = await logsOf(world(), 'done');
    assert.deepEqual(logs.trim().split('\n').sort(), ['to-stderr', 'to-stdout']);
    await remove(world(), 'done');
  });

  it('a pod that ends with another code is Failed, and says the code', async () => {
    await apply(world(), podOf(world(), 'three', { main: steps('exit 3') }));
    const pod = await until(world(), 'three', phase('Failed'));
    const { state } = statusOf(pod, 'main');
    assert.deepEqual([state?.terminated?.reason, state?.terminated?.exitCode], ['Error', 3]);
    await remove(world(), 'three');
  });

  it('a container that fails restarts under OnFailure, backs off, and keeps the logs of its last try', async () => {
    await apply(
      world(),
      podOf(world(), 'crash', { main: steps('print attempt , trap') }, { restartPolicy: 'OnFailure' }),
    );
    const pod = await until(world(), 'crash', (seen) => {
      const status = seen.status?.containerStatuses?.[0];
      return (status?.restartCount ?? 0) >= 1 && status?.state?.waiting?.reason === 'CrashLoopBackOff';
    });
    const { state, lastState } = statusOf(pod, 'main');
    assert.match(state?.waiting?.message ?? '', /^back-off 10s restarting failed container=main pod=crash_default\(/);
    assert.equal(lastState?.terminated?.reason, 'Error');
    assert.notEqual(lastState?.terminated?.exitCode, 0);
    assert.equal(pod.status?.phase, 'Running');
    assert.equal((await logsOf(world(), 'crash', '--previous')).includes('attempt'), true);
    const events = await eventsOf(world(), 'crash');
    assert.ok(
      events.some(({ reason, type }) => reason === 'BackOff' && type === 'Warning'),
      JSON.stringify(events),
    );
    await remove(world(), 'crash');
  });

  it('a container that ends well restarts under Always only', async () => {
    await apply(
      world(),
      podOf(world(), 'always', { main: steps('print x') }, { restartPolicy: 'Always' }),
      podOf(world(), 'on-failure', { main: steps('print x') }, { restartPolicy: 'OnFailure' }),
    );
    await until(world(), 'always', (pod) => (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1);
    const pod = await until(world(), 'on-failure', phase('Succeeded'));
    assert.equal(statusOf(pod, 'main').restartCount, 0);
    await remove(world(), 'always', 'on-failure');
  });

  it('several containers run side by side and share an emptyDir', async () => {
    const mount = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] };
    await apply(
      world(),
      podOf(
        world(),
        'pair',
        {
          writer: { args: steps('write /shared/word hello , forever'), ...mount },
          reader: { args: steps('await /shared/word , cat /shared/word , forever'), ...mount },
        },
        { volumes: [{ name: 'shared', emptyDir: {} }] },
      ),
    );
    await until(world(), 'pair', isReady);
    await eventually('the word', async () =>
      (await logsOf(world(), 'pair', '-c', 'reader')).includes('hello') ? true : undefined,
    );
    await remove(world(), 'pair');
  });

  it('an emptyDir outlives a restart of its container and not its pod', async () => {
    const container = {
      args: steps('try cat /data/mark , append /data/mark once , exit 1'),
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    };
    const pod = podOf(
      world(),
      'keeps',
      { main: container },
      { restartPolicy: 'OnFailure', volumes: [{ name: 'data', emptyDir: {} }] },
    );
    await apply(world(), pod);
    await until(world(), 'keeps', (seen) => (seen.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1);
    await eventually('what the first try wrote', async () => {
      const { stdout } = await world().kubectl(['logs', 'keeps'], { accept: 'any' });
      return stdout.includes('once') ? true : undefined;
    });
    await remove(world(), 'keeps');
    await apply(world(), { ...pod, spec: { ...pod.spec, restartPolicy: 'Never' } });
    await until(world(), 'keeps', phase('Failed'));
    assert.equal((await logsOf(world(), 'keeps')).includes('once'), false);
    await remove(world(), 'keeps');
  });

  it('a deleted pod gets SIGTERM and is gone at once where its guest declares no handler', async () => {
    await apply(world(), podOf(world(), 'term', { main: steps('forever') }));
    await until(world(), 'term', isReady);
    const before = performance.now();
    await world().kubectl(['delete', 'pod', 'term', '--wait=true', '--timeout=25s']);
    assert.ok(performance.now() - before < 25_000, 'before its grace of 30 s ran out');
    const events = await eventsOf(world(), 'term');
    assert.ok(
      events.some(({ reason, message }) => reason === 'Killing' && message === 'Stopping container main'),
      JSON.stringify(events),
    );
  });

  it('init containers run one after the other before the others start', async () => {
    const data = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    const pod = podOf(
      world(),
      'init',
      { main: { args: steps('cat /data/log'), ...data } },
      { volumes: [{ name: 'data', emptyDir: {} }] },
    );
    const image = world().image('scripted');
    const initContainers = ['one', 'two'].map((name) => ({
      name,
      image,
      args: [...steps(`append /data/log ${name}`)],
      ...data,
    }));
    await apply(world(), { ...pod, spec: { ...pod.spec, initContainers } });
    await until(world(), 'init', phase('Succeeded'));
    assert.match(await logsOf(world(), 'init', '-c', 'main'), /one[\s\S]*two/);
    await remove(world(), 'init');
  });

  it('kubectl wait sees Ready, and the status of a Running pod is whole', async () => {
    await apply(world(), podOf(world(), 'whole', { main: steps('forever') }));
    await world().kubectl(['wait', '--for=condition=Ready', 'pod/whole', '--timeout=30s']);
    const { status } = await getPod(world(), 'whole');
    assert.equal(status?.phase, 'Running');
    assert.equal(status?.qosClass, 'BestEffort');
    assert.ok(status?.startTime && status.hostIP && status.podIP, JSON.stringify(status));
    assert.deepEqual(status?.podIPs, [{ ip: status?.podIP }]);
    const { state, ready, started } = statusOf({ status: status ?? {} }, 'main');
    assert.ok(state?.running?.startedAt && ready && started);
    await remove(world(), 'whole');
  });

  it('the same manifest applied again, by the client or by the server, changes nothing', async () => {
    const pod = podOf(world(), 'twice', { main: steps('forever') });
    for (const side of [['--server-side'], ['--server-side', '--force-conflicts']]) {
      await world().kubectl(['apply', ...side, '-f', '-'], { input: JSON.stringify(pod) });
    }
    const { metadata } = await until(world(), 'twice', isReady);
    const { stdout } = await world().kubectl(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(pod) });
    assert.match(stdout, /pod\/twice serverside-applied/);
    assert.equal((await getPod(world(), 'twice')).metadata?.generation, metadata?.generation);
    await remove(world(), 'twice');
  });

  it('events tell the story in order', async () => {
    await apply(world(), podOf(world(), 'story', { main: steps('print x') }));
    await until(world(), 'story', phase('Succeeded'));
    const events = await eventually('the last event', async () => {
      const seen = await eventsOf(world(), 'story');
      return seen.some(({ reason }) => reason === 'Started') ? seen : undefined;
    });
    const reasons = events.map(({ reason }) => reason);
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started'])
      assert.ok(reasons.includes(reason), `${reason} in ${reasons}`);
    await remove(world(), 'story');
  });
}
