import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventOrder } from './event-order.ts';

describe('EventOrder', () => {
  function order() {
    const done: number[] = [];
    const events = new EventOrder();
    return { done, events, take: (event: number) => events.take(event, () => done.push(event)) };
  }

  it('takes events in turn, those that are known not again, and none after a gap', () => {
    const { done, take } = order();
    assert.deepEqual([take(1), take(2), take(2), take(1), take(3)], Array(5).fill(undefined));
    assert.deepEqual(done, [1, 2, 3]);
    assert.equal(take(5), 'event 5 follows event 3');
    assert.deepEqual(done, [1, 2, 3]);
  });

  it('holds back what comes before the snapshot, and goes on from its number', () => {
    const { done, events, take } = order();
    events.hold();
    assert.deepEqual([take(22), take(23), take(24)], Array(3).fill(undefined));
    assert.deepEqual(done, []);
    assert.equal(events.release(23), undefined);
    assert.deepEqual(done, [24]);
    assert.equal(take(25), undefined);
  });

  it('says what is wrong with what it held', () => {
    const { events, take } = order();
    events.hold();
    take(9);
    assert.equal(events.release(7), 'event 9 follows event 7');
  });

  it('holds back no more than a snapshot’s answer may take', () => {
    const { events, take } = order();
    events.hold();
    for (let event = 1; event <= 100_000; event++) take(event);
    assert.match(take(100_001) ?? '', /before its snapshot/);
  });
});
