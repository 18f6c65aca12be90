import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '#kit';
import type { KubeClient } from './client.ts';
import { ApiStatusError, kubeError } from './errors.ts';
import { createEventRecorder, type EventRecorder } from './events.ts';
import type { Event, Pod } from './types/mod.ts';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'team', uid: 'u-1', resourceVersion: '7' },
};

interface World {
  readonly clock: FakeClock;
  readonly events: EventRecorder;
  readonly stored: Map<string, Event>;
  fail: unknown;
  requests: number;
}

function world(): World {
  const clock = new FakeClock();
  const stored = new Map<string, Event>();
  const client = {
    async create(_: unknown, event: Event) {
      check();
      stored.set(event.metadata?.name ?? '', event);
      return event;
    },
    async patch(_: unknown, { name }: { name: string }, { body }: { body: Partial<Event> }) {
      check();
      const old = stored.get(name);
      if (old === undefined) throw new ApiStatusError('gone', { status: { reason: 'NotFound' }, httpStatus: 404 });
      const event = { ...old, ...body };
      stored.set(name, event);
      return event;
    },
  } as unknown as KubeClient;
  function check(): void {
    self.requests++;
    if (self.fail !== undefined) throw self.fail;
  }
  const events = createEventRecorder({ client, source: { component: 'kubelet', host: 'edge-1' }, clock });
  const self: World = { clock, events, stored, fail: undefined, requests: 0 };
  return self;
}

function normal(reason: string, message: string): { type: 'Normal'; reason: string; message: string } {
  return { type: 'Normal', reason, message };
}

describe('event recorder', () => {
  test('writes an event as kubectl describe reads it', async () => {
    const { events, stored } = world();
    events.record(pod, { ...normal('Started', 'Container started'), fieldPath: 'spec.containers{web}' });
    await events.flush();
    const [event] = stored.values();
    assert.match(event?.metadata?.name ?? '', /^web\.[0-9a-f]+$/);
    assert.deepEqual(event?.involvedObject, {
      apiVersion: 'v1',
      kind: 'Pod',
      name: 'web',
      namespace: 'team',
      uid: 'u-1',
      resourceVersion: '7',
      fieldPath: 'spec.containers{web}',
    });
    assert.deepEqual(event?.source, { component: 'kubelet', host: 'edge-1' });
    assert.equal(event?.count, 1);
    assert.equal(event?.firstTimestamp, '2026-01-01T00:00:00Z');
  });

  test('counts what repeats', async () => {
    const { events, stored, clock } = world();
    for (let time = 0; time < 3; time++) {
      events.record(pod, normal('BackOff', 'Back-off restarting'));
      await events.flush();
      await clock.advance(10_000);
    }
    assert.equal(stored.size, 1);
    const [event] = stored.values();
    assert.equal(event?.count, 3);
    assert.equal(event?.firstTimestamp, '2026-01-01T00:00:00Z');
    assert.equal(event?.lastTimestamp, '2026-01-01T00:00:20Z');
  });

  test('an event that expired meanwhile is created again', async () => {
    const { events, stored } = world();
    events.record(pod, normal('BackOff', 'again'));
    await events.flush();
    stored.clear();
    events.record(pod, normal('BackOff', 'again'));
    await events.flush();
    assert.equal([...stored.values()][0]?.count, 2);
  });

  test('many messages of one reason are combined', async () => {
    const { events, stored } = world();
    for (let time = 0; time < 15; time++) events.record(pod, normal('Failed', `number ${time}`));
    await events.flush();
    assert.equal(stored.size, 10);
    const combined = [...stored.values()].filter(({ message }) => message?.startsWith('(combined'));
    assert.deepEqual(
      combined.map(({ message, count }) => [message, count]),
      [['(combined from similar events): number 14', 6]],
    );
  });

  test('one object cannot flood the cluster, and others are not hurt', async () => {
    const { events, requests, ...rest } = world();
    const self = { ...rest };
    for (let time = 0; time < 100; time++) events.record(pod, normal(`Reason${time}`, 'x'));
    events.record({ ...pod, metadata: { name: 'other', namespace: 'team', uid: 'u-2' } }, normal('Started', 'x'));
    await events.flush();
    assert.equal(self.stored.size, 26);
    assert.equal(requests, 0);
  });

  test('a server that is away is waited for, a refusal is not', async () => {
    const self = world();
    self.fail = kubeError('KUBE_UNREACHABLE', 'away');
    self.events.record(pod, normal('Started', 'x'));
    await self.clock.advance(25_000);
    assert.equal(self.requests, 3);
    self.fail = undefined;
    await self.clock.advance(10_000);
    assert.equal(self.stored.size, 1);
    self.fail = new ApiStatusError('no', { status: { reason: 'Forbidden' }, httpStatus: 403 });
    self.events.record(pod, normal('Killing', 'x'));
    await self.events.flush();
    assert.equal(self.requests, 5);
  });

  test('the queue is bounded, and closing does not wait for a server that is away', async () => {
    const self = world();
    self.fail = kubeError('KUBE_UNREACHABLE', 'away');
    for (let time = 0; time < 1200; time++) self.events.record(pod, normal('Started', `${time}`));
    assert.equal(self.events.dropped, 200);
    await self.clock.advance(0);
    await self.events[Symbol.asyncDispose]();
  });

  test('a long message is cut', async () => {
    const { events, stored } = world();
    events.record(pod, normal('Failed', 'é'.repeat(2000)));
    await events.flush();
    assert.ok(Buffer.byteLength([...stored.values()][0]?.message ?? '') <= 1024);
  });
});
