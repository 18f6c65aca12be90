/**
 * TCP for preview 1: listeners that were bound before the guest began, and the connections it accepts from them.
 *
 * `node:net` accepts as fast as peers connect, so each listener has a bounded queue; a connection in it is paused and its bytes stay
 * with the kernel. An accepted connection holds at most `socketBytes` a direction; beyond that the peer, or the guest, waits.
 */
import type { Socket } from 'node:net';
import type { WasiLimits, WasiListener } from '../contract.ts';
import {
  type Buffers,
  FDFLAGS,
  type FdStat,
  FILETYPE,
  gather,
  lengthOf,
  type Readiness,
  RIGHTS,
  type WaitOptions,
} from './descriptor.ts';
import { ERRNO, errnoOfNodeError, fail } from './errno.ts';
import { Gate } from './gate.ts';
import { SequentialDescriptor } from './sequential.ts';

type SocketLimits = Pick<WasiLimits, 'backlog' | 'socketBytes'>;

/** How long bytes that a closed connection still has to send may make no progress. */
const LINGER_MS = 30_000;

/** Of a connection in this process, beside its bytes. */
const WAITING_BYTES = 4096;

const SOCKET_RIGHTS =
  RIGHTS.FD_READ |
  RIGHTS.FD_WRITE |
  RIGHTS.FD_FDSTAT_SET_FLAGS |
  RIGHTS.FD_FILESTAT_GET |
  RIGHTS.POLL_FD_READWRITE |
  RIGHTS.SOCK_SHUTDOWN;

abstract class SocketDescriptor extends SequentialDescriptor {
  readonly filetype = FILETYPE.SOCKET_STREAM;
  readonly inheriting = SOCKET_RIGHTS;
}

export class ListenerSocket extends SocketDescriptor {
  readonly rights = SOCKET_RIGHTS | RIGHTS.SOCK_ACCEPT;
  readonly #server: WasiListener['server'];
  readonly #limits: SocketLimits;
  readonly #queue: Socket[] = [];
  readonly #gate = new Gate();
  readonly #enqueue = (socket: Socket): void => this.#add(socket);
  #asked = false;

