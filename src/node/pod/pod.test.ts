import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createWorld, podOf } from './fixture.ts';

const conditions = (pod: { status?: { conditions?: { type: string; status: string }[] } } | undefined) =>
  (pod?.status?.conditions ?? []).map(({ type, status }) => `${type}=${status}`);

describe('a pod', () => {
  it('runs: address, volumes, image, container, and a status with everything in order', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    const pod = world.api.pod('web');
    assert.equal(pod?.status?.phase, 'Running');
    assert.deepEqual(conditions(pod), [
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ]);
    assert.equal(pod?.status?.podIP, '127.42.7.2');
    assert.equal(pod?.status?.hostIP, '127.42.7.1');
    const [status] = pod?.status?.containerStatuses ?? [];
    assert.equal(status?.containerID, 'wasmlet://u-1/main/0');
    assert.equal(status?.imageID, 'docker.io/library/hello@sha256:aa');
    assert.deepEqual([status?.ready, status?.started, status?.restartCount], [true, true, 0]);
    assert.deepEqual(
      world.events.map(({ reason, message, fieldPath }) => [reason, message, fieldPath]),
      [
        ['Created', 'Container created', 'spec.containers{main}'],
        ['Started', 'Container started', 'spec.containers{main}'],
      ],
    );
    assert.deepEqual(world.machine.violations, []);
  });

  it('that completes is Succeeded, and is not started again after the node restarts', async () => {
    using world = createWorld();
    world.api.createPod(podOf({ restartPolicy: 'Never' }));
    await world.run();
    world.machine.exit('u-1', 'main');
    await world.run();
    assert.equal(world.api.pod('web')?.status?.phase, 'Succeeded');
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.state?.terminated?.reason, 'Completed');
    await world.restart();
    assert.equal(world.machine.running.length, 0);
    assert.deepEqual(world.api.phases.get('u-1'), ['Pending', 'Running', 'Succeeded']);
  });

  it("that fails waits longer and longer, and says so in the kubelet's words", async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    world.machine.exit('u-1', 'main', { code: 3 });
    await world.run();
    assert.equal(world.machine.newest('u-1', 'main')?.spec.id.attempt, 1);
    world.machine.exit('u-1', 'main', { code: 3 });
    await world.run();
    const [status] = world.api.pod('web')?.status?.containerStatuses ?? [];
    assert.deepEqual(status?.state, {
      waiting: {
        reason: 'CrashLoopBackOff',
        message: 'back-off 10s restarting failed container=main pod=web_default(u-1)',
      },
    });
    assert.equal(status?.lastState?.terminated?.exitCode, 3);
    assert.equal(world.api.pod('web')?.status?.phase, 'Running');
    await world.run(9_000);
    assert.equal(world.machine.newest('u-1', 'main')?.spec.id.attempt, 1);
    await world.run(2_000);
    assert.equal(world.machine.newest('u-1', 'main')?.spec.id.attempt, 2);
    assert.ok(
      world.events.some(
        ({ reason, message }) =>
          reason === 'BackOff' && message === 'Back-off restarting failed container main in pod web_default(u-1)',
      ),
    );
  });

  it('is deleted: SIGTERM, terminal phase, then the API forgets it and nothing is left', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    world.api.deletePod('web');
    await world.run();
    assert.equal(world.api.pod('web'), undefined);
    assert.deepEqual(world.api.phases.get('u-1'), ['Pending', 'Running', 'Failed']);
    assert.ok(
      world.events.some(({ reason, message }) => reason === 'Killing' && message === 'Stopping container main'),
    );
    assert.equal(existsSync(join(world.dataDir, 'node/checkpoint/u-1.json')), false);
    assert.deepEqual(readdirSync(join(world.dataDir, 'tenants/default/pods')), []);
    assert.deepEqual(readdirSync(join(world.dataDir, 'tenants/default/logs')), []);
  });

  it('that ignores SIGTERM is killed after its grace, and not before', async () => {
    using world = createWorld({ onTerm: 'ignore' });
    world.api.createPod(podOf());
    await world.run();
    world.api.deletePod('web', 5);
    await world.run(4_000);
    assert.equal(world.machine.running.length, 1);
    await world.run(2_000);
    assert.equal(world.machine.running.length, 0);
    assert.equal(world.api.pod('web'), undefined);
  });

  it('that is gone from the API at once is ended all the same', async () => {
    using world = createWorld({ onTerm: 'ignore' });
    world.api.createPod(podOf());
    await world.run();
    world.api.forceDelete('web');
    await world.run(1_500);
    assert.equal(world.machine.running.length, 0);
    assert.equal(world.manager.pods().length, 0);
  });

  it('that never started is deleted without a guest', async () => {
    using world = createWorld();
    world.images.set('hello:1', {
      waiting: { reason: 'ErrImagePull', message: 'no' },
      retryAt: world.clock.now() + 60_000,
    });
    world.api.createPod(podOf());
    await world.run();
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'ErrImagePull');
    world.api.deletePod('web');
    await world.run();
    assert.equal(world.api.pod('web'), undefined);
    assert.deepEqual(world.machine.calls, []);
  });
});

