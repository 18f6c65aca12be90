/** The guest's descriptor numbers. A new one gets the lowest free number, as POSIX programs expect. */
import type { Descriptor } from './descriptor.ts';
import { Directory } from './directory.ts';
import { fail } from './errno.ts';
import { OpenFile } from './open-file.ts';

/** Of a descriptor that is open, in this process; the kernel's part is as large again. */
const DESCRIPTOR_BYTES = 512;

export class DescriptorTable {
  readonly #limit: number;
  readonly #slots: (Descriptor | undefined)[] = [];
  #used = 0;
  #closed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#used;
  }

  /** Bytes that the host holds for the guest beside its memory: descriptors, and what is behind them. */
  get heldBytes(): number {
    let bytes = 0;
    for (const descriptor of this.#slots)
      if (descriptor !== undefined) bytes += DESCRIPTOR_BYTES + descriptor.heldBytes;
    return bytes;
  }

  /** Numbers and what they stand for, in order. */
  *entries(): Generator<readonly [fd: number, descriptor: Descriptor]> {
    for (const [fd, descriptor] of this.#slots.entries()) if (descriptor !== undefined) yield [fd, descriptor];
  }

  /**
   * Throws EMFILE at the limit; ask `reserve` before anything is opened for the guest. What comes too late, from a call that outlived
   * its guest, is closed.
   */
  add(descriptor: Descriptor): number {
    if (this.#closed) {
      closeQuietly(descriptor);
      throw fail('BADF');
    }
    this.reserve();
    const fd = this.#lowestFree();
    this.#slots[fd] = descriptor;
    this.#used++;
    return fd;
  }

  #lowestFree(): number {
    if (this.#used === this.#slots.length) return this.#slots.length;
    const fd = this.#slots.indexOf(undefined);
    return fd < 0 ? this.#slots.length : fd;
  }

  reserve(): void {
    if (this.#used >= this.#limit) throw fail('MFILE');
  }

  get(fd: number): Descriptor {
    const descriptor = this.#slots[fd >>> 0];
    if (descriptor === undefined) throw fail('BADF');
    return descriptor;
  }

  file(fd: number): OpenFile {
    const descriptor = this.get(fd);
    if (!(descriptor instanceof OpenFile)) throw fail('BADF');
    return descriptor;
  }

  directory(fd: number): Directory {
    const descriptor = this.get(fd);
    if (descriptor instanceof Directory) return descriptor;
    throw fail(descriptor instanceof OpenFile ? 'NOTDIR' : 'BADF');
  }

  remove(fd: number): Descriptor {
    const descriptor = this.get(fd);
    this.#slots[fd >>> 0] = undefined;
    this.#used--;
    return descriptor;
  }

  /** Puts a descriptor under another used number; answers the one that was there. */
  move(from: number, to: number): Descriptor | undefined {
    const moving = this.get(from);
    const replaced = this.get(to);
    if (moving === replaced) return undefined;
    this.#slots[to >>> 0] = moving;
    this.#slots[from >>> 0] = undefined;
    this.#used--;
    return replaced;
  }

  /** Empties the table and closes what was in it, whatever fails. Waits for nothing that may never answer. */
  async closeAll(): Promise<void> {
    this.#closed = true;
    const open = this.#slots.splice(0).filter((descriptor) => descriptor !== undefined);
    this.#used = 0;
    for (const descriptor of open) closeQuietly(descriptor);
  }
}

/** Nobody is there to be told what went wrong, and it is closed all the same. */
function closeQuietly(descriptor: Descriptor): void {
  try {
    void Promise.resolve(descriptor.close()).catch(() => {});
  } catch {
    // As above.
  }
}
