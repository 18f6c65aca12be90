import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLog, defineErrors, delayOf, FakeClock, KeyedQueue, messageOf } from './mod.ts';

describe('delayOf()', () => {
  it('doubles from the base to the cap', () => {
    const backoff = { base: 10_000, factor: 2, cap: 300_000 };
    assert.deepEqual(
      [0, 1, 2, 4, 5, 90].map((attempt) => delayOf(backoff, attempt)),
      [10_000, 20_000, 40_000, 160_000, 300_000, 300_000],
    );
  });
});

describe('FakeClock', () => {
  it('wakes sleepers in order of their deadlines and lets none wake early', async () => {
    const clock = new FakeClock();
    const woken: string[] = [];
    void clock.sleep(20).then(() => woken.push('b'));
    void clock.sleep(10).then(() => woken.push('a'));
    void clock.sleep(30).then(() => woken.push('c'));
    await clock.advance(25);
    assert.deepEqual(woken, ['a', 'b']);
    assert.equal(clock.sleeping, 1);
  });

  it('rejects a sleeper whose signal is aborted', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const sleeping = clock.sleep(10, { signal: stop.signal });
    stop.abort(new Error('stopped'));
    await assert.rejects(sleeping, /stopped/);
  });
});

describe('KeyedQueue', () => {
  it('runs one task a key at a time and keeps only the latest waiting value', async () => {
    const ran: string[] = [];
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const queue = new KeyedQueue<string, number>(
      async (key, value) => {
        ran.push(`${key}${value}`);
        if (value === 1) await gate;
      },
      () => assert.fail('no task fails here'),
    );
    queue.push('a', 1);
    await new Promise((resolve) => setImmediate(resolve));
    queue.push('a', 2);
    queue.push('a', 3);
    queue.push('b', 9);
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await queue.idle();
    assert.deepEqual(ran, ['a1', 'b9', 'a3']);
  });

  it('goes on with a key after its task failed', async () => {
    const failures: unknown[] = [];
    const queue = new KeyedQueue<string, number>(
      async (_key, value) => {
        if (value === 1) throw new Error('one');
      },
      (_key, error) => failures.push(error),
    );
    queue.push('a', 1);
    await queue.idle();
    queue.push('a', 2);
    await queue.idle();
    assert.equal(failures.length, 1);
  });
});

describe('messageOf()', () => {
  it('joins the messages of the causes without saying one twice', () => {
    const cause = new Error('connection refused');
    assert.equal(messageOf(new Error('Cannot pull', { cause })), 'Cannot pull: connection refused');
    assert.equal(messageOf(new Error('Cannot pull: connection refused', { cause })), 'Cannot pull: connection refused');
  });
});

describe('defineErrors()', () => {
  it('makes errors that carry their code, and lets one call say that a retry helps', () => {
    const make = defineErrors({ KIT_SAMPLE: { retry: 'never', blame: 'user' } });
    const error = make('KIT_SAMPLE', 'Cannot do', { retry: 'later', hint: 'wait' });
    assert.deepEqual([error.code, error.retry, error.blame, error.hint], ['KIT_SAMPLE', 'later', 'user', 'wait']);
  });
});

describe('createLog()', () => {
  it('keeps foreign line breaks from forging a second line', () => {
    const lines: string[] = [];
    createLog({ write: (line) => lines.push(line), now: () => 0 }).info('a\nb', { pod: 'x\ny' });
    assert.deepEqual(lines, ['1970-01-01T00:00:00.000Z info  a b pod="x\\ny"\n']);
  });
});