  constructor({ server }: WasiListener, limits: SocketLimits) {
    super();
    this.#server = server;
    this.#limits = limits;
    server.on('connection', this.#enqueue);
  }

  /**
   * A listener comes to the guest non-blocking, as wasmtime's do, which Go relies on: it looks here first and then polls.
   * A guest that never looks (`accept` in C and Rust) cannot know, and expects to wait as everywhere.
   */
  override fdstat(): FdStat {
    if (!this.#asked) this.setFlags(FDFLAGS.NONBLOCK);
    return super.fdstat();
  }

  override setFlags(flags: number): void {
    this.#asked = true;
    super.setFlags(flags);
  }

  accept({ nonBlocking }: { nonBlocking: boolean }): Connection | Promise<Connection> {
    const socket = this.#queue.shift();
    if (socket !== undefined) return new Connection(socket, { ...this.#limits, nonBlocking });
    if (this.nonBlocking) throw fail('AGAIN');
    return this.#gate.wait().then(() => this.accept({ nonBlocking }));
  }

  override readable(): Readiness | undefined {
    return this.#queue.length === 0 ? undefined : { bytes: this.#queue.length, hangup: false };
  }

  override waitReadable({ signal }: WaitOptions): Promise<void> {
    return this.#gate.wait(signal);
  }

  override read(): number {
    throw fail('NOTCONN');
  }

  override write(): number {
    throw fail('NOTCONN');
  }

  override get heldBytes(): number {
    return this.#queue.length * WAITING_BYTES;
  }

  /** The server stays its owner's; only the connections that nobody accepted end. */
  override close(): void {
    this.#server.off('connection', this.#enqueue);
    for (const socket of this.#queue.splice(0)) socket.destroy();
    this.#gate.open();
  }

  #add(socket: Socket): void {
    // A peer that goes away before the guest accepts is no error of anybody.
    socket.on('error', () => {});
    if (this.#queue.length >= this.#limits.backlog) {
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    socket.pause();
    this.#queue.push(socket);
    this.#gate.open();
  }
}

export class Connection extends SocketDescriptor {
  readonly rights = SOCKET_RIGHTS;
  readonly #socket: Socket;
  readonly #limit: number;
  readonly #chunks: Uint8Array[] = [];
  readonly #readGate = new Gate();
  readonly #writeGate = new Gate();
  #held = 0;
  #ended = false;
  #writeEnded = false;
  #failed: number | undefined;

  constructor(socket: Socket, { socketBytes, nonBlocking }: SocketLimits & { nonBlocking: boolean }) {
    super();
    this.#socket = socket;
    this.#limit = socketBytes;
    this.nonBlocking = nonBlocking;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => this.#arrived(chunk));
    socket.on('end', () => this.#over());
    socket.on('close', () => this.#over());
    socket.on('error', (error) => {
      this.#failed = errnoOfNodeError(error) ?? ERRNO.IO;
      this.#over();
    });
    if (socket.destroyed) this.#ended = true;
    else socket.resume();
  }

  receive(buffers: Buffers, options: { peek?: boolean; all?: boolean } = {}): number | Promise<number> {
    const wanted = lengthOf(buffers);
    if (wanted === 0) return 0;
    const enough = options.all === true ? Math.min(wanted, this.#limit) : 1;
    if (this.#held >= enough || this.#ended || this.#failed !== undefined) return this.#take(buffers, options);
    if (this.nonBlocking) {
      if (this.#held > 0) return this.#take(buffers, options);
      throw fail('AGAIN');
    }
    return this.#readGate.wait().then(() => this.receive(buffers, options));
  }

  send(buffers: Buffers): number | Promise<number> {
    if (this.#failed !== undefined && this.#failed !== ERRNO.PIPE) throw fail(this.#failed);
    if (this.#writeEnded || this.#socket.destroyed || !this.#socket.writable) throw fail('PIPE');
    const room = this.#limit - this.#socket.writableLength;
    if (room <= 0) {
      if (this.nonBlocking) throw fail('AGAIN');
      return this.#writeGate.wait().then(() => this.send(buffers));
    }
    const bytes = gather(buffers).subarray(0, room);
    if (bytes.byteLength > 0) this.#socket.write(bytes, () => this.#writeGate.open());
    return bytes.byteLength;
  }

  override read(buffers: Buffers): number | Promise<number> {
    return this.receive(buffers);
  }

  override write(buffers: Buffers): number | Promise<number> {
    return this.send(buffers);
  }

  shutdown({ read, write }: { read: boolean; write: boolean }): void {
    if (this.#socket.destroyed) throw fail('NOTCONN');
    if (read) {
      this.#drop();
      this.#ended = true;
      this.#readGate.open();
    }
    if (write && !this.#writeEnded) {
      this.#writeEnded = true;
      this.#socket.end();
      this.#writeGate.open();
    }
  }

  override readable(): Readiness | undefined {
    const hangup = this.#ended || this.#failed !== undefined;
    return this.#held > 0 || hangup ? { bytes: this.#held, hangup } : undefined;
  }

  override writable(): Readiness | undefined {
    const hangup = this.#writeEnded || this.#failed !== undefined || this.#socket.destroyed;
    const room = this.#limit - this.#socket.writableLength;
    return room > 0 || hangup ? { bytes: Math.max(0, room), hangup } : undefined;
  }

  override waitReadable({ signal }: WaitOptions): Promise<void> {
    return this.#readGate.wait(signal);
  }

  override waitWritable({ signal }: WaitOptions): Promise<void> {
    return this.#writeGate.wait(signal);
  }

  override get heldBytes(): number {
    return WAITING_BYTES + this.#held + this.#socket.writableLength;
  }

  /** What was written still leaves, then the connection ends. */
  override close(): void {
    this.#drop();
    this.#ended = true;
    this.#readGate.open();
    this.#writeGate.open();
    this.#socket.resume();
    this.#socket.destroySoon();
    // A peer that never reads would keep what waits, and the descriptor, for ever.
    this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
  }

  #arrived(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#held += chunk.byteLength;
    if (this.#held >= this.#limit) this.#socket.pause();
    this.#readGate.open();
  }

  #over(): void {
    this.#ended = true;
    this.#readGate.open();
    this.#writeGate.open();
  }

  #drop(): void {
    this.#chunks.length = 0;
    this.#held = 0;
  }

  #take(buffers: Buffers, { peek = false }: { peek?: boolean }): number {
    if (this.#held === 0 && this.#failed !== undefined) throw fail(this.#failed);
    let moved = 0;
    let at = 0;
    let offset = 0;
    for (const buffer of buffers) {
      let filled = 0;
      while (filled < buffer.byteLength) {
        const chunk = this.#chunks[at];
        if (chunk === undefined) break;
        const part = chunk.subarray(offset, offset + buffer.byteLength - filled);
        buffer.set(part, filled);
        filled += part.byteLength;
        offset += part.byteLength;
        if (offset === chunk.byteLength) {
          at++;
          offset = 0;
        }
      }
      moved += filled;
    }
    if (!peek) this.#consume(moved, { chunks: at, offset });
    return moved;
  }

  #consume(bytes: number, { chunks, offset }: { chunks: number; offset: number }): void {
    this.#chunks.splice(0, chunks);
    const first = this.#chunks[0];
    if (first !== undefined && offset > 0) this.#chunks[0] = first.subarray(offset);
    this.#held -= bytes;
    if (this.#held < this.#limit / 2 && this.#socket.isPaused()) this.#socket.resume();
  }
}
