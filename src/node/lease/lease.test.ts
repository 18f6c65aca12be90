import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock, silentLog } from '#kit';
import { ApiStatusError, type KubeClient, kubeError } from '#kube';
import type { Lease } from '#kube/types';
import { keepLease } from './lease.ts';

const node = { metadata: { name: 'edge-1', uid: 'node-uid' } };

function conflict(): never {
  throw new ApiStatusError('old', { status: { reason: 'Conflict' }, httpStatus: 409 });
}

function notFound(): never {
  throw new ApiStatusError('no', { status: { reason: 'NotFound' }, httpStatus: 404 });
}

interface State {
  lease: Lease | undefined;
  fail: (() => never) | undefined;
  lost: number;
}

/** A lease on a server that can be away and that counts what it is asked. */
function world(): {
  clock: FakeClock;
  asked: string[];
  state: State;
  stop: () => Promise<void>;
} {
  const clock = new FakeClock();
  const asked: string[] = [];
  const state: State = { lease: undefined, fail: undefined, lost: 0 };
  let version = 0;
  function write(lease: Lease): Lease {
    state.lease = {
      ...lease,
      metadata: {
        ...lease.metadata,
        resourceVersion: `${++version}`,
        uid: state.lease?.metadata?.uid ?? `uid-${version}`,
      },
    };
    return state.lease;
  }
  const client = {
    async get() {
      asked.push('get');
      state.fail?.();
      if (state.lease === undefined)
        throw new ApiStatusError('no', { status: { reason: 'NotFound' }, httpStatus: 404 });
      return state.lease;
    },
    async create(_: unknown, lease: Lease) {
      asked.push('create');
      state.fail?.();
      return write(lease);
    },
    async replace(_: unknown, lease: Lease) {
      asked.push('replace');
      state.fail?.();
      if (state.lease === undefined) notFound();
      if (lease.metadata?.resourceVersion !== state.lease.metadata?.resourceVersion) conflict();
      return write(lease);
    },
  } as unknown as KubeClient;
  const controller = new AbortController();
  const running = keepLease({
    client,
    clock,
    log: silentLog,
    node: () => node,
    random: () => 0,
    onLost: () => state.lost++,
    signal: controller.signal,
  });
  return {
    clock,
    asked,
    state,
    stop: async () => {
      controller.abort();
      await running;
    },
  };
}

describe('lease', () => {
  test('is made once, then replaced every ten seconds without a read', async () => {
    const { clock, asked, state, stop } = world();
    await clock.advance(30_000);
    assert.deepEqual(asked, ['get', 'create', 'replace', 'replace', 'replace']);
    assert.deepEqual(state.lease?.spec, {
      holderIdentity: 'edge-1',
      leaseDurationSeconds: 40,
      renewTime: '2026-01-01T00:00:30.000000Z',
    });
    assert.deepEqual(state.lease?.metadata?.ownerReferences, [
      { apiVersion: 'v1', kind: 'Node', name: 'edge-1', uid: 'node-uid' },
    ]);
    await stop();
  });

  test('somebody else wrote it: read again and go on', async () => {
    const { clock, asked, state, stop } = world();
    await clock.advance(0);
    state.lease = { ...state.lease, metadata: { ...state.lease?.metadata, resourceVersion: '99' } };
    await clock.advance(10_200);
    assert.deepEqual(asked, ['get', 'create', 'replace', 'get', 'replace']);
    await stop();
  });

  test('it was deleted: it is made again', async () => {
    const { clock, asked, state, stop } = world();
    await clock.advance(0);
    state.lease = undefined;
    await clock.advance(10_200);
    assert.deepEqual(asked.slice(2), ['replace', 'get', 'create']);
    assert.equal(state.lost, 1);
    await stop();
  });

  test('an API server that is away for an hour does not end it', async () => {
    const { clock, state, stop } = world();
    await clock.advance(0);
    state.fail = () => {
      throw kubeError('KUBE_UNREACHABLE', 'away');
    };
    await clock.advance(3_600_000);
    state.fail = undefined;
    const before = state.lease?.spec?.renewTime;
    await clock.advance(20_000);
    assert.notEqual(state.lease?.spec?.renewTime, before);
    await stop();
  });
});
