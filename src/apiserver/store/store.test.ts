import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { StatusError } from '../status.ts';
import type { ApiObject } from '../surface.ts';
import { type Change, Store, type StoreLimits } from './store.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wasmlet-store-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(limits: Partial<StoreLimits> = {}): Store {
  return new Store(join(folder, 'state.db'), limits);
}

function place(name: string, namespace = 'default') {
  return { storage: 'pods', namespace, name };
}

function pod(name: string, more: Record<string, unknown> = {}): ApiObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, ...more };
}

function isGone(error: unknown): boolean {
  return error instanceof StatusError && error.code === 410 && error.status.reason === 'Expired';
}

describe('Store', () => {
  it('gives every write the next revision, over all collections', () => {
    using store = open();
    assert.equal(store.put(place('a'), pod('a')).revision, 1);
    assert.equal(store.put({ storage: 'nodes', namespace: '', name: 'n' }, pod('n')).revision, 2);
    const changed = store.put(place('a'), pod('a'));
    assert.equal(changed.value.metadata.resourceVersion, '3');
    assert.equal(store.revision, 3);
  });

  it('has after a reopening what was written, with the log', () => {
    {
      using store = open();
      store.put(place('a'), pod('a', { spec: { x: 1 } }));
      store.put(place('b'), pod('b'));
      store.remove(place('b'));
    }
    using store = open();
    assert.deepEqual(
      store.list('pods').map((entry) => entry.name),
      ['a'],
    );
    assert.deepEqual(
      store.since('pods', 0).map(({ type, revision }) => [type, revision]),
      [
        ['ADDED', 1],
        ['ADDED', 2],
        ['DELETED', 3],
      ],
    );
    assert.equal(store.put(place('c'), pod('c')).revision, 4);
  });

  it('lists as it was at an earlier revision', () => {
    using store = open();
    store.put(place('a'), pod('a'));
    store.put(place('b'), pod('b'));
    const then = store.revision;
    store.put(place('0'), pod('0'));
    store.remove(place('a'));
    store.put(place('b'), pod('b', { changed: true }));
    const old = store.listAt('pods', then);
    assert.deepEqual(
      old.map(({ name, value }) => [name, value['changed']]),
      [
        ['a', undefined],
        ['b', undefined],
      ],
    );
  });

  it('forgets old changes and answers 410 for what it forgot', () => {
    using store = open({ history: 8 });
    for (let at = 0; at < 40; at++) {
      store.put(place('a'), pod('a', { at }));
      store.flush();
    }
    assert.ok(store.compacted >= 30);
    assert.throws(() => store.since('pods', 3), isGone);
    assert.throws(() => store.listAt('pods', 3), isGone);
    assert.equal(store.since('pods', store.revision - 2).length, 2);
  });

  it('tells listeners of changes with the state before', () => {
    using store = open();
    const seen: Change[] = [];
    const end = store.subscribe('pods', (change) => seen.push(change));
    store.put(place('a'), pod('a', { v: 1 }));
    store.put(place('a'), pod('a', { v: 2 }));
    store.remove(place('a'));
    end();
    store.put(place('a'), pod('a'));
    assert.deepEqual(
      seen.map(({ type, previous }) => [type, previous?.value['v']]),
      [
        ['ADDED', undefined],
        ['MODIFIED', 1],
        ['DELETED', 2],
      ],
    );
  });

  it('refuses an object or a total that is too large and stays as it was', () => {
    using store = open({ objectSize: 500, totalSize: 600 });
    assert.throws(() => store.put(place('a'), pod('a', { x: 'x'.repeat(600) })), /request is too large/);
    store.put(place('a'), pod('a', { x: 'x'.repeat(400) }));
    assert.throws(() => store.put(place('b'), pod('b', { x: 'x'.repeat(400) })), /space exceeded/);
    assert.equal(store.revision, 1);
    assert.equal(store.count('pods'), 1);
  });

  it('tells others of a change when it is on the disk, once a turn', async () => {
    using store = open();
    const seen: number[] = [];
    store.subscribeDurable('pods', ({ revision }) => seen.push(revision));
    store.put(place('a'), pod('a'));
    store.put(place('b'), pod('b'));
    assert.deepEqual(seen, []);
    await store.settled();
    assert.deepEqual(seen, [1, 2]);
    assert.equal(store.pending, false);
  });

  it('refuses a file that is not its own', async () => {
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(folder, 'state.db'), 'garbage'.repeat(1000));
    assert.throws(() => open(), { code: 'API_STATE_UNUSABLE' });
  });
});
