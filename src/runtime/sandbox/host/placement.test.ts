import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultMostOwn, ownerKey, ownerOf, placementOf } from './placement.ts';

const rules = { pool: 1, mostOwn: 4 };
const shared = { tenant: 'blue', isolation: 'tenant' } as const;
const own = { tenant: 'blue', isolation: 'pod' } as const;

describe('placement', () => {
  it('puts pods of a tenant together, and isolated ones alone', () => {
    const key = (pod: string, placement: typeof shared | typeof own) => ownerKey(ownerOf(placement, pod, rules));
    assert.equal(key('a', shared), key('b', shared));
    assert.notEqual(key('a', own), key('b', own));
    assert.notEqual(key('a', own), key('a', shared));
    assert.notEqual(key('a', own), ownerKey(ownerOf({ ...own, tenant: 'green' }, 'a', rules)));
  });

  it('gives a module of the class process a sandbox of the pod, whatever the pod asked for', () => {
    assert.deepEqual(placementOf(shared, { class: 'process', optimize: 'lazy' }), own);
    assert.deepEqual(placementOf(shared, { class: 'thread', optimize: 'lazy' }), shared);
    assert.deepEqual(placementOf(own, { class: 'shared', optimize: 'lazy' }), own);
    assert.deepEqual(placementOf(shared, undefined), shared);
  });

  it('spreads the pods of a tenant over its pool, each for ever in the same one', () => {
    const pooled = { ...rules, pool: 4 };
    const keys = Array.from({ length: 400 }, (_, at) => ownerKey(ownerOf(shared, `pod-${at}`, pooled)));
    const again = Array.from({ length: 400 }, (_, at) => ownerKey(ownerOf(shared, `pod-${at}`, pooled)));
    assert.deepEqual(keys, again);
    const counts = Map.groupBy(keys, (key) => key);
    assert.equal(counts.size, 4);
    for (const [key, found] of counts) assert.ok(found.length > 60, `${key} has ${found.length}`);
  });

  it('refuses names that would leave their folders', () => {
    for (const tenant of ['..', '', 'a/b', '.warm-x', 'a b'])
      assert.throws(() => ownerOf({ ...shared, tenant }, 'a', rules), { code: 'RUNTIME_BAD_SPEC' });
    assert.throws(() => ownerOf(own, '../x', rules), { code: 'RUNTIME_BAD_SPEC' });
  });

  it('starts as many processes of pods as half the memory has room for, and some on the smallest machine', () => {
    assert.equal(defaultMostOwn(24 * 2 ** 30), 192);
    assert.equal(defaultMostOwn(256 * 2 ** 20), 4);
  });
});
