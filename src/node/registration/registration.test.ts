import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, isWasmletError, silentLog } from '#kit';
import { ApiStatusError, type KubeClient, kubeError } from '#kube';
import type { Node as NodeObject } from '#kube/types';
import { adoptionPatch, identityOf, nodeObjectOf, parseTaints } from './profile.ts';
import { register } from './register.ts';

const NO_SCHEDULE = { key: 'kubernetes.io/arch', value: 'wasm32-wasi', effect: 'NoSchedule' };
const NO_EXECUTE = { ...NO_SCHEDULE, effect: 'NoExecute' };

describe('identity', () => {
  test("is Krustlet's by default", () => {
    const identity = identityOf({ name: 'edge-1' });
    assert.deepEqual(identity.taints, [NO_SCHEDULE, NO_EXECUTE]);
    assert.deepEqual(identity.labels, {
      'kubernetes.io/hostname': 'edge-1',
      'kubernetes.io/os': 'wasm32-wasi',
      'kubernetes.io/arch': 'wasm32-wasi',
      'beta.kubernetes.io/os': 'wasm32-wasi',
      'beta.kubernetes.io/arch': 'wasm32-wasi',
      type: 'krustlet',
    });
  });

  test('--arch changes labels and taints, --register-with-taints only taints, --node-labels wins', () => {
    const wagi = identityOf({ name: 'a', arch: 'wasm32-wagi' });
    assert.equal(wagi.labels['kubernetes.io/arch'], 'wasm32-wagi');
    assert.ok(wagi.taints.every(({ value }) => value === 'wasm32-wagi'));
    assert.deepEqual(identityOf({ name: 'a', taints: [] }).taints, []);
    assert.equal(identityOf({ name: 'a', labels: { type: 'mine' } }).labels['type'], 'mine');
  });

  test('of conformance is the machine as Go names it', () => {
    const identity = identityOf({ name: 'a', profile: 'conformance' }, 'x64');
    assert.equal(identity.labels['kubernetes.io/os'], 'linux');
    assert.equal(identity.labels['kubernetes.io/arch'], 'amd64');
    assert.deepEqual(identity.taints, []);
  });

  test('taints are read as the kubelet reads them', () => {
    assert.deepEqual(parseTaints('a=b:NoSchedule,c:NoExecute,'), [
      { key: 'a', value: 'b', effect: 'NoSchedule' },
      { key: 'c', effect: 'NoExecute' },
    ]);
    assert.deepEqual(parseTaints(''), []);
    for (const text of ['a', 'a=b', 'a=b:Never', ':NoExecute', 'a b:NoExecute'])
      assert.equal(parseTaints(text), undefined, text);
  });
});

describe('adoption', () => {
  const identity = identityOf({ name: 'a' });

  test('changes only what differs and never taints', () => {
    const existing: NodeObject = {
      metadata: {
        name: 'a',
        labels: { ...identity.labels, type: 'old', other: 'x' },
        annotations: { ...identity.annotations },
      },
    };
    assert.deepEqual(adoptionPatch(existing, identity), { metadata: { labels: { type: 'krustlet' } } });
  });

  test('of a node that fits is nothing', () => {
    assert.equal(adoptionPatch(nodeObjectOf('a', identity), identity), undefined);
  });
});

function refusal(httpStatus: number, reason: string): ApiStatusError {
  return new ApiStatusError(reason, { status: { reason }, httpStatus });
}

describe('register', () => {
  const identity = identityOf({ name: 'a' });
  const node = nodeObjectOf('a', identity);
  const base = { identity, log: silentLog, signal: new AbortController().signal };

  test('goes on trying while the API server is away', async () => {
    const clock = new FakeClock();
    let calls = 0;
    const client = {
      async create() {
        calls++;
        if (calls < 20) throw kubeError('KUBE_UNREACHABLE', 'away');
        return node;
      },
    } as unknown as KubeClient;
    const done = register(node, { ...base, client, clock });
    await clock.advance(120_000);
    assert.equal(await done, node);
    assert.equal(calls, 20);
  });

  test('adopts a node that is there, and does not ask when nothing differs', async () => {
    const asked: string[] = [];
    const client = {
      async create() {
        asked.push('create');
        throw refusal(409, 'AlreadyExists');
      },
      async get() {
        asked.push('get');
        return { ...node, spec: { podCIDR: '10.1.0.0/24' } };
      },
    } as unknown as KubeClient;
    const found = await register(node, { ...base, client, clock: new FakeClock() });
    assert.equal(found.spec?.podCIDR, '10.1.0.0/24');
    assert.deepEqual(asked, ['create', 'get']);
  });

  test('a label that may not be set ends it with a hint', async () => {
    const client = {
      create: async () => {
        throw refusal(422, 'Invalid');
      },
    } as unknown as KubeClient;
    await assert.rejects(register(node, { ...base, client, clock: new FakeClock() }), (error) =>
      isWasmletError(error, 'NODE_NOT_REGISTERED'),
    );
  });

  test('ends with the signal', async () => {
    const controller = new AbortController();
    const clock = new FakeClock();
    const client = {
      create: async () => {
        throw kubeError('KUBE_UNREACHABLE', 'away');
      },
    } as unknown as KubeClient;
    const done = register(node, { ...base, client, clock, signal: controller.signal });
    await clock.advance(1);
    controller.abort(new Error('enough'));
    await assert.rejects(done, /enough/);
  });
});
