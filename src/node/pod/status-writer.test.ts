import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock, silentLog } from '#kit';
import { ApiStatusError, type KubeClient, kubeError } from '#kube';
import type { Pod, PodStatus } from '#kube/types';
import { podOf } from './fixture.ts';
import { statusPatch } from './status-patch.ts';
import { StatusWriter } from './status-writer.ts';

function world() {
  const clock = new FakeClock();
  const patches: Record<string, unknown>[] = [];
  const told: { phase: string | undefined; gone: boolean }[] = [];
  const errors: unknown[] = [];
  let uid = 'u-1';
  let gate: Promise<void> | undefined;
  const client = {
    async patch(_: unknown, __: unknown, { body }: { body: { status: Record<string, unknown> } }): Promise<Pod> {
      await gate;
      const error = errors.shift();
      if (error !== undefined) throw error;
      patches.push(body.status);
      return { metadata: { uid, resourceVersion: String(10 + patches.length) }, status: body.status as PodStatus };
    },
    get: async () => ({ metadata: { uid } }),
  } as unknown as KubeClient;
  const writer = new StatusWriter({
    client,
    clock,
    log: silentLog,
    onWritten: (_uid, { status, gone }) => void told.push({ phase: status.phase, gone }),
  });
  return {
    clock,
    patches,
    told,
    errors,
    writer,
    rename: () => {
      uid = 'u-2';
    },
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },
  };
}

const refusal = (reason: string, httpStatus: number) => new ApiStatusError(reason, { status: { reason }, httpStatus });

describe('statuses on their way', () => {
  it('are written once, and not again when nothing changed', async () => {
    const { writer, patches, clock } = world();
    for (let time = 0; time < 3; time++) {
      writer.push(podOf(), { phase: 'Running' });
      await clock.advance(0);
    }
    assert.deepEqual(patches, [{ phase: 'Running' }]);
  });

  it('overtake each other: only the latest follows the one that is being written', async () => {
    const { writer, patches, clock, hold } = world();
    const release = hold();
    writer.push(podOf(), { phase: 'Pending' });
    await clock.advance(0);
    for (const message of ['a', 'b', 'c']) writer.push(podOf(), { phase: 'Running', message });
    release();
    await clock.advance(0);
    assert.deepEqual(patches, [{ phase: 'Pending' }, { phase: 'Running', message: 'c' }]);
  });

  it('are tried until the server takes them', async () => {
    const { writer, patches, clock, errors, told } = world();
    errors.push(
      kubeError('KUBE_UNREACHABLE', 'away'),
      refusal('InternalError', 500),
      refusal('Forbidden', 403),
      refusal('Conflict', 409),
    );
    writer.push(podOf(), { phase: 'Running' });
    await clock.advance(60_000);
    assert.deepEqual(patches, [{ phase: 'Running' }]);
    assert.deepEqual(told, [{ phase: 'Running', gone: false }]);
  });

  it('of a pod that is not there, or is another one, are given up', async () => {
    for (const [reason, code] of [
      ['NotFound', 404],
      ['Conflict', 409],
    ] as const) {
      const { writer, patches, clock, errors, told, rename } = world();
      rename();
      errors.push(refusal(reason, code));
      writer.push(podOf(), { phase: 'Running' });
      await clock.advance(60_000);
      assert.deepEqual(patches, []);
      assert.deepEqual(told, [{ phase: 'Running', gone: true }]);
    }
  });

  it('that somebody wrote over are written again; an old copy of the pod is no reason', async () => {
    const { writer, patches, clock } = world();
    const wanted: PodStatus = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    writer.push(podOf(), wanted);
    await clock.advance(0);
    const over: PodStatus = {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'False', reason: 'NodeNotReady' }],
    };
    writer.seen({ ...podOf({}, { resourceVersion: '3' }), status: over }, wanted);
    await clock.advance(0);
    assert.equal(patches.length, 1);
    writer.seen({ ...podOf({}, { resourceVersion: '30' }), status: over }, wanted);
    await clock.advance(0);
    assert.equal(patches.length, 2);
    const [condition] = (patches[1] as { conditions: { status: string; reason: unknown }[] }).conditions;
    assert.deepEqual([condition?.status, condition?.reason], ['True', null]);
  });

  it('do not take a last phase back that the server has: the node is about to say the same', async () => {
    const { writer, patches, clock } = world();
    const ended = { ...podOf({}, { resourceVersion: '30' }), status: { phase: 'Failed' } };
    writer.seen(ended, { phase: 'Running' });
    await clock.advance(0);
    assert.deepEqual(patches, []);
    writer.push(ended, { phase: 'Failed', message: 'why' });
    await clock.advance(0);
    assert.deepEqual(patches, [{ message: 'why' }]);
  });
});

describe('statusPatch()', () => {
  it('says what changed and what is gone, and leaves what others own', () => {
    const old: PodStatus = {
      phase: 'Pending',
      message: 'x',
      nominatedNodeName: 'other',
      podIP: '1.1.1.1',
      podIPs: [{ ip: '1.1.1.1' }],
    };
    assert.deepEqual(statusPatch(old, { phase: 'Running', podIP: '1.1.1.2', podIPs: [{ ip: '1.1.1.2' }] }), {
      phase: 'Running',
      message: null,
      podIP: '1.1.1.2',
      podIPs: [{ ip: '1.1.1.2' }, { $patch: 'replace' }],
    });
    assert.equal(statusPatch(old, { ...old }), undefined);
  });

  it('patches conditions by type, and keeps their order', () => {
    const ready = { type: 'Ready', status: 'True', lastTransitionTime: 't' };
    const old: PodStatus = {
      conditions: [
        { ...ready, lastProbeTime: undefined as unknown as string },
        { type: 'x/y', status: 'True' },
      ],
    };
    const patch = statusPatch(old, {
      conditions: [
        { type: 'x/y', status: 'True' },
        ready,
        { type: 'Initialized', status: 'True', lastTransitionTime: 't' },
      ],
    });
    assert.deepEqual(patch, {
      '$setElementOrder/conditions': [{ type: 'x/y' }, { type: 'Ready' }, { type: 'Initialized' }],
      conditions: [
        {
          type: 'Initialized',
          status: 'True',
          lastTransitionTime: 't',
          reason: null,
          message: null,
          lastProbeTime: null,
        },
      ],
    });
  });
});
