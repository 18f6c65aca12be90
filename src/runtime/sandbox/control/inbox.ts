/**
 * Descriptors that came for this sandbox, by the token that a control message will name, and the way back.
 * Nothing waits: who names a token has sent its packet before (docs/decisions/0003-sandbox-protocol.md).
 */
import { closeSync } from 'node:fs';
import { acceptPackets, peerCredentials, receiveDescriptor, sendDescriptor } from '#kit/os';

/** Descriptors that nobody asked for; a node that leaves more behind is wrong. */
const MAX_WAITING = 2048;

export class Inbox {
  readonly #listener: number;
  readonly #connections: number[] = [];
  readonly #waiting = new Map<string, number>();

  constructor(listener: number) {
    this.#listener = listener;
  }

  /** The descriptor that came with this token, now the caller's. */
  take(token: string): number | undefined {
    if (!this.#waiting.has(token)) this.#collect();
    const descriptor = this.#waiting.get(token);
    this.#waiting.delete(token);
    return descriptor;
  }

  /** Sends a duplicate over the latest connection. Throws when there is none, or it is full. */
  send(token: string, descriptor: number): void {
    this.#collect();
    const connection = this.#connections.at(-1);
    if (connection === undefined) throw new Error('no connection for descriptors is open');
    sendDescriptor(connection, { token: Buffer.from(token, 'hex'), descriptor });
  }

  #collect(): void {
    for (let next = acceptPackets(this.#listener); next !== undefined; next = acceptPackets(this.#listener)) {
      const { uid } = peerCredentials(next);
      if (uid === 0 || uid === process.getuid?.()) this.#connections.push(next);
      else closeSync(next);
    }
    for (const connection of [...this.#connections]) this.#drain(connection);
  }

  #drain(connection: number): void {
    for (;;) {
      const packet = receiveOrNull(connection);
      if (packet === undefined) return;
      if (packet === null) {
        this.#connections.splice(this.#connections.indexOf(connection), 1);
        closeSync(connection);
        return;
      }
      this.#keep(Buffer.from(packet.token).toString('hex'), packet.descriptor);
    }
  }

  #keep(token: string, descriptor: number): void {
    const [oldest] = this.#waiting;
    if (oldest !== undefined && this.#waiting.size >= MAX_WAITING) {
      this.#waiting.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    const same = this.#waiting.get(token);
    if (same !== undefined) closeSync(same);
    this.#waiting.set(token, descriptor);
  }
}

/** A packet that breaks the rules ends its connection. */
function receiveOrNull(connection: number) {
  try {
    return receiveDescriptor(connection);
  } catch {
    return null;
  }
}
