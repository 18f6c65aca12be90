/**
 * TCP sockets bound to one exact address, as descriptors: the node binds for a guest and passes the socket on.
 * `net.Server` could bind too, but gives no descriptor away and listens at once on a handle of its own.
 */
import { closeSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { checked, systemError } from './errno.ts';
import { pointerTo, SYS, syscall } from './ffi.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_FLAGS = 0o4000 | 0o2000000; // non-blocking, closed on execve
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

export interface TcpAddress {
  /** An IPv4 or IPv6 address without zone. */
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

/**
 * A bound, listening, non-blocking socket that closes on execve. Throws a `SystemError`: EADDRINUSE (taken),
 * EADDRNOTAVAIL (not an address of this machine), EACCES (a port below `net.ipv4.ip_unprivileged_port_start`).
 * SO_REUSEADDR is set, so that a port whose last connections are in TIME_WAIT can be had again.
 */
export function listenTcp({ address, port, backlog = 511 }: TcpAddress & { readonly backlog?: number }): number {
  const fd = bindTcp({ address, port });
  const result = syscall(SYS.listen, fd, backlog);
  if (result < 0) {
    closeSync(fd);
    throw systemError(result, `listen ${address}:${port}`);
  }
  return fd;
}

/** Binds and lets go: throws what `listenTcp` would throw at this moment, for most reasons. */
export function probeTcp(address: TcpAddress): void {
  closeSync(listenTcp({ ...address, backlog: 1 }));
}

/** Address and port that a socket is bound to. */
export function boundTo(fd: number): TcpAddress {
  const bytes = new Uint8Array(28);
  const length = new Uint32Array([28]);
  checked(syscall(SYS.getsockname, fd, pointerTo(bytes), pointerTo(length)), 'getsockname');
  const view = new DataView(bytes.buffer);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) return { address: bytes.subarray(4, 8).join('.'), port };
  if (family !== AF_INET6) throw systemError(97, 'getsockname');
  const groups = Array.from({ length: 8 }, (_, at) => view.getUint16(8 + 2 * at).toString(16));
  return { address: new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1), port };
}

function bindTcp({ address, port }: TcpAddress): number {
  const family = isIPv4(address) ? AF_INET : AF_INET6;
  const name = family === AF_INET ? address4(address, port) : address6(address, port);
  const fd = checked(syscall(SYS.socket, family, SOCK_STREAM | SOCK_FLAGS, 0), 'socket');
  try {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR);
    if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    checked(syscall(SYS.bind, fd, pointerTo(name), name.byteLength), `bind ${address}:${port}`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function setOption(fd: number, level: number, option: number): void {
  const one = new Int32Array([1]);
  checked(syscall(SYS.setsockopt, fd, level, option, pointerTo(one), 4), 'setsockopt');
}

function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`'${port}' is not a TCP port`);
}

function address4(address: string, port: number): Uint8Array {
  checkPort(port);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

function address6(address: string, port: number): Uint8Array {
  checkPort(port);
  if (isIP(address) !== 6 || address.includes('%')) throw new TypeError(`'${address}' is not an IP address`);
  const bytes = new Uint8Array(28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  // The URL parser writes every form (with `::`, with a dotted tail) as hexadecimal groups and at most one `::`.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  groups.forEach((group, at) => void view.setUint16(8 + 2 * at, Number.parseInt(group, 16)));
  return bytes;
}
