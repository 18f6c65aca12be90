/** Feeds every row of the table of pods in docs/bad-input.md, and fails for a row without a case or a case without a row. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CONFIG_MAPS } from '#kube';
import type { Container, Pod, PodSpec, Volume } from '#kube/types';
import { createWorld, podOf, type World } from './fixture.ts';

interface Row {
  readonly input: string;
  readonly reason: string;
  readonly message: string;
  readonly events: string;
  readonly retried: string;
}

const rows = readRows(new URL('../../../docs/bad-input.md', import.meta.url), 'Pods');

function readRows(file: URL, heading: string): Row[] {
  const section =
    readFileSync(file, 'utf8')
      .split(/^## /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) => {
    const [input = '', reason = '', message = '', events = '', retried = ''] = line.slice(2, -2).split(' | ');
    return { input, reason, message, events, retried };
  });
}

interface Case {
  readonly spec: Partial<PodSpec>;
  readonly prepare?: (world: World) => void;
  readonly ports?: (port: number) => void;
  /** After the pod was applied. */
  readonly after?: (world: World) => Promise<void>;
}

const container = (more: Partial<Container>): Case => ({
  spec: { containers: [{ name: 'main', image: 'a', ...more }] },
});
const volume = (more: Omit<Volume, 'name'>): Case => ({ spec: { volumes: [{ name: 'v', ...more }] } });
const port = (containerPort: number, code: string): Case => ({
  ...container({ ports: [{ containerPort }] }),
  ports: () => {
    throw Object.assign(new Error(code), { code });
  },
});
const refused = (code: string, message: string): Case => ({
  spec: {},
  prepare: ({ machine }) => {
    machine.refusal = { code, message: `Cannot run the module: ${message}` };
  },
});

const cases: Readonly<Record<string, Case>> = {
  'a volume of a type that this node does not have': volume({ hostPath: { path: '/etc' } }),
  'a projected source that this node does not have': volume({
    projected: { sources: [{ clusterTrustBundle: { path: 'x' } }] },
  }),
  'a volume of a ConfigMap that is missing': volume({ configMap: { name: 'no' } }),
  'a volume of a key that is missing': volume({ configMap: { name: 'cfg', items: [{ key: 'z', path: 'z' }] } }),
  'a volume whose path leaves it': volume({ configMap: { name: 'cfg', items: [{ key: 'a', path: '../a' }] } }),
  'a RuntimeClass that does not exist': { spec: { runtimeClassName: 'no' } },
  'resource claims': { spec: { resourceClaims: [{ name: 'gpu' }] } },
  'block devices': container({ volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] }),
  'an environment from a ConfigMap that is missing': container({ envFrom: [{ configMapRef: { name: 'no' } }] }),
  'an environment from a Secret that is missing': container({ envFrom: [{ secretRef: { name: 'no' } }] }),
  'a key of an environment that is missing': container({
    env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'z' } } }],
  }),
  'a field path that is none': container({
    env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.secret' } } }],
  }),
  'a mount of a volume that is none': container({ volumeMounts: [{ name: 'no', mountPath: '/x' }] }),
  'a subPath that leaves its volume': {
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [{ name: 'main', image: 'a', volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '../../x' }] }],
    },
  },
  'a port below 1024 without the right': port(80, 'EACCES'),
  'a port that is taken': port(8080, 'EADDRINUSE'),
  'a corrupt module': refused('MODULE_CORRUPT', 'it is corrupt'),
  'a module with an import that nobody provides': refused('MODULE_MISSING_IMPORT', 'nobody provides env.missing'),
  'a component': refused('MODULE_COMPONENT', 'it is a component'),
  'a sandbox that cannot be started': {
    spec: {},
    prepare: ({ machine }) => void machine.failures.set('create', new Error('no room for a sandbox')),
  },
  'a guest that cannot be started': {
    spec: {},
    prepare: ({ machine }) => void machine.failures.set('start', new Error('no start')),
  },
  'a guest that fails': {
    spec: {},
    async after(world) {
      for (let time = 0; time < 2; time++) {
        world.machine.exit('u-1', 'main', { code: 1 });
        await world.run();
      }
    },
  },
  'a pod for Windows': { spec: { os: { name: 'windows' } } },
  'a pod that sets sysctls': {
    spec: { securityContext: { sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }] } },
  },
};

