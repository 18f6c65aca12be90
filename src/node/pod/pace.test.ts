import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock } from '#kit';
import { Pace } from './pace.ts';

describe('Pace', () => {
  it('lets so many begin, the next when one is done, in order', async () => {
    const pace = new Pace(new FakeClock(), { atOnce: 2 });
    const begun: number[] = [];
    const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    const all = ends.map(({ promise }, at) =>
      pace.run(async () => {
        begun.push(at);
        await promise;
      }),
    );
    await Promise.resolve();
    assert.deepEqual(begun, [0, 1]);
    ends[1]?.resolve();
    await all[1];
    await Promise.resolve();
    assert.deepEqual(begun, [0, 1, 2]);
    for (const { resolve } of ends) resolve();
    await Promise.all(all);
    assert.deepEqual(begun, [0, 1, 2, 3]);
  });

  it('waits for nobody that takes long', async () => {
    const clock = new FakeClock();
    const pace = new Pace(clock, { atOnce: 1 });
    const slow = Promise.withResolvers<void>();
    const first = pace.run(() => slow.promise);
    let second = false;
    const next = pace.run(async () => {
      second = true;
    });
    await clock.advance(149);
    assert.equal(second, false);
    await clock.advance(1);
    assert.equal(second, true);
    slow.resolve();
    await Promise.all([first, next]);
  });

  it('goes on after work that fails', async () => {
    const pace = new Pace(new FakeClock(), { atOnce: 1 });
    await assert.rejects(pace.run(() => Promise.reject(new Error('no'))));
    await pace.run(async () => {});
  });
});