describe('a restarted node', () => {
  it('takes its guests over: nothing is started, no restart is counted', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    const before = world.machine.calls.length;
    await world.restart();
    assert.deepEqual(world.machine.calls.slice(before), []);
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.restartCount, 0);
    assert.equal(world.api.pod('web')?.status?.podIP, '127.42.7.2');
  });

  it('reports an exit that happened while it was away', async () => {
    using world = createWorld();
    world.api.createPod(podOf({ restartPolicy: 'OnFailure' }));
    await world.run();
    await world.manager.stop({ guests: 'keep' });
    world.machine.exit('u-1', 'main', { code: 9 });
    await world.restart();
    const [status] = world.api.pod('web')?.status?.containerStatuses ?? [];
    assert.equal(status?.restartCount, 1);
    assert.equal(status?.lastState?.terminated?.exitCode, 9);
  });

  it('starts again what a power cut took, and says that it does not know how it ended', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    world.machine.powerCut();
    await world.restart();
    const [status] = world.api.pod('web')?.status?.containerStatuses ?? [];
    assert.equal(status?.restartCount, 1);
    assert.equal(status?.lastState?.terminated?.reason, 'ContainerStatusUnknown');
    assert.deepEqual(world.machine.violations, []);
  });

  it('keeps its pods when it is stopped before it has heard of them, and the first list comes meanwhile', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    await world.restart({ listed: false });
    const stopped = world.manager.stop({ guests: 'end' });
    for (const pod of world.api.objects.values()) if (pod.kind === 'Pod') world.manager.update(pod);
    world.manager.settled();
    await stopped;
    await world.restart();
    await world.run(20_000);
    assert.equal(world.machine.running.length, 1);
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.restartCount, 1);
  });

  it('ends pods that were deleted meanwhile, and workloads that nobody knows', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    const stray = world.machine.newest('u-1', 'main')?.spec;
    assert.ok(stray);
    world.machine.create({ ...stray, id: { ...stray.id, podUid: 'u-9' } });
    world.machine.start({ ...stray.id, podUid: 'u-9' });
    world.api.objects.clear();
    await world.restart();
    await world.run(31_000);
    assert.equal(world.machine.workloads.size, 0);
    assert.equal(world.manager.pods().length, 0);
  });
});

describe('a node that lost its data directory', () => {
  it('leaves what is done as it was told', async () => {
    using world = createWorld();
    const terminated = { exitCode: 0, reason: 'Completed', finishedAt: '2026-01-01T00:00:00Z' };
    const main = {
      name: 'main',
      image: 'hello:1',
      imageID: 'x',
      ready: false,
      restartCount: 3,
      started: false,
      state: { terminated },
      lastState: {},
    };
    world.api.createPod({
      ...podOf({ restartPolicy: 'Never' }),
      status: { phase: 'Succeeded', containerStatuses: [main] },
    });
    await world.run();
    assert.equal(world.api.pod('web')?.status?.phase, 'Succeeded');
    assert.deepEqual(world.api.pod('web')?.status?.containerStatuses, [main]);
    assert.deepEqual(world.machine.calls, []);
  });
});

describe('an API server that is away', () => {
  it('stops nothing, and has the status caught up when it is back', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    world.api.away = true;
    world.machine.exit('u-1', 'main', { code: 1 });
    await world.run();
    assert.equal(world.machine.running.length, 1);
    world.api.away = false;
    await world.run(60_000);
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.restartCount, 1);
  });
});

