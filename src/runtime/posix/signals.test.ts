import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { constants } from 'node:os';
import { after, beforeEach, describe, it } from 'node:test';
import type { WasiClock } from '../wasi/core/clocks.ts';
import { Ended, FakePosixGuest } from './fake-guest.ts';

const { SIGTERM, SIGINT, SIGUSR1, SIGCHLD, SIGKILL, SIGSTOP } = constants.signals;
const bit = (signal: number) => 1n << BigInt(signal - 1);
const TAKE = 2;

/** Sleeps take no time; a sleep that nobody should wait for to the end does not end. */
function clock({ forEver = false } = {}): WasiClock {
  let now = 0n;
  return {
    realtime: () => now,
    monotonic: () => now,
    async sleep(ms, { signal } = {}) {
      if (forEver) return void (await once(signal ?? new AbortController().signal, 'abort'));
      now += BigInt(Math.ceil(ms)) * 1_000_000n;
    },
  };
}

let guest: FakePosixGuest;
let out = 0;
beforeEach(async () => {
  guest = await FakePosixGuest.make({ clock: clock() });
  out = guest.space(8);
});
after(() => guest[Symbol.asyncDispose]());

async function action(signal: number, what: number): Promise<string> {
  const errno = await guest.call('signal_action', signal, what, out);
  return errno === 'SUCCESS' ? String(guest.memory.u32(out)) : errno;
}
async function take(): Promise<number> {
  assert.equal(await guest.call('signal_take', out), 'SUCCESS');
  return guest.memory.u32(out);
}
async function raise(signal: number): Promise<string> {
  return guest.call('signal_raise', signal);
}

describe('a signal', () => {
  it('ends the guest that declared nothing for it, with its number', async () => {
    await assert.rejects(
      raise(SIGTERM),
      (error) => error instanceof Ended && error.exit.code === 143 && error.exit.signal === 15,
    );
    await assert.rejects(raise(SIGKILL), (error) => error instanceof Ended && error.exit.code === 137);
    assert.equal(guest.posix.signal('SIGTERM'), 'default');
    assert.equal(await raise(SIGCHLD), 'SUCCESS');
    assert.equal(await raise(0), 'SUCCESS');
  });

  it('is nothing to a guest that ignores it', async () => {
    assert.equal(await action(SIGTERM, 1), '0');
    assert.equal(guest.posix.signal('SIGTERM'), 'taken');
    assert.equal(await take(), 0);
    assert.equal(await action(SIGTERM, 0), '1');
    assert.equal(guest.posix.signal('SIGTERM'), 'default');
  });

  it('is pending once for the guest that takes it up, the lowest first', async () => {
    for (const signal of [SIGTERM, SIGINT]) assert.equal(await action(signal, TAKE), '0');
    assert.equal(guest.posix.signal('SIGTERM'), 'taken');
    assert.equal(guest.posix.signal('SIGTERM'), 'taken');
    assert.equal(await raise(SIGINT), 'SUCCESS');
    assert.equal(await guest.call('signal_pending', out), 'SUCCESS');
    assert.equal(guest.memory.u64(out), bit(SIGTERM) | bit(SIGINT));
    assert.deepEqual([await take(), await take(), await take()], [SIGINT, SIGTERM, 0]);
  });

  it('waits while it is blocked', async () => {
    await action(SIGUSR1, TAKE);
    const mask = async (how: number, set: bigint) => {
      assert.equal(await guest.call('signal_mask', how, set, out), 'SUCCESS');
      return guest.memory.u64(out);
    };
    assert.equal(await mask(0, -1n), 0n);
    const all = (1n << 31n) - 1n;
    assert.equal(await mask(1, 0n), all & ~bit(SIGKILL) & ~bit(SIGSTOP));
    assert.equal(await raise(SIGUSR1), 'SUCCESS');
    assert.equal(await take(), 0);
    await mask(2, bit(SIGINT));
    assert.equal(await take(), SIGUSR1);
    assert.equal(await mask(1, bit(SIGINT)), bit(SIGINT));
  });

  it('is forgotten by a guest that no longer takes it up', async () => {
    await action(SIGTERM, TAKE);
    guest.posix.signal('SIGTERM');
    assert.equal(await action(SIGTERM, 1), String(TAKE));
    assert.equal(await take(), 0);
  });

  it('is refused where it is none', async () => {
    const good = out;
    assert.deepEqual(
      [
        await action(0, TAKE),
        await action(32, TAKE),
        await action(-1, TAKE),
        await action(SIGKILL, TAKE),
        await action(SIGSTOP, 1),
        await action(SIGTERM, 3),
        await raise(32),
        await raise(-1),
        await guest.call('signal_mask', 3, 0n, good),
        await guest.call('signal_action', SIGTERM, TAKE, -1),
        await guest.call('signal_mask', 0, 0n, -1),
        await guest.call('signal_pending', -1),
        await guest.call('signal_take', -1),
        await guest.call('signal_wait', 0n, 0n, -1),
        await guest.call('signal_wait', 0n, -2n, good),
      ],
      [...Array(9).fill('INVAL'), ...Array(5).fill('FAULT'), 'INVAL'],
    );
  });

  it('is not lost by a place that is none', async () => {
    await action(SIGTERM, TAKE);
    guest.posix.signal('SIGTERM');
    assert.equal(await guest.call('signal_take', 2 ** 31), 'FAULT');
    assert.equal(await take(), SIGTERM);
  });
});

