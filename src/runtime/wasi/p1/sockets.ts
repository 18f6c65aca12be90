/** `sock_*` and `poll_oneoff`: waiting, and TCP over listeners that were there before the guest. */
import { FDFLAGS } from '../core/descriptor.ts';
import { fail } from '../core/errno.ts';
import { type PollEvent, poll } from '../core/poll.ts';
import { Connection, ListenerSocket } from '../core/sockets.ts';
import { after, knownFlags, type P1Context, type P1Functions, readBuffers } from './context.ts';
import type { Layout } from './layout.ts';

const RECV_PEEK = 1;
const RECV_WAITALL = 2;
const SHUT_RD = 1;
const SHUT_WR = 2;
const EVENT_BYTES = 32;
const EVENT_TYPES = { clock: 0, read: 1, write: 2 } as const;
const HANGUP = 1;

export function socketFunctions(context: P1Context, layout: Layout): P1Functions {
  return { ...streamFunctions(context), ...pollFunctions(context, layout) };
}

function streamFunctions(context: P1Context): P1Functions {
  const { memory, table } = context;
  return {
    sock_accept(fd: number, flags: number, result: number) {
      const listener = table.get(fd);
      if (!(listener instanceof ListenerSocket)) throw fail(listener instanceof Connection ? 'INVAL' : 'NOTSOCK');
      memory.setU32(result, 0);
      table.reserve();
      const nonBlocking = (knownFlags(flags, 31) & FDFLAGS.NONBLOCK) !== 0;
      return after(listener.accept({ nonBlocking }), (connection) => memory.setU32(result, table.add(connection)));
    },
    sock_recv(fd: number, buffers: number, count: number, flags: number, size: number, outFlags: number) {
      const connection = connectionOf(context, fd);
      const known = knownFlags(flags, RECV_PEEK | RECV_WAITALL);
      const options = { peek: (known & RECV_PEEK) !== 0, all: (known & RECV_WAITALL) !== 0 };
      memory.setU16(outFlags, 0);
      memory.setU32(size, 0);
      return after(connection.receive(readBuffers(context, buffers, count), options), (n) => memory.setU32(size, n));
    },
    sock_send(fd: number, buffers: number, count: number, flags: number, size: number) {
      const connection = connectionOf(context, fd);
      if (flags !== 0) throw fail('NOTSUP');
      return after(connection.send(readBuffers(context, buffers, count)), (n) => memory.setU32(size, n));
    },
    sock_shutdown(fd: number, how: number) {
      const connection = connectionOf(context, fd);
      if (knownFlags(how, SHUT_RD | SHUT_WR) === 0) throw fail('INVAL');
      connection.shutdown({ read: (how & SHUT_RD) !== 0, write: (how & SHUT_WR) !== 0 });
    },
  };
}

function connectionOf({ table }: P1Context, fd: number): Connection {
  const descriptor = table.get(fd);
  if (descriptor instanceof Connection) return descriptor;
  throw fail(descriptor instanceof ListenerSocket ? 'NOTCONN' : 'NOTSOCK');
}

function pollFunctions(context: P1Context, layout: Layout): P1Functions {
  const { memory, table, clock, limits } = context;
  return {
    poll_oneoff(subscriptions: number, events: number, count: number, result: number) {
      const number = count >>> 0;
      if (number === 0 || number > limits.subscriptions) throw fail('INVAL');
      memory.bytes(events, number * EVENT_BYTES);
      memory.setU32(result, 0);
      const all = Array.from({ length: number }, (_, index) =>
        layout.readSubscription(memory, (subscriptions >>> 0) + index * layout.subscriptionBytes),
      );
      const happened = poll(all, { clock, ended: context.ended, descriptor: (fd) => table.get(fd) });
      return after(happened, (list) => writeEvents(context, { events: events >>> 0, result }, list));
    },
  };
}

function writeEvents(
  { memory }: P1Context,
  out: { events: number; result: number },
  happened: readonly PollEvent[],
): void {
  for (const [index, { userdata, errno, kind, bytes, hangup }] of happened.entries()) {
    const at = out.events + index * EVENT_BYTES;
    memory.setU64(at, userdata);
    memory.setU32(at + 8, errno | (EVENT_TYPES[kind] << 16));
    memory.setU64(at + 16, BigInt(bytes));
    memory.setU64(at + 24, hangup ? BigInt(HANGUP) : 0n);
  }
  memory.setU32(out.result, happened.length);
}
