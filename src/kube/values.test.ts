import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isWasmletError } from '#kit';
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  milliValueOf,
  parseQuantity,
  quantityOf,
  wholeValueOf,
} from './quantity.ts';
import { fromTime, toMicroTime, toTime } from './time.ts';

describe('quantities', () => {
  for (const [input, canonical] of [
    ['0', '0'],
    ['100m', '100m'],
    ['0.5', '500m'],
    ['2000m', '2'],
    ['1000', '1k'],
    ['1500Mi', '1500Mi'],
    ['1.5Gi', '1536Mi'],
    ['1023Ki', '1023Ki'],
    ['1024Ki', '1Mi'],
    ['.5Ki', '512'],
    ['1e3', '1e3'],
    ['12e2', '1200'],
    ['-1.5', '-1500m'],
    ['+5', '5'],
    ['4032800Ki', '4032800Ki'],
    ['1E', '1E'],
    ['0.0000000001', '1n'],
    ['100E', '9223372036854775807'],
  ] as const) {
    test(`${input} is ${canonical}`, () => assert.equal(formatQuantity(parseQuantity(input)), canonical));
  }

  test('garbage is refused', () => {
    for (const input of ['', '.', 'a', '1 Gi', '1gi', 'Gi', '1e', '--1', '1e9999', '9'.repeat(200)]) {
      assert.throws(
        () => parseQuantity(input),
        (error) => isWasmletError(error, 'KUBE_QUANTITY_INVALID'),
        input,
      );
    }
  });

  test('values round up', () => {
    assert.equal(wholeValueOf(parseQuantity('1500m')), 2);
    assert.equal(milliValueOf(parseQuantity('1500u')), 2);
    assert.equal(wholeValueOf(parseQuantity('1Gi')), 1 << 30);
  });

  test('sums and comparisons cross formats', () => {
    assert.equal(formatQuantity(addQuantities(parseQuantity('1Gi'), parseQuantity('1Mi'))), '1025Mi');
    assert.equal(compareQuantities(parseQuantity('1k'), parseQuantity('1Ki')), -1);
    assert.equal(compareQuantities(parseQuantity('1000m'), quantityOf(1)), 0);
  });
});

describe('times', () => {
  test('are written as Kubernetes writes them', () => {
    const ms = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    assert.equal(toTime(ms), '2026-01-02T03:04:05Z');
    assert.equal(toMicroTime(ms), '2026-01-02T03:04:05.678000Z');
  });

  test('are read with fractions and zones, and garbage is nothing', () => {
    assert.equal(fromTime('2026-01-02T03:04:05.5Z'), Date.UTC(2026, 0, 2, 3, 4, 5, 500));
    assert.equal(fromTime('2026-01-02T03:04:05+01:00'), Date.UTC(2026, 0, 2, 2, 4, 5));
    for (const text of [undefined, '', 'now', '2026-13-02T03:04:05Z', '2026-01-02'])
      assert.equal(fromTime(text), undefined);
  });
});
