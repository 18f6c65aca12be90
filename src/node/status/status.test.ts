import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, silentLog } from '#kit';
import { ApiStatusError, type EventRecorder, type KubeClient, kubeError } from '#kube';
import type { NodeStatus } from '#kube/types';
import { identityOf } from '../registration/profile.ts';
import { type ConditionInput, conditionsOf } from './conditions.ts';
import { type MachineLoad, memoryOf, osImageOf, readMachineInfo, readMachineLoad } from './machine.ts';
import { differs, nodeStatusOf, podsFor, problemsOf, statusPatch } from './node-status.ts';
import { type Reporter, startReporter } from './reporter.ts';

const GIB = 2 ** 30;
const load: MachineLoad = {
  memoryAvailable: GIB,
  diskTotal: 100 * GIB,
  diskAvailable: 50 * GIB,
  inodesTotal: 1000,
  inodesFree: 900,
  pidsMax: 32768,
  pids: 100,
};
const info = {
  machineID: 'm',
  systemUUID: 's',
  bootID: 'b',
  kernelVersion: '6.1',
  osImage: 'Debian',
  cores: 4,
  memoryBytes: 8 * GIB,
};
const base: ConditionInput = { load, problems: [], previous: [], now: 0, reliefs: new Map() };

describe('conditions', () => {
  test("are the kubelet's, Ready last", () => {
    const shown = conditionsOf({ ...base, serving: { state: 'waiting', message: 'approve it' } });
    assert.deepEqual(
      shown.map(({ type, status, reason }) => `${type}=${status} ${reason}`),
      [
        'MemoryPressure=False KubeletHasSufficientMemory',
        'DiskPressure=False KubeletHasNoDiskPressure',
        'PIDPressure=False KubeletHasSufficientPID',
        'ServingCertificateReady=False WaitingForApproval',
        'Ready=True KubeletReady',
      ],
    );
  });

  test('the transition time moves only with the status', () => {
    const first = conditionsOf(base);
    const second = conditionsOf({ ...base, now: 60_000, previous: first });
    const third = conditionsOf({ ...base, now: 120_000, previous: second, problems: ['runtime is down'] });
    assert.equal(second.at(-1)?.lastTransitionTime, first.at(-1)?.lastTransitionTime);
    assert.equal(second.at(-1)?.lastHeartbeatTime, '1970-01-01T00:01:00Z');
    assert.equal(third.at(-1)?.lastTransitionTime, '1970-01-01T00:02:00Z');
    assert.equal(third.at(-1)?.message, 'runtime is down');
    assert.equal(conditionsOf({ ...base, problems: ['a', 'b'] }).at(-1)?.message, '[a, b]');
  });

  for (const [type, pressed] of [
    ['MemoryPressure', { memoryAvailable: 1 }],
    ['DiskPressure', { diskAvailable: GIB }],
    ['DiskPressure', { inodesFree: 10 }],
    ['PIDPressure', { pids: 32700 }],
  ] as const) {
    test(`${type} for ${Object.keys(pressed)[0]}, and over only five minutes after`, () => {
      const reliefs = new Map<string, number>();
      const at = (now: number, relieved: boolean, previous = first) =>
        conditionsOf({ ...base, reliefs, now, previous, load: relieved ? load : { ...load, ...pressed } });
      const first = conditionsOf({ ...base, reliefs, load: { ...load, ...pressed } });
      assert.equal(first.find((condition) => condition.type === type)?.status, 'True');
      const status = (shown: typeof first) => shown.find((condition) => condition.type === type)?.status;
      assert.equal(status(at(10_000, true)), 'True');
      assert.equal(status(at(200_000, true)), 'True');
      assert.equal(status(at(311_000, true)), 'False');
    });
  }
});

describe('node status', () => {
  const input = {
    identity: identityOf({ name: 'edge-1' }),
    info,
    load,
    conditions: conditionsOf(base),
    images: [],
    address: '10.0.0.4',
    hostname: 'edge-1',
    port: 10250,
    maxPods: 110,
    version: '0.1.0',
  };

  test('names what the scheduler and the API server need', () => {
    const status = nodeStatusOf(input);
    assert.deepEqual(status.capacity, { cpu: '4', memory: '8Gi', 'ephemeral-storage': '100Gi', pods: '110' });
    assert.equal(status.allocatable?.['memory'], '8092Mi');
    assert.deepEqual(status.addresses, [
      { type: 'InternalIP', address: '10.0.0.4' },
      { type: 'Hostname', address: 'edge-1' },
    ]);
    assert.equal(status.daemonEndpoints?.kubeletEndpoint?.Port, 10250);
    assert.equal(status.nodeInfo?.containerRuntimeVersion, 'wasmlet://0.1.0');
    assert.equal(status.nodeInfo?.architecture, 'wasm-wasi');
    assert.deepEqual(
      status.runtimeHandlers?.map(({ name }) => name),
      ['', 'wasmlet', 'wasmlet-isolated', 'wasmlet-batch'],
    );
  });

  test('pods by the memory of the machine, never fewer than a kubelet takes', () => {
    const sizes = [0, 0.2, 1, 4, 64].map((gib) => podsFor({ memoryBytes: gib * GIB }));
    assert.deepEqual(sizes, [110, 110, 512, 2048, 12_000]);
  });

  test('the patch keeps the order and the heartbeat alone is no difference', () => {
    const status = nodeStatusOf(input);
    const patch = statusPatch(status) as { status: Record<string, unknown> };
    assert.deepEqual((patch.status['$setElementOrder/conditions'] as object[]).at(-1), { type: 'Ready' });
    const later = { ...input, conditions: conditionsOf({ ...base, now: 5000, previous: input.conditions }) };
    assert.equal(differs(status, nodeStatusOf(later)), false);
    assert.equal(differs(status, nodeStatusOf({ ...later, port: 1 })), true);
  });

  test('a machine without a readable size is not ready', () => {
    assert.deepEqual(problemsOf(info, load), []);
    assert.deepEqual(problemsOf({ ...info, memoryBytes: 0 }, { ...load, diskTotal: 0 }), [
      'missing node capacity for resources: memory, ephemeral-storage',
    ]);
  });
});

