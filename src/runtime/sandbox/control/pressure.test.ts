import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { boundOf, type Candidate, chooseToEnd } from './pressure.ts';

const MIB = 1024 * 1024;
const full = { residentBytes: 101, boundBytes: 100 };
const guest = (key: string, memoryBytes: number, limits: Candidate['limits'] = {}): Candidate => ({
  key,
  memoryBytes,
  limits,
});

describe('chooseToEnd()', () => {
  it('ends nobody while there is room, or where nobody has memory', () => {
    assert.equal(chooseToEnd([guest('a', 5)], { residentBytes: 100, boundBytes: 100 }), undefined);
    assert.equal(chooseToEnd([guest('a', 0)], full), undefined);
    assert.equal(chooseToEnd([], full), undefined);
  });

  it('ends the class that promised least first, and in it the largest', () => {
    const guaranteed = guest('guaranteed', 900 * MIB, { memoryBytes: 1024 * MIB, cpuMillis: 100, cpuShares: 102 });
    const burstable = guest('burstable', 500 * MIB, { memoryBytes: 1024 * MIB });
    const requested = guest('requested', 400 * MIB, { cpuShares: 512 });
    const small = guest('small', MIB, { cpuShares: 2 });
    const large = guest('large', 2 * MIB);
    const all = [guaranteed, burstable, requested, small, large];
    const order: string[] = [];
    for (let left = all; left.length > 0; left = left.filter(({ key }) => key !== order.at(-1)))
      order.push(chooseToEnd(left, full) ?? '');
    assert.deepEqual(order, ['large', 'small', 'burstable', 'requested', 'guaranteed']);
  });

  it('leaves the machine a part of its memory', () => {
    assert.equal(boundOf(1000), 850);
    assert.equal(boundOf(0), Number.POSITIVE_INFINITY);
  });
});
