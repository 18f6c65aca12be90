/**
 * Descriptors that a sandbox sent, by the token that an answer will name. A sandbox that sends without end, or what nobody asked for,
 * neither holds the node up nor fills its table.
 */
import { closeSync } from 'node:fs';
import { receiveDescriptor } from '#kit/os';

/** Listeners of one answer; more than that is held for no sandbox. */
const MOST = 4096;

export class ReceivedDescriptors {
  readonly #held = new Map<string, number>();

  /** Takes what has come over the connection. */
  collect(connection: number): void {
    for (let taken = 0; taken < MOST; taken++) {
      const packet = receiveDescriptor(connection);
      if (packet === undefined || packet === null) return;
      const token = Buffer.from(packet.token).toString('hex');
      this.#drop(token);
      const [oldest] = this.#held.keys();
      if (oldest !== undefined && this.#held.size >= MOST) this.#drop(oldest);
      this.#held.set(token, packet.descriptor);
    }
  }

  /** Now the caller's. */
  take(token: string): number | undefined {
    const descriptor = this.#held.get(token);
    this.#held.delete(token);
    return descriptor;
  }

  close(): void {
    for (const token of [...this.#held.keys()]) this.#drop(token);
  }

  #drop(token: string): void {
    const descriptor = this.take(token);
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
