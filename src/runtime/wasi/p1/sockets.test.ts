import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { FakeClock } from '#kit';
import type { WasiOptions } from '../contract.ts';
import { wasiClockFrom } from '../core/clocks.ts';
import { FDFLAGS, FILETYPE, RIGHTS } from '../core/descriptor.ts';
import { ERRNO } from '../core/errno.ts';
import { FakeGuest } from './fake-guest.ts';
import { UNSTABLE } from './layout.ts';

// A unix socket: what the host does with a connection is the same, and no network is needed.
const root = mkdtempSync(join(tmpdir(), 'wasmlet-sock-'));
after(() => rmSync(root, { recursive: true, force: true }));
let server: Server;
const peers: Socket[] = [];
beforeEach(async () => {
  server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(join(root, 'socket'));
  await once(server, 'listening');
});
afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  server.close();
});

const LISTENER = 3;
const PEEK = 1;
const WAITALL = 2;
const SHUT_RD = 1;
const SHUT_WR = 2;

function guestWith(options: WasiOptions = {}): FakeGuest {
  return new FakeGuest({ listeners: [{ server, name: 'http' }], ...options });
}

async function peer(): Promise<Socket> {
  const socket = connect({ path: join(root, 'socket'), allowHalfOpen: true });
  socket.on('error', () => {});
  peers.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function accept(guest: FakeGuest, flags = 0): Promise<number> {
  const result = guest.space(4);
  assert.equal(await guest.call('sock_accept', LISTENER, flags, result), 0);
  return guest.memory.u32(result);
}

async function receive(guest: FakeGuest, fd: number, bytes: number, flags = 0): Promise<string> {
  const buffers = guest.buffers(bytes);
  const size = guest.space(8);
  assert.equal(await guest.call('sock_recv', fd, ...buffers, flags, size, size + 4), 0);
  return guest.textOf(buffers).slice(0, guest.memory.u32(size));
}

function received(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
  });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('listeners', () => {
  it('come before the preopens, with a prestat that libcs step over', async () => {
    await using guest = guestWith({ preopens: [{ guestPath: '/data', hostPath: root }] });
    const stat = guest.space(24);
    assert.equal(await guest.call('fd_prestat_get', LISTENER, stat), 0);
    assert.equal(guest.memory.u8(stat), 1);
    assert.equal(await guest.call('fd_prestat_dir_name', LISTENER, stat, 8), ERRNO.NOTDIR);
    assert.equal(await guest.call('fd_prestat_get', LISTENER + 1, stat), 0);
    assert.equal(guest.memory.u8(stat), 0);
    assert.equal(await guest.call('fd_fdstat_get', LISTENER, stat), 0);
    assert.equal(guest.memory.u8(stat), FILETYPE.SOCKET_STREAM);
  });

  it('sock_accept waits for a connection that comes later', async () => {
    await using guest = guestWith();
    const accepting = accept(guest);
    await peer();
    assert.equal(await accepting, 4);
  });

  it('sock_accept does not wait for a guest that looked at the flags, or set them', async () => {
    await using guest = guestWith();
    const stat = guest.space(24);
    await guest.call('fd_fdstat_get', LISTENER, stat);
    assert.equal(guest.memory.u16(stat + 2), FDFLAGS.NONBLOCK);
    assert.equal(await guest.call('sock_accept', LISTENER, 0, stat), ERRNO.AGAIN);
    assert.equal(await guest.call('fd_fdstat_set_flags', LISTENER, 0), 0);
    const accepting = accept(guest);
    await peer();
    assert.ok((await accepting) > LISTENER);
  });

  it('refuse what they cannot do', async () => {
    await using guest = guestWith();
    const out = guest.space(8);
    assert.equal(await guest.call('sock_accept', 1, 0, out), ERRNO.NOTSOCK);
    assert.equal(await guest.call('sock_accept', 55, 0, out), ERRNO.BADF);
    assert.equal(await guest.call('sock_accept', LISTENER, 1 << 8, out), ERRNO.INVAL);
    assert.equal(await guest.call('sock_recv', LISTENER, ...guest.buffers(1), 0, out, out + 4), ERRNO.NOTCONN);
    assert.equal(await guest.call('sock_send', LISTENER, ...guest.buffers('x'), 0, out), ERRNO.NOTCONN);
    assert.equal(await guest.call('fd_read', LISTENER, ...guest.buffers(1), out), ERRNO.NOTCONN);
    assert.equal(await guest.call('sock_shutdown', LISTENER, 1), ERRNO.NOTCONN);
    assert.equal(await guest.call('sock_recv', 1, ...guest.buffers(1), 0, out, out + 4), ERRNO.NOTSOCK);
    assert.equal(await guest.call('sock_send', 99, ...guest.buffers('x'), 0, out), ERRNO.BADF);
  });

  it('close connections beyond the queue, and those that nobody accepts', async () => {
    const guest = guestWith({ limits: { backlog: 1 } });
    const kept = await peer();
    kept.resume();
    const refused = await peer();
    await once(refused.resume(), 'end');
    assert.ok(!kept.readableEnded);
    await guest[Symbol.asyncDispose]();
    await once(kept, 'end');
  });
});