describe('containers of a pod', () => {
  it('start in order: init, sidecar, then the others; and end with the sidecar last', async () => {
    using world = createWorld();
    world.api.createPod(
      podOf({
        restartPolicy: 'Never',
        initContainers: [
          { name: 'init', image: 'i' },
          { name: 'proxy', image: 'p', restartPolicy: 'Always' },
        ],
        containers: [
          { name: 'main', image: 'a' },
          { name: 'side', image: 'b' },
        ],
      }),
    );
    await world.run();
    assert.deepEqual(world.machine.calls, ['create init/0', 'start init/0']);
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing');
    world.machine.exit('u-1', 'init');
    await world.run();
    assert.deepEqual(world.machine.calls.slice(2), [
      'create proxy/0',
      'start proxy/0',
      'create main/0',
      'start main/0',
      'create side/0',
      'start side/0',
    ]);
    assert.equal(world.api.pod('web')?.status?.phase, 'Running');
    world.machine.exit('u-1', 'main');
    world.machine.exit('u-1', 'side');
    await world.run();
    assert.ok(world.machine.calls.includes('kill proxy/0 SIGTERM'));
    assert.equal(world.api.pod('web')?.status?.phase, 'Succeeded');
  });

  it('of a pod past its deadline are ended, and the pod says so', async () => {
    using world = createWorld();
    world.api.createPod(podOf({ activeDeadlineSeconds: 60 }));
    await world.run(59_000);
    assert.equal(world.machine.running.length, 1);
    await world.run(2_000);
    const status = world.api.pod('web')?.status;
    assert.deepEqual(
      [status?.phase, status?.reason, status?.message],
      ['Failed', 'DeadlineExceeded', 'Pod was active on the node longer than the specified deadline'],
    );
    assert.equal(world.machine.running.length, 0);
  });

  it('go on when the node stops, or end when it is told to end them, and run again after its next start', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    await world.manager.stop({ guests: 'end' });
    assert.equal(world.machine.running.length, 0);
    await world.restart();
    assert.equal(world.machine.running.length, 1);
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.restartCount, 1);
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 143);
  });

  it('that have a port without a socket wait, and a condition says which; the others run', async () => {
    let right = false;
    const ports = (port: number) => {
      if (port < 1024 && !right) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    };
    using world = createWorld({ ports });
    world.api.createPod(
      podOf({
        containers: [
          { name: 'main', image: 'a', ports: [{ containerPort: 80 }] },
          { name: 'side', image: 'b', ports: [{ containerPort: 8080 }] },
        ],
      }),
    );
    await world.run();
    assert.deepEqual(
      world.machine.running.map(({ spec }) => spec.id.container),
      ['side'],
    );
    const bound = () => world.api.pod('web')?.status?.conditions?.find(({ type }) => type === 'wasmlet.dev/PortsBound');
    assert.equal(bound()?.status, 'False');
    assert.match(bound()?.message ?? '', /ip_unprivileged_port_start to 80/);
    right = true;
    await world.run(11_000);
    assert.equal(world.machine.running.length, 2);
    assert.equal(bound()?.status, 'True');
  });

  it('leave words in their termination file, which the status shows', async () => {
    using world = createWorld();
    world.api.createPod(podOf({ restartPolicy: 'Never' }));
    await world.run();
    const file = world.machine
      .newest('u-1', 'main')
      ?.spec.mounts.find(({ guestPath }) => guestPath === '/dev/termination-log');
    writeFileSync(file?.hostPath ?? '', 'my last words');
    world.machine.exit('u-1', 'main', { code: 2, message: 'from the runtime' });
    await world.run();
    assert.equal(world.api.pod('web')?.status?.containerStatuses?.[0]?.state?.terminated?.message, 'my last words');
  });

  it('have logs, or words for why not', async () => {
    using world = createWorld();
    const ask = async (container: string, more: object = {}) => {
      const parts: Uint8Array[] = [];
      const request = {
        namespace: 'default',
        pod: 'web',
        container,
        follow: false,
        previous: false,
        timestamps: false,
        ...more,
      };
      for await (const part of await world.manager.logs(request, { signal: new AbortController().signal }))
        parts.push(part);
      return Buffer.concat(parts).toString();
    };
    await assert.rejects(ask('main'), {
      code: 'NODE_POD_UNKNOWN',
      message: 'pod "web" not found in namespace "default"',
    });
    world.images.set('hello:1', {
      waiting: { reason: 'ErrImagePull', message: 'no' },
      retryAt: world.clock.now() + 1_000,
    });
    world.api.createPod(podOf());
    await world.run();
    await assert.rejects(ask('other'), { code: 'NODE_CONTAINER_UNKNOWN' });
    await assert.rejects(ask('main'), {
      code: 'NODE_LOG_UNAVAILABLE',
      message: 'container "main" in pod "web" is waiting to start: image can\'t be pulled',
    });
    world.images.clear();
    await world.run(2_000);
    const path = world.machine.newest('u-1', 'main')?.spec.logPath ?? '';
    writeFileSync(path, '2026-01-01T00:00:00Z stdout F hello\n');
    assert.equal(await ask('main'), 'hello\n');
    await assert.rejects(ask('main', { previous: true }), {
      code: 'NODE_LOG_UNAVAILABLE',
      message: 'previous terminated container "main" in pod "web" not found',
    });
    world.machine.exit('u-1', 'main');
    await world.run();
    assert.equal(await ask('main', { previous: true }), 'hello\n');
  });
});
