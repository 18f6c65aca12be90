/**
 * Descriptors that travel between processes: SOCK_SEQPACKET unix sockets whose packets carry a 16-byte token and one
 * descriptor (SCM_RIGHTS). Node's own pipes read descriptors and drop them, so these calls are made by hand.
 *
 * Nothing here waits: who sends, sends before it tells the other side by another way, so the packet is there already.
 * Layouts: Linux `include/linux/socket.h` (msghdr, cmsghdr), `include/uapi/linux/un.h`; 64-bit little-endian systems.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { checked, systemError } from './errno.ts';
import { pointerTo, SYS, syscall } from './ffi.ts';

export const TOKEN_BYTES = 16;

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_SETFD = 2;
const F_DUPFD_CLOEXEC = 1030;
const EAGAIN = 11;
const EISCONN = 106;
const UNIX_PATH_MAX = 108;

export interface Packet {
  readonly token: Uint8Array;
  readonly descriptor: number;
}

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ListenOptions {
  readonly backlog?: number;
}

/** A bound, listening, non-blocking unix socket of type SEQPACKET. */
export function listenPackets(path: string, options: ListenOptions = {}): number {
  return listenUnix(SOCK_SEQPACKET, path, options);
}

/** A bound, listening, non-blocking unix socket of type STREAM, for `net.Server.listen({fd})`. */
export function listenStream(path: string, options: ListenOptions = {}): number {
  return listenUnix(SOCK_STREAM, path, options);
}

function listenUnix(type: number, path: string, { backlog = 16 }: ListenOptions): number {
  const fd = checked(syscall(SYS.socket, AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket');
  try {
    withUnixAddress(path, (address) =>
      checked(syscall(SYS.bind, fd, pointerTo(address), address.byteLength), `bind '${path}'`),
    );
    checked(syscall(SYS.listen, fd, backlog), `listen '${path}'`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export function connectPackets(path: string): number {
  const fd = checked(syscall(SYS.socket, AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket');
  try {
    withUnixAddress(path, (address) => {
      const result = syscall(SYS.connect, fd, pointerTo(address), address.byteLength);
      if (result !== -EISCONN) checked(result, `connect '${path}'`);
    });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Two connected SEQPACKET sockets, non-blocking. */
export function packetPair(): readonly [number, number] {
  const pair = new Int32Array(2);
  const type = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
  checked(syscall(SYS.socketpair, AF_UNIX, type, 0, pointerTo(pair)), 'socketpair');
  return [pair[0] ?? -1, pair[1] ?? -1];
}

/** The next waiting connection, or undefined when there is none. */
export function acceptPackets(listener: number): number | undefined {
  const result = syscall(SYS.accept4, listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return result === -EAGAIN ? undefined : checked(result, 'accept4');
}

/** The buffers of one message; `pointerTo` holds them until the call has returned. */
function makeMessage(token: Uint8Array) {
  const control = new Uint8Array(24);
  const vector = new BigUint64Array([pointerTo(token), BigInt(token.byteLength)]);
  // struct msghdr: name, namelen, iov, iovlen, control, controllen, flags.
  const header = new BigUint64Array([0n, 0n, pointerTo(vector), 1n, pointerTo(control), 24n, 0n]);
  return { control, header };
}

/** Sends a token (16 bytes) with a duplicate of `descriptor`. Throws EAGAIN when the other side does not read. */
export function sendDescriptor(socket: number, { token, descriptor }: Packet): void {
  if (token.byteLength !== TOKEN_BYTES)
    throw new RangeError(`A token has ${TOKEN_BYTES} bytes, not ${token.byteLength}`);
  const copy = token.slice();
  const { control, header } = makeMessage(copy);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, 20n, true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  view.setInt32(16, descriptor, true);
  checked(syscall(SYS.sendmsg, socket, pointerTo(header), MSG_DONTWAIT | MSG_NOSIGNAL), 'sendmsg');
}

/**
 * The next packet, `undefined` when none waits, `null` at the end of the connection.
 * A packet that is not a token with exactly one descriptor throws EPROTO, with its descriptor closed.
 */
export function receiveDescriptor(socket: number): Packet | undefined | null {
  const token = new Uint8Array(TOKEN_BYTES);
  const { control, header } = makeMessage(token);
  const length = syscall(SYS.recvmsg, socket, pointerTo(header), MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length === -EAGAIN) return undefined;
  if (length === 0) return null;
  checked(length, 'recvmsg');
  const view = new DataView(control.buffer);
  const filled = Number(header[5]);
  const carries = filled >= 20 && view.getInt32(8, true) === SOL_SOCKET && view.getInt32(12, true) === SCM_RIGHTS;
  // The room for one is padded to that for two, and the kernel fills it.
  const count = carries ? Math.min(2, Math.floor((Number(view.getBigUint64(0, true)) - 16) / 4)) : 0;
  const descriptors = Array.from({ length: count }, (_, at) => view.getInt32(16 + 4 * at, true));
  const [descriptor] = descriptors;
  // Flags: MSG_TRUNC 0x20 and MSG_CTRUNC 0x08 say that there was more than we have room for.
  const cut = (Number(header[6]) & 0x28) !== 0;
  if (length === TOKEN_BYTES && descriptor !== undefined && count === 1 && !cut) return { token, descriptor };
  for (const each of descriptors) closeSync(each);
  throw systemError(71, 'recvmsg');
}

/** Who is at the other end, as the kernel noted at connect (or, of a listener, at listen). */
export function peerCredentials(socket: number): PeerCredentials {
  const values = new Int32Array(3);
  const length = new Uint32Array([12]);
  const result = syscall(SYS.getsockopt, socket, SOL_SOCKET, SO_PEERCRED, pointerTo(values), pointerTo(length));
  checked(result, 'getsockopt SO_PEERCRED');
  return { pid: values[0] ?? 0, uid: values[1] ?? -1, gid: values[2] ?? -1 };
}

/** A duplicate that closes on execve. */
export function duplicate(descriptor: number): number {
  return checked(syscall(SYS.fcntl, descriptor, F_DUPFD_CLOEXEC, 3), 'fcntl');
}

/** Lets a descriptor survive execve. Node marks every one that it inherits for closing when it boots. */
export function keepOverExecve(descriptor: number): number {
  checked(syscall(SYS.fcntl, descriptor, F_SETFD, 0), 'fcntl');
  return descriptor;
}

/** Calls with the socket address of a path; one that is too long is reached by a descriptor of its directory. */
export function withUnixAddress<T>(path: string, call: (address: Uint8Array) => T): T {
  if (Buffer.byteLength(path) < UNIX_PATH_MAX) return call(unixAddress(path));
  const { path: short, close } = shortUnixPath(path);
  try {
    return call(unixAddress(short));
  } finally {
    close();
  }
}

/** A form of the path that fits into a socket address for as long as `close` was not called. */
export function shortUnixPath(path: string): { readonly path: string; close(): void } {
  if (Buffer.byteLength(path) < UNIX_PATH_MAX) return { path, close() {} };
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${directory}/${basename(path)}`, close: () => closeSync(directory) };
}

function unixAddress(path: string): Uint8Array {
  const bytes = Buffer.from(path);
  if (bytes.byteLength >= UNIX_PATH_MAX) throw systemError(36, `socket path '${path}'`);
  const address = new Uint8Array(2 + bytes.byteLength + 1);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, 2);
  return address;
}