describe('connections', () => {
  it('sock_recv and sock_send move bytes; the end is 0', async () => {
    await using guest = guestWith();
    const client = await peer();
    const fd = await accept(guest);
    client.end('hello');
    assert.equal(await receive(guest, fd, 3), 'hel');
    assert.equal(await receive(guest, fd, 10), 'lo');
    assert.equal(await receive(guest, fd, 10), '');
    const answer = received(client);
    const sent = guest.space(4);
    assert.equal(await guest.call('sock_send', fd, ...guest.buffers('good', 'bye'), 0, sent), 0);
    assert.equal(guest.memory.u32(sent), 7);
    assert.equal(await guest.call('fd_close', fd), 0);
    assert.equal(await answer, 'goodbye');
  });

  it('fd_read and fd_write are the same', async () => {
    await using guest = guestWith();
    const client = await peer();
    const fd = await accept(guest);
    client.write('ping');
    const buffers = guest.buffers(8);
    const size = guest.space(4);
    assert.equal(await guest.call('fd_read', fd, ...buffers, size), 0);
    assert.equal(guest.textOf(buffers), 'ping');
    assert.equal(await guest.call('fd_write', fd, ...guest.buffers('pong'), size), 0);
    assert.equal(String((await once(client, 'data'))[0]), 'pong');
    assert.equal(await guest.call('fd_seek', fd, 0n, 0, guest.space(8)), ERRNO.SPIPE);
    assert.equal(await guest.call('fd_pread', fd, ...buffers, 0n, size), ERRNO.SPIPE);
  });

  it('peek leaves the bytes, waitall waits for all of them', async () => {
    await using guest = guestWith();
    const client = await peer();
    const fd = await accept(guest);
    client.write('abc');
    assert.equal(await receive(guest, fd, 3, PEEK), 'abc');
    const waiting = receive(guest, fd, 6, WAITALL);
    await turn();
    client.write('def');
    assert.equal(await waiting, 'abcdef');
    const out = guest.space(8);
    assert.equal(await guest.call('sock_recv', fd, ...guest.buffers(1), 8, out, out + 4), ERRNO.INVAL);
    assert.equal(await guest.call('sock_send', fd, ...guest.buffers('x'), 1, out), ERRNO.NOTSUP);
  });

  it('do not wait when they are non-blocking', async () => {
    await using guest = guestWith();
    await peer();
    const fd = await accept(guest, FDFLAGS.NONBLOCK);
    const out = guest.space(8);
    assert.equal(await guest.call('sock_recv', fd, ...guest.buffers(1), 0, out, out + 4), ERRNO.AGAIN);
    assert.equal(await guest.call('fd_fdstat_set_flags', fd, 0), 0);
    assert.equal(await guest.call('fd_fdstat_get', fd, guest.space(24)), 0);
  });

  it('make a guest wait whose peer does not read, and hold no more than the limit', async () => {
    await using guest = guestWith({ limits: { socketBytes: 4096 } });
    const client = await peer();
    const fd = await accept(guest, FDFLAGS.NONBLOCK);
    const buffers = guest.buffers(50_000);
    const sent = guest.space(4);
    let total = 0;
    let errno = 0;
    for (let calls = 0; calls < 1000 && errno === 0; calls++) {
      errno = await guest.call('sock_send', fd, ...buffers, 0, sent);
      if (errno === 0) total += guest.memory.u32(sent);
    }
    assert.equal(errno, ERRNO.AGAIN);
    await guest.call('fd_fdstat_set_flags', fd, 0);
    const waiting = guest.call('sock_send', fd, ...guest.buffers('last'), 0, sent);
    const all = received(client);
    assert.equal(await waiting, 0);
    await guest.call('fd_close', fd);
    assert.equal((await all).length, total + 4);
  });

  it('sock_shutdown ends one direction', async () => {
    await using guest = guestWith();
    const client = await peer();
    const fd = await accept(guest);
    const end = once(client, 'end');
    client.resume();
    assert.equal(await guest.call('sock_shutdown', fd, 0), ERRNO.INVAL);
    assert.equal(await guest.call('sock_shutdown', fd, 4), ERRNO.INVAL);
    assert.equal(await guest.call('sock_shutdown', fd, SHUT_WR), 0);
    await end;
    assert.equal(await guest.call('sock_send', fd, ...guest.buffers('x'), 0, guest.space(4)), ERRNO.PIPE);
    client.write('still');
    assert.equal(await receive(guest, fd, 10), 'still');
    assert.equal(await guest.call('sock_shutdown', fd, SHUT_RD), 0);
    assert.equal(await receive(guest, fd, 10), '');
    assert.equal(await guest.call('sock_shutdown', 1, SHUT_RD), ERRNO.NOTSOCK);
    assert.equal(await guest.call('sock_shutdown', 88, SHUT_RD), ERRNO.BADF);
  });
});