describe('docs/bad-input.md, pods', () => {
  it('has a row for every case', () => {
    assert.deepEqual(
      Object.keys(cases).filter((name) => !rows.some(({ input }) => input === name)),
      [],
    );
    assert.ok(rows.length > 20);
  });
  for (const row of rows) {
    it(row.input, async () => {
      const one = cases[row.input];
      assert.ok(one, 'the row has no case');
      await check(one, row);
    });
  }
});

async function check({ spec, prepare, ports, after }: Case, row: Row): Promise<void> {
  using world = createWorld(ports === undefined ? {} : { ports });
  world.api.put(CONFIG_MAPS, { metadata: { name: 'cfg', namespace: 'default' }, data: { a: '1' } } as Pod);
  prepare?.(world);
  world.api.createPod(podOf(spec));
  await world.run();
  await after?.(world);
  const status = world.api.pod('web')?.status;
  const waiting = status?.containerStatuses?.[0]?.state?.waiting;
  assert.equal(status?.phase === 'Failed' ? status.reason : waiting?.reason, row.reason);
  const told = [status?.message, waiting?.message, ...world.events.map(({ message }) => message)];
  assert.ok(
    told.some((text) => text?.includes(row.message)),
    JSON.stringify(told),
  );
  assert.equal(world.events.map(({ reason }) => reason).join(', '), row.events);
  await checkRetry(world, row.retried);
}

/** Nothing happens before the time in the table, and something does after it. */
async function checkRetry(world: World, retried: string): Promise<void> {
  const count = () => world.machine.calls.length + world.events.length + world.api.requests.length;
  const before = count();
  if (retried === 'never') {
    await world.run(400_000);
    assert.equal(count(), before);
    return;
  }
  const ms = Number.parseFloat(retried) * 1000;
  await world.clock.advance(ms - 100);
  await world.run();
  assert.equal(count(), before, 'tried too early');
  await world.clock.advance(200);
  await world.run();
  assert.ok(count() > before, 'not tried again');
}

describe('a pod that is garbage', () => {
  const garbage: readonly unknown[] = [
    {},
    { metadata: { uid: 'u-1' } },
    { metadata: { uid: '../../x', name: 'a', namespace: 'default' }, spec: { containers: [] } },
    { metadata: { uid: 'u-1', name: 'a/b', namespace: 'default' }, spec: { containers: [] } },
    { metadata: { uid: 'u-1', name: 'a', namespace: 'default' }, spec: { containers: [{}] } },
    { metadata: { uid: 'u-1', name: 'a', namespace: 'default' }, spec: { containers: [{ name: '..', image: 7 }] } },
    {
      metadata: { uid: 'u-1', name: 'a', namespace: 'default' },
      spec: { containers: [{ name: 'a', resources: { limits: { cpu: 'x' } } }], volumes: [{}] },
    },
    {
      metadata: { uid: 'u-1', name: 'a', namespace: 'default' },
      spec: { containers: [{ name: 'a', ports: [{ containerPort: 99_999 }] }] },
    },
    {
      metadata: { uid: 'u-1', name: 'a', namespace: 'default' },
      spec: { containers: [{ name: 'a', env: [{}], volumeMounts: [{ name: 'x', mountPath: '\0' }] }] },
    },
  ];
  for (const pod of garbage) {
    it(`harms no other: ${JSON.stringify(pod)}`, async () => {
      using world = createWorld();
      world.manager.update(pod as Pod);
      world.api.createPod(podOf({}, { uid: 'u-2', name: 'good' }));
      await world.run();
      assert.equal(world.api.pod('good')?.status?.phase, 'Running');
    });
  }
});