describe('machine', () => {
  test('this one has cores, memory and a disk', async () => {
    assert.ok(readMachineInfo().cores > 0);
    assert.ok((await readMachineLoad('/')).diskTotal > 0);
    assert.equal((await readMachineLoad('/nowhere')).diskTotal, 0);
  });

  test('garbage gives empty facts', () => {
    assert.equal(osImageOf('garbage'), 'Linux');
    assert.equal(osImageOf('PRETTY_NAME="Debian 12"\n'), 'Debian 12');
    assert.equal(memoryOf('MemTotal: lots', 'MemTotal'), 0);
    assert.equal(memoryOf('MemTotal:        2048 kB', 'MemTotal'), 2 * 1024 * 1024);
  });
});

interface World {
  readonly clock: FakeClock;
  readonly writes: NodeStatus[];
  readonly told: string[];
  readonly reporter: Reporter;
  fail: unknown;
  problems: string[];
  registered: number;
  stop(): Promise<void>;
}

function world(problems: string[] = []): World {
  const clock = new FakeClock();
  const controller = new AbortController();
  const writes: NodeStatus[] = [];
  const told: string[] = [];
  const client = {
    async patch(_: unknown, __: unknown, { body }: { body: { status: NodeStatus } }) {
      if (state.fail !== undefined) throw state.fail;
      writes.push(body.status);
    },
  } as unknown as KubeClient;
  const node = { metadata: { name: 'edge-1' } };
  const state = { fail: undefined as unknown, problems, registered: 0 };
  const reporter = startReporter({
    client,
    clock,
    log: silentLog,
    events: { record: (_: unknown, { reason }: { reason: string }) => told.push(reason) } as unknown as EventRecorder,
    node,
    compute: async (previous) => ({
      conditions: conditionsOf({ ...base, problems: state.problems, previous, now: clock.now() }),
    }),
    registerAgain: async () => {
      state.registered++;
      state.fail = undefined;
      return node;
    },
    random: () => 0.5,
    signal: controller.signal,
  });
  const self: World = Object.assign(state, {
    clock,
    writes,
    told,
    reporter,
    async stop() {
      controller.abort();
      await reporter.done;
    },
  });
  return self;
}

describe('reporter', () => {
  test('writes at once, then after five minutes, and tells the first states as events', async () => {
    const { clock, writes, told, reporter, stop } = world();
    await clock.advance(0);
    await reporter.ready;
    assert.equal(writes.length, 1);
    assert.deepEqual(told, ['NodeHasSufficientMemory', 'NodeHasNoDiskPressure', 'NodeHasSufficientPID', 'NodeReady']);
    await clock.advance(295_000);
    assert.equal(writes.length, 1);
    await clock.advance(10_000);
    assert.equal(writes.length, 2);
    await stop();
  });

  test('writes a change at the next turn, or at once when poked', async () => {
    const self = world();
    await self.clock.advance(0);
    self.problems = ['down'];
    await self.clock.advance(10_000);
    assert.equal(self.writes.at(-1)?.conditions?.at(-1)?.status, 'False');
    self.problems = [];
    self.reporter.poke();
    await self.clock.advance(0);
    assert.equal(self.writes.at(-1)?.conditions?.at(-1)?.status, 'True');
    assert.deepEqual(self.told.slice(4), ['NodeNotReady', 'NodeReady']);
    await self.stop();
  });

  test('becomes ready soon after what it waited for', async () => {
    const self = world(['starting']);
    await self.clock.advance(1000);
    self.problems = [];
    await self.clock.advance(200);
    await self.reporter.ready;
    await self.stop();
  });

  test('goes on after an hour without an API server', async () => {
    const self = world();
    await self.clock.advance(0);
    self.fail = kubeError('KUBE_UNREACHABLE', 'away');
    await self.clock.advance(3_600_000);
    self.fail = undefined;
    const before = self.writes.length;
    await self.clock.advance(10_000);
    assert.ok(self.writes.length > before);
    await self.stop();
  });

  test('makes the Node again when it was deleted', async () => {
    const self = world();
    await self.clock.advance(0);
    self.fail = new ApiStatusError('no', { status: { reason: 'NotFound' }, httpStatus: 404 });
    self.problems = ['changed'];
    await self.clock.advance(10_000);
    assert.equal(self.registered, 1);
    assert.equal(self.writes.length, 2);
    await self.stop();
  });
});
