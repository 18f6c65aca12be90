/**
 * The node's connection to this sandbox: hello, version, then requests and events. The latest connection counts: a node that
 * was restarted replaces its predecessor, and what it missed it learns from the snapshot.
 */
import type { Server, Socket } from 'node:net';
import { isWasmletError, messageOf } from '#kit';
import { ffiAvailable, peerCredentials } from '#kit/os';
import type { WorkloadState } from '../../contract.ts';
import { encodeFrame, FrameReader } from '../protocol/frames.ts';
import { chosenShape, type Hello, type Request, requestShape } from '../protocol/messages.ts';
import { negotiate, VERSIONS } from '../protocol/version.ts';

/** A node that does not read is worth no more memory than this; it asks for a snapshot when it is back. */
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;

export interface ConnectionOptions {
  readonly hello: () => Omit<Hello, 'walls'> & { readonly walls: readonly (readonly [string, boolean])[] };
  readonly handle: (request: Request) => Promise<unknown>;
}

export class Connections {
  readonly #options: ConnectionOptions;
  #current: Socket | undefined;

  constructor(server: Server, options: ConnectionOptions) {
    this.#options = options;
    server.on('connection', (socket) => this.#accept(socket));
  }

  get connected(): boolean {
    return this.#current !== undefined;
  }

  event(event: number, workload: string, state: WorkloadState): void {
    if (this.#current !== undefined) this.#send(this.#current, { event, workload, state });
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (!isOurs(socket)) return void socket.destroy();
    const reader = new FrameReader();
    let chosen = false;
    socket.on('data', (piece) => {
      try {
        for (const message of reader.push(piece as Buffer)) {
          if (chosen) this.#take(socket, requestShape(message, 'request'));
          else chosen = this.#agree(socket, message);
        }
      } catch (error) {
        console.error(`Cannot go on with the node's connection: ${messageOf(error)}`);
        socket.destroy();
      }
    });
    socket.on('close', () => {
      if (this.#current === socket) this.#current = undefined;
    });
    this.#send(socket, this.#options.hello());
  }

  #agree(socket: Socket, message: unknown): boolean {
    const { version } = chosenShape(message, 'version');
    if (negotiate(VERSIONS, { min: version, max: version }) === undefined)
      throw new RangeError(`version ${version} is not spoken here`);
    this.#current?.destroy();
    this.#current = socket;
    return true;
  }

  #take(socket: Socket, request: Request): void {
    this.#options.handle(request).then(
      (ok) => this.#send(socket, { id: request.id, ok: ok ?? null }),
      (error) => {
        const code = isWasmletError(error) ? error.code : 'RUNTIME_SANDBOX_FAILED';
        this.#send(socket, { id: request.id, error: { code, message: messageOf(error).slice(0, 4000) } });
      },
    );
  }

  #send(socket: Socket, message: unknown): void {
    if (socket.destroyed) return;
    if (socket.writableLength > MAX_UNSENT_BYTES) return void socket.destroy();
    socket.write(encodeFrame(message));
  }
}

/** Only the sandbox's own user and root speak to it. Without FFI the directory's mode has to do. */
function isOurs(socket: Socket): boolean {
  if (!ffiAvailable()) return true;
  const { fd } = (socket as Socket & { _handle: { fd: number } })._handle;
  const { uid } = peerCredentials(fd);
  return uid === 0 || uid === process.getuid?.();
}
