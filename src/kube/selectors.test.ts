import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isWasmletError } from '#kit';
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector, requirementsOf } from './selectors.ts';

const labels = { app: 'web', tier: 'front', 'wasmlet.dev/n': '5', empty: '' };

describe('label selectors', () => {
  for (const [selector, expected] of [
    ['', true],
    ['app=web', true],
    ['app==web,tier=front', true],
    ['app = web', true],
    ['app!=web', false],
    ['other!=web', true],
    ['app in (api, web)', true],
    ['app in (api),tier', false],
    ['app notin (api,db)', true],
    ['other notin (x)', true],
    ['tier', true],
    ['!tier', false],
    ['! other', true],
    ['empty=', true],
    ['wasmlet.dev/n>4,wasmlet.dev/n<6', true],
    ['wasmlet.dev/n>5', false],
    ['app>1', false],
  ] as const) {
    test(`'${selector}' ${expected ? 'holds' : 'does not hold'}`, () => {
      assert.equal(matchesLabels(parseLabelSelector(selector), labels), expected);
    });
  }

  test('garbage is refused', () => {
    for (const text of [
      'a b',
      'a in (b',
      'a in b)',
      'a in ((b))',
      '=b',
      'a=b=c',
      '-a',
      'a=-b',
      'a,,b',
      'a>x',
      'in (a)',
      'a/b/c',
    ]) {
      assert.throws(
        () => parseLabelSelector(text),
        (error) => isWasmletError(error, 'KUBE_SELECTOR_INVALID'),
        text,
      );
    }
  });

  test('the object form says the same', () => {
    const requirements = requirementsOf({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['front', 'back'] },
        { key: 'x', operator: 'DoesNotExist' },
      ],
    });
    assert.equal(matchesLabels(requirements, labels), true);
    assert.equal(matchesLabels(requirements, { app: 'web' }), false);
    assert.throws(() => requirementsOf({ matchExpressions: [{ key: 'a', operator: 'Is' }] }), /no operator/);
  });

  test('a label named like a property of every object is not there', () => {
    assert.equal(matchesLabels(parseLabelSelector('constructor'), {}), false);
  });
});

describe('field selectors', () => {
  const read = (field: string): string | undefined => ({ 'metadata.name': 'a,b', 'spec.nodeName': 'n' })[field];

  test('compare, negate and escape', () => {
    assert.ok(matchesFields(parseFieldSelector('metadata.name=a\\,b,spec.nodeName==n'), read));
    assert.ok(matchesFields(parseFieldSelector('spec.nodeName!=m'), read));
    assert.ok(!matchesFields(parseFieldSelector('spec.nodeName!=n'), read));
    assert.deepEqual(parseFieldSelector(''), []);
  });

  test('garbage is refused', () => {
    for (const text of ['a', 'a,b=c', '=b', 'a in (b)'])
      assert.throws(() => parseFieldSelector(text), /selector/, text);
  });
});
