import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { statusOf } from './status-of.fixture.ts';
import { applyStrategicMergePatch } from './strategic.ts';

const PODS = { group: '', version: 'v1', kind: 'Pod' };

describe('JSON patch', () => {
  const cases: [string, unknown, unknown[], unknown][] = [
    ['adds to an object', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    ['adds into a list', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
    ['adds at the end', { a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    ['removes', { a: [1, 2] }, [{ op: 'remove', path: '/a/0' }], { a: [2] }],
    ['replaces', { a: 1 }, [{ op: 'replace', path: '/a', value: null }], { a: null }],
    ['moves', { a: 1 }, [{ op: 'move', from: '/a', path: '/b' }], { b: 1 }],
    ['copies', { a: { c: 1 } }, [{ op: 'copy', from: '/a', path: '/b' }], { a: { c: 1 }, b: { c: 1 } }],
    [
      'tests without regard to the order of keys',
      { a: { x: 1, y: 2 } },
      [{ op: 'test', path: '/a', value: { y: 2, x: 1 } }],
      { a: { x: 1, y: 2 } },
    ],
    [
      'reads escaped tokens',
      { 'a/b': { '~': 1 } },
      [{ op: 'replace', path: '/a~1b/~0', value: 2 }],
      { 'a/b': { '~': 2 } },
    ],
    ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: { b: 1 } }], { b: 1 }],
  ];
  for (const [what, target, operations, wanted] of cases) {
    it(what, () => assert.deepEqual(applyJsonPatch(target, operations).value, wanted));
  }

  const bad: [string, unknown, number][] = [
    ['no list', {}, 400],
    ['an operation that is none', [1], 400],
    ['an unknown operation', [{ op: 'x', path: '/a' }], 422],
    ['a missing path', [{ op: 'remove', path: '/zz' }], 422],
    ['a path without a slash', [{ op: 'add', path: 'a', value: 1 }], 422],
    ['an index beyond the end', [{ op: 'add', path: '/list/9', value: 1 }], 422],
    ['a leading zero', [{ op: 'replace', path: '/list/00', value: 1 }], 422],
    ['a test that fails', [{ op: 'test', path: '/a', value: 2 }], 422],
    ['a move into itself', [{ op: 'move', from: '/o', path: '/o/x' }], 422],
    ['the prototype', [{ op: 'add', path: '/__proto__/polluted', value: 1 }], 422],
    ['too many operations', Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 413],
    [
      'copies that double',
      Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/x${index % 2}` })),
      422,
    ],
  ];
  for (const [what, operations, code] of bad) {
    it(`answers ${code} to ${what}`, () => {
      assert.equal(statusOf(() => applyJsonPatch({ a: 1, list: [1], o: {} }, operations)).code, code);
      assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
    });
  }
});

describe('merge patch', () => {
  it('merges objects, replaces lists, deletes by null', () => {
    const target = { a: { b: 1, c: 2 }, l: [1, 2], d: 1 };
    assert.deepEqual(applyMergePatch(target, { a: { b: null, e: { f: null, g: 1 } }, l: [3], d: null }), {
      a: { c: 2, e: { g: 1 } },
      l: [3],
    });
  });
  it('takes __proto__ for a key', () => {
    const merged = applyMergePatch({}, JSON.parse('{"__proto__":{"x":1}}')) as object;
    assert.deepEqual(Object.keys(merged), ['__proto__']);
  });
});

describe('strategic merge patch', () => {
  const pod = {
    spec: {
      containers: [
        { name: 'a', image: '1' },
        { name: 'b', image: '2' },
      ],
      tolerations: [{ key: 'x' }],
    },
    metadata: { finalizers: ['f/1', 'f/2'], labels: { a: '1' } },
  };
  const cases: [string, object, object][] = [
    [
      'merges lists by key',
      { spec: { containers: [{ name: 'b', image: '3' }] } },
      {
        spec: {
          ...pod.spec,
          containers: [
            { name: 'a', image: '1' },
            { name: 'b', image: '3' },
          ],
        },
      },
    ],
    [
      'puts new elements where the patch says',
      { spec: { containers: [{ name: 'c', image: '9' }] } },
      { spec: { ...pod.spec, containers: [{ name: 'c', image: '9' }, ...pod.spec.containers] } },
    ],
    [
      'deletes an element',
      { spec: { containers: [{ $patch: 'delete', name: 'a' }] } },
      { spec: { ...pod.spec, containers: [{ name: 'b', image: '2' }] } },
    ],
    [
      'replaces a list',
      { spec: { containers: [{ $patch: 'replace' }, { name: 'z' }] } },
      { spec: { ...pod.spec, containers: [{ name: 'z' }] } },
    ],
    ['replaces an object', { spec: { $patch: 'replace', nodeName: 'n' } }, { spec: { nodeName: 'n' } }],
    [
      'replaces atomic lists',
      { spec: { tolerations: [{ key: 'y' }] } },
      { spec: { ...pod.spec, tolerations: [{ key: 'y' }] } },
    ],
    [
      'orders elements',
      { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } },
      {
        spec: {
          ...pod.spec,
          containers: [
            { name: 'b', image: '2' },
            { name: 'a', image: '1' },
          ],
        },
      },
    ],
    [
      'orders and merges',
      {
        spec: {
          '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }],
          containers: [{ name: 'c', image: '5' }],
        },
      },
      {
        spec: {
          ...pod.spec,
          containers: [
            { name: 'c', image: '5' },
            { name: 'a', image: '1' },
            { name: 'b', image: '2' },
          ],
        },
      },
    ],
    [
      'deletes scalars',
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['f/1'] } },
      { metadata: { labels: { a: '1' }, finalizers: ['f/2'] } },
    ],
    [
      'adds scalars',
      { metadata: { finalizers: ['f/3'] } },
      { metadata: { labels: { a: '1' }, finalizers: ['f/3', 'f/1', 'f/2'] } },
    ],
    [
      'retains keys',
      { metadata: { $retainKeys: ['labels'], labels: { b: '2' } } },
      { metadata: { labels: { a: '1', b: '2' } } },
    ],
    ['deletes by null', { metadata: { labels: null } }, { metadata: { finalizers: ['f/1', 'f/2'] } }],
  ];
  for (const [what, body, wanted] of cases) {
    it(what, () => assert.deepEqual(applyStrategicMergePatch(PODS, pod, body), { ...pod, ...wanted }));
  }

  const bad: [string, unknown, number][] = [
    ['no object', [], 400],
    ['an element without its key', { spec: { containers: [{ image: 'x' }] } }, 500],
    ['an unknown directive', { spec: { $patch: 'bogus' } }, 500],
    ['an order that is no list', { spec: { '$setElementOrder/containers': 1 } }, 500],
    ['retained keys that do not match', { metadata: { $retainKeys: ['x'], labels: {} } }, 400],
    ['a list of lists', { metadata: { finalizers: [['x']] } }, 422],
    [
      'an order that leaves out what is patched',
      { spec: { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'q' }] } },
      400,
    ],
  ];
  for (const [what, body, code] of bad) {
    it(`answers ${code} to ${what}`, () => {
      assert.equal(statusOf(() => applyStrategicMergePatch(PODS, pod, body)).code, code);
    });
  }
});
