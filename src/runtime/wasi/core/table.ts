/** The guest's descriptor numbers. A new one gets the lowest free number, as POSIX programs expect. */
import type { Descriptor } from './descriptor.ts';
import { Directory } from './directory.ts';
import { fail } from './errno.ts';
import { OpenFile } from './open-file.ts';

export class DescriptorTable {
  readonly #limit: number;
  readonly #slots: (Descriptor | undefined)[] = [];
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#used;
  }

  /** Throws EMFILE at the limit; ask `reserve` before anything is opened for the guest. */
  add(descriptor: Descriptor): number {
    this.reserve();
    let fd = this.#slots.indexOf(undefined);
    if (fd < 0) fd = this.#slots.length;
    this.#slots[fd] = descriptor;
    this.#used++;
    return fd;
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

  /** Empties the table and closes what was in it, whatever fails. */
  async closeAll(): Promise<void> {
    const open = this.#slots.splice(0).filter((descriptor) => descriptor !== undefined);
    this.#used = 0;
    await Promise.allSettled(open.map(async (descriptor) => descriptor.close()));
  }
}