interface Wanted {
  kind: 0 | 1 | 2;
  fd?: number;
  clock?: number;
  timeout?: bigint;
  absolute?: boolean;
}

/** Lays subscriptions out as the snapshot wants them, calls, and reads `userdata:type:errno` of each event. */
async function poll(guest: FakeGuest, wanted: readonly Wanted[], unstable = false): Promise<string[] | number> {
  const bytes = unstable ? 56 : 48;
  const clockAt = unstable ? 24 : 16;
  const subscriptions = guest.space(wanted.length * bytes);
  for (const [index, { kind, fd = 0, clock = 1, timeout = 0n, absolute = false }] of wanted.entries()) {
    const at = subscriptions + index * bytes;
    guest.memory.setU64(at, BigInt(index));
    guest.memory.setU8(at + 8, kind);
    if (kind !== 0) guest.memory.setU32(at + 16, fd);
    else {
      guest.memory.setU32(at + clockAt, clock);
      guest.memory.setU64(at + clockAt + 8, timeout);
      guest.memory.setU16(at + clockAt + 24, absolute ? 1 : 0);
    }
  }
  const events = guest.space(Math.max(1, wanted.length) * 32);
  const count = guest.space(4);
  const errno = await guest.call('poll_oneoff', subscriptions, events, wanted.length, count);
  if (errno !== 0) return errno;
  return Array.from({ length: guest.memory.u32(count) }, (_, index) => {
    const at = events + index * 32;
    return `${guest.memory.u64(at)}:${guest.memory.u8(at + 10)}:${guest.memory.u16(at + 8)}`;
  });
}

