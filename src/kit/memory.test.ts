import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CalmCollector } from './memory.ts';

const MB = 1 << 20;

function heapOf(amounts: number[]) {
  let total = 0;
  const heap = {
    collections: 0,
    allocated: () => {
      total += (amounts.shift() ?? 0) * MB;
      return total;
    },
    collect: () => void heap.collections++,
  };
  return heap;
}

describe('CalmCollector', () => {
  it('counts what the start has left, where that is asked for', () => {
    const heap = { ...heapOf([30, 1, 1]), worth: 8 * MB, atStart: true };
    const collector = new CalmCollector(heap);
    assert.deepEqual([collector.look(), collector.look()], [true, false]);
  });

  for (const [what, amounts, expected] of [
    ['collects once after a burst, when it is over', [0, 90, 90, 1, 0, 0, 0], [false, false, true, false, false]],
    ['leaves a busy thread to V8', [0, 30, 30, 30], [false, false, false]],
    ['does nothing for a little', [0, 1, 1, 1, 1], [false, false, false, false]],
    ['collects at last what came slowly', [0, 7, 7, 7, 7, 0], [false, false, false, true]],
  ] as const) {
    it(what, () => {
      const heap = heapOf([...amounts]);
      const collector = new CalmCollector(heap);
      assert.deepEqual(
        expected.map(() => collector.look()),
        expected,
      );
      assert.equal(heap.collections, expected.filter(Boolean).length);
    });
  }
});
