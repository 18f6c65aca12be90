import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Clock, FakeClock } from '#kit';
import { MOST_MISSED, PING_MS, type Progress, progressOf, watchHeartbeat } from './heartbeat.ts';

const never = () => new Promise<never>(() => {});
const waits: Progress = { state: 'S', ticks: 7 };

/** Watches, and tells what came of it so far. */
function watched(options: { ping: () => Promise<unknown>; progress?: () => Progress | undefined; clock?: Clock }) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const seen: { hung: boolean | undefined } = { hung: undefined };
  void watchHeartbeat({ clock, signal: stop.signal, progress: () => waits, ...options }).then((hung) => {
    seen.hung = hung;
  });
  return { clock, seen, stop };
}

describe('watchHeartbeat()', () => {
  it('calls a sandbox hung that answers nothing for as many beats as there is patience', async () => {
    const { clock, seen } = watched({ ping: never });
    await clock.advance(PING_MS + (MOST_MISSED - 1) * 1000 + 500);
    assert.equal(seen.hung, undefined);
    await clock.advance(1000);
    assert.equal(seen.hung, true);
  });

  it('goes on while it answers, however late', async () => {
    const { clock, seen, stop } = watched({ ping: () => clock.sleep(10_000) });
    await clock.advance(300_000);
    assert.equal(seen.hung, undefined);
    stop.abort();
    await clock.advance(0);
    assert.equal(seen.hung, false);
  });

  it('does not count beats in which the thread wanted the processor and got none', async () => {
    let progress: Progress = { state: 'R', ticks: 7 };
    const { clock, seen } = watched({ ping: never, progress: () => progress });
    await clock.advance(600_000);
    assert.equal(seen.hung, undefined);
    // It runs, and still answers nothing: a loop without end.
    let ticks = 7;
    progress = {
      state: 'R',
      get ticks() {
        return ++ticks;
      },
    };
    await clock.advance(PING_MS + (MOST_MISSED + 1) * 1000);
    assert.equal(seen.hung, true);
  });

  it('takes a jump of the clock for one beat', async () => {
    // A machine that sleeps for an hour in each of the first ten beats.
    const clock = new FakeClock();
    let beats = 0;
    const jumping: Clock = {
      now: () => clock.now() + 3_600_000 * beats,
      monotonic: () => clock.monotonic() + 3_600_000 * beats,
      sleep: (ms, options) => clock.sleep(ms, options).then(() => void beats++),
    };
    const { seen } = watched({ ping: () => clock.sleep(10_500), clock: jumping });
    await clock.advance(60_000);
    assert.equal(seen.hung, undefined);
  });

  it('ends with the connection', async () => {
    const { clock, seen } = watched({ ping: () => Promise.reject(new Error('gone')) });
    await clock.advance(PING_MS);
    assert.equal(seen.hung, false);
  });
});

describe('progressOf()', () => {
  it('reads the thread that answers, and knows no process that is gone', () => {
    assert.equal(progressOf(process.pid)?.state, 'R');
    assert.equal(progressOf(4_194_305), undefined);
  });
});