describe('poll_oneoff', () => {
  const ms = 1_000_000n;

  it('sleeps for a duration or until a time, in both layouts, without holding the thread', async () => {
    for (const layout of [undefined, UNSTABLE]) {
      const clock = new FakeClock();
      await using guest = new FakeGuest({ clock: wasiClockFrom(clock) }, layout);
      const kinds = [
        () => ({ timeout: 30n * ms }),
        () => ({ clock: 0, timeout: BigInt(clock.now() + 30) * ms, absolute: true }),
        () => ({ clock: 0, timeout: 5n * ms }),
      ];
      for (const kind of kinds) {
        let done: string[] | number | undefined;
        void poll(guest, [{ kind: 0, ...kind() }], layout !== undefined).then((events) => {
          done = events;
        });
        await clock.advance(3);
        assert.ok(done === undefined);
        await clock.advance(30);
        assert.deepEqual(done, ['0:0:0']);
      }
    }
  });

  it('answers at once when something is ready, with everything that is', async () => {
    writeFileSync(join(root, 'file'), 'x');
    await using guest = guestWith({ preopens: [{ guestPath: '/data', hostPath: root }] });
    const fd = guest.space(4);
    await guest.call('path_open', 4, 0, ...guest.bytes('file'), 0, RIGHTS.FD_READ | RIGHTS.FD_WRITE, 0n, 0, fd);
    const file = guest.memory.u32(fd);
    const wanted: Wanted[] = [
      { kind: 0, timeout: 1000n * ms },
      { kind: 1, fd: 0 },
      { kind: 2, fd: 1 },
      { kind: 1, fd: file },
      { kind: 2, fd: file },
      { kind: 1, fd: LISTENER },
      { kind: 0, timeout: 0n },
    ];
    assert.deepEqual(await poll(guest, wanted), ['1:1:0', '2:2:0', '3:1:0', '4:2:0', '6:0:0']);
  });

  it('tells an unknown descriptor in its event, and an unreadable one too', async () => {
    await using guest = guestWith();
    assert.deepEqual(
      await poll(guest, [
        { kind: 1, fd: 70 },
        { kind: 1, fd: 1 },
      ]),
      [`0:1:${ERRNO.BADF}`, `1:1:${ERRNO.BADF}`],
    );
  });

  it('wakes for a connection, then for its bytes, then for its end', async () => {
    await using guest = guestWith();
    const waiting = poll(guest, [{ kind: 1, fd: LISTENER }]);
    const client = await peer();
    assert.deepEqual(await waiting, ['0:1:0']);
    const fd = await accept(guest);
    const bytes = poll(guest, [
      { kind: 1, fd },
      { kind: 0, timeout: 60_000n * ms },
    ]);
    client.write('x');
    assert.deepEqual(await bytes, ['0:1:0']);
    assert.deepEqual(await poll(guest, [{ kind: 2, fd }]), ['0:2:0']);
    assert.equal(await receive(guest, fd, 5), 'x');
    const end = poll(guest, [{ kind: 1, fd }]);
    client.end();
    assert.deepEqual(await end, ['0:1:0']);
  });

  it('wakes for input on stdin', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    async function* source(): AsyncGenerator<Uint8Array> {
      await promise;
      yield Buffer.from('typed');
    }
    await using guest = guestWith({ stdin: source() });
    const waiting = poll(guest, [{ kind: 1, fd: 0 }]);
    resolve();
    assert.deepEqual(await waiting, ['0:1:0']);
  });

  it('refuses none, too many, unknown kinds and clocks, and bad pointers', async () => {
    await using guest = guestWith({ limits: { subscriptions: 2 } });
    assert.equal(await poll(guest, []), ERRNO.INVAL);
    assert.equal(await poll(guest, [{ kind: 0 }, { kind: 0 }, { kind: 0 }]), ERRNO.INVAL);
    assert.equal(await poll(guest, [{ kind: 9 as 0 }]), ERRNO.INVAL);
    assert.equal(await poll(guest, [{ kind: 0, clock: 3 }]), ERRNO.INVAL);
    assert.equal(await guest.call('poll_oneoff', 0xffff_ff00, 0, 2, 0), ERRNO.FAULT);
    assert.equal(await guest.call('poll_oneoff', 0, 0xffff_ff00, 2, 0), ERRNO.FAULT);
  });
});
