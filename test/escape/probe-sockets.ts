/** Native attempts to reach others by sockets; see `probe.ts`. Sockets cannot be made at all, so each ends at the first step. */
import { pointerTo, syscall } from '../../src/kit/os/mod.ts';
import type { Native } from './probe.ts';

function unixAddress(name: string): Uint8Array {
  const bytes = new Uint8Array(110);
  bytes[0] = 1;
  Buffer.from(name).copy(bytes, 2);
  return bytes;
}

function inet(port: number, address: readonly number[]): Uint8Array {
  return Uint8Array.from([2, 0, port >> 8, port & 0xff, ...address, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/** With a socket of that kind, however it was come by. */
function withSocket(domain: number, type: number, call: (fd: number) => number): number {
  const fd = syscall(41, domain, type, 0);
  return fd < 0 ? fd : call(fd);
}

function send(address: Uint8Array): number {
  const data = new Uint8Array(4);
  return withSocket(1, 2, (fd) => syscall(44, fd, pointerTo(data), 4, 0, pointerTo(address), address.byteLength));
}

function sendByPair(type: number): number {
  const pair = new Int32Array(2);
  const made = syscall(53, 1, type, 0, pointerTo(pair));
  if (made < 0) return made;
  const data = new Uint8Array(4);
  const address = unixAddress('/run/systemd/notify');
  return syscall(44, pair[0] ?? -1, pointerTo(data), 4, 0, pointerTo(address), address.byteLength);
}

export const SOCKETS: readonly Native[] = [
  ...(
    [
      ['TCP', 2, 1],
      ['UDP', 2, 2],
      ['TCP over IPv6', 10, 1],
      ['raw', 2, 3],
      ['netlink', 16, 3],
      ['packets', 17, 3],
      ['vsock', 40, 1],
      ['the kernel’s ciphers', 38, 5],
    ] as const
  ).map(
    ([name, domain, type]): Native => ({
      area: 'sockets',
      name: `a socket: ${name}`,
      call: () => syscall(41, domain, type, 0),
    }),
  ),
  { area: 'sockets', name: 'connect to 169.254.169.254', call: () => connected(inet(80, [169, 254, 169, 254])) },
  { area: 'sockets', name: "connect to the node's API on loopback", call: () => connected(inet(6443, [127, 0, 0, 1])) },
  {
    area: 'sockets',
    name: "connect to another sandbox's socket",
    call: ({ dataDir }) => unixConnect(`${dataDir}/sandboxes/x/c`),
  },
  { area: 'sockets', name: 'connect to an abstract socket', call: () => unixConnect('\0wasmlet-escape') },
  {
    area: 'sockets',
    name: 'send to a socket of the system, unconnected',
    call: () => send(unixAddress('/run/systemd/notify')),
  },
  {
    area: 'sockets',
    name: 'send to an abstract socket, unconnected',
    call: () => send(unixAddress('\0wasmlet-escape')),
  },
  { area: 'sockets', name: 'send to a socket of the system by a pair', call: () => sendByPair(2) },
  { area: 'sockets', name: 'send to a socket of the system by a raw pair', call: () => sendByPair(3) },
  {
    area: 'sockets',
    name: 'bind a socket in its own folder',
    call: ({ own }) => withSocket(1, 1, (fd) => bound(fd, unixAddress(`${own}/s`.slice(-100)))),
  },
  {
    area: 'sockets',
    name: 'bind an abstract socket',
    call: () => withSocket(1, 1, (fd) => bound(fd, unixAddress('\0wasmlet-bound'))),
  },
];

function connected(address: Uint8Array): number {
  return withSocket(2, 1 | 0o4000, (fd) => syscall(42, fd, pointerTo(address), 16));
}

function unixConnect(name: string): number {
  const address = unixAddress(name.slice(0, 107));
  return withSocket(1, 1, (fd) => syscall(42, fd, pointerTo(address), address.byteLength));
}

function bound(fd: number, address: Uint8Array): number {
  return syscall(49, fd, pointerTo(address), address.byteLength);
}