describe('signal_wait', () => {
  const wait = async (set: bigint, timeout: bigint) => {
    const result = guest.space(8);
    const errno = await guest.call('signal_wait', set, timeout, result);
    return errno === 'SUCCESS' ? guest.memory.u32(result) : errno;
  };

  it('takes what is pending, or comes, also when it is blocked', async () => {
    guest = await FakePosixGuest.make({ clock: clock({ forEver: true }) });
    out = guest.space(8);
    await action(SIGTERM, TAKE);
    await guest.call('signal_mask', 0, bit(SIGTERM), out);
    guest.posix.signal('SIGTERM');
    assert.equal(await wait(bit(SIGTERM), 0n), SIGTERM);
    for (const timeout of [-1n, 10n ** 12n]) {
      const waiting = wait(bit(SIGTERM), timeout);
      guest.posix.signal('SIGTERM');
      assert.equal(await waiting, SIGTERM);
    }
  });

  it('ends with its time, and by signals that are not in the set', async () => {
    await action(SIGTERM, TAKE);
    await action(SIGINT, TAKE);
    assert.equal(await wait(bit(SIGTERM), 0n), 'AGAIN');
    assert.equal(await wait(bit(SIGTERM), 5_000_000n), 'AGAIN');
    guest = await FakePosixGuest.make({ clock: clock({ forEver: true }) });
    out = guest.space(8);
    await action(SIGINT, TAKE);
    const waiting = wait(bit(SIGTERM), -1n);
    guest.posix.signal('SIGINT');
    assert.equal(await waiting, 'INTR');
    assert.equal(await take(), SIGINT);
  });
});

describe('a call that waits', () => {
  let feed: (bytes: Uint8Array) => void = () => {};
  beforeEach(async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      for (;;) yield await new Promise<Uint8Array>((resolve) => (feed = resolve));
    }
    guest = await FakePosixGuest.make({ clock: clock({ forEver: true }), stdin: source() });
    out = guest.space(8);
    await action(SIGTERM, TAKE);
  });

  /** A clock subscription of an hour, and one for standard input. */
  function poll(count: number): Promise<string> {
    const subscriptions = guest.space(96);
    guest.memory.setU8(subscriptions + 8, 0);
    guest.memory.setU32(subscriptions + 16, 1);
    guest.memory.setU64(subscriptions + 24, 3_600_000_000_000n);
    guest.memory.setU8(subscriptions + 56, 1);
    return guest.call('poll_oneoff', subscriptions, guest.space(64), count, out);
  }

  it('answers EINTR for a poll, and again until the signal is taken up', async () => {
    for (const count of [1, 2]) {
      const polling = poll(count);
      guest.posix.signal('SIGTERM');
      assert.equal(await polling, 'INTR');
      assert.equal(await poll(count), 'INTR');
      assert.equal(await take(), SIGTERM);
    }
  });

  it('goes on with a poll when the signal is blocked or ignored', async () => {
    await action(SIGINT, 1);
    const polling = poll(2);
    guest.posix.signal('SIGINT');
    await new Promise((resolve) => setImmediate(resolve));
    feed(Buffer.from('x'));
    assert.equal(await polling, 'SUCCESS');
  });

  it('answers EINTR for a read that has nothing, and loses nothing that comes later', async () => {
    const list = guest.space(8);
    const buffer = guest.space(16);
    guest.memory.setU32(list, buffer);
    guest.memory.setU32(list + 4, 16);
    const reading = guest.call('fd_read', 0, list, 1, out);
    guest.posix.signal('SIGTERM');
    assert.equal(await reading, 'INTR');
    assert.equal(await take(), SIGTERM);
    feed(Buffer.from('later'));
    assert.equal(await guest.call('fd_read', 0, list, 1, out), 'SUCCESS');
    assert.equal(Buffer.from(guest.memory.bytes(buffer, guest.memory.u32(out))).toString(), 'later');
  });

  it('answers EINTR for an accept and a receive', async () => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    guest = await FakePosixGuest.make({ listeners: [{ server }] });
    out = guest.space(8);
    await action(SIGTERM, TAKE);
    const accepting = guest.call('sock_accept', 3, 0, out);
    guest.posix.signal('SIGTERM');
    assert.equal(await accepting, 'INTR');
    assert.equal(await take(), SIGTERM);
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    assert.equal(await guest.call('sock_accept', 3, 0, out), 'SUCCESS');
    const fd = guest.memory.u32(out);
    const list = guest.space(8);
    guest.memory.setU32(list, guest.space(16));
    guest.memory.setU32(list + 4, 16);
    const receiving = guest.call('sock_recv', fd, list, 1, 0, out, guest.space(8));
    guest.posix.signal('SIGTERM');
    assert.equal(await receiving, 'INTR');
    client.destroy();
    server.close();
    await guest[Symbol.asyncDispose]();
  });
});
