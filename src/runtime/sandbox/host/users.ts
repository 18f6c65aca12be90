/**
 * A user for each tenant: the owner of `tenants/<namespace>` says which, so it is kept with the files that it owns, survives every restart
 * and needs no list. A warm sandbox's folder has one too, which is the tenant's when the folder is.
 *
 * A folder of a node that knew no users belongs to root: it is given one here. What is inside stays with root: the sandbox may pass
 * over owners (CAP_DAC_OVERRIDE, bounded by Landlock), as it must for volumes that belong to others.
 */
import { fchmodSync, fchownSync, fstatSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Tree, type UserRange } from '#kit/os';
import { runtimeError } from '../errors.ts';

export class TenantUsers {
  readonly #tenants: string;
  readonly #range: UserRange;
  #taken: Set<number> | undefined;
  #next: number;

  constructor(dataDir: string, range: UserRange) {
    this.#tenants = join(dataDir, 'tenants');
    this.#range = range;
    // Nodes on several data directories of a machine begin at different places.
    this.#next = range.first + (hash(dataDir) % (range.last - range.first + 1));
  }

  /** The user of a tenant's (or warm) root, which is made when it is not there. */
  of(root: string): number {
    mkdirSync(root, { recursive: true, mode: 0o755 });
    // What is looked at is what is given away.
    using folder = new Tree(root).folder('');
    const { uid } = fstatSync(folder.fd);
    if (this.#isOurs(uid)) return uid;
    const chosen = this.#choose();
    fchownSync(folder.fd, chosen, chosen);
    fchmodSync(folder.fd, 0o750);
    return chosen;
  }

  #isOurs(uid: number): boolean {
    return uid >= this.#range.first && uid <= this.#range.last;
  }

  #choose(): number {
    const { first, last } = this.#range;
    this.#taken ??= this.#read();
    // Those of folders that are gone can be had again.
    if (this.#taken.size > last - first) this.#taken = this.#read();
    if (this.#taken.size > last - first) {
      throw runtimeError('RUNTIME_FULL', `Cannot give the namespace a user: all from ${first} to ${last} are taken`);
    }
    while (this.#taken.has(this.#next)) this.#next = this.#next === last ? first : this.#next + 1;
    this.#taken.add(this.#next);
    return this.#next;
  }

  #read(): Set<number> {
    const taken = new Set<number>();
    for (const name of readdirSync(this.#tenants)) {
      const { uid } = lstatSync(join(this.#tenants, name), { throwIfNoEntry: false }) ?? { uid: 0 };
      if (this.#isOurs(uid)) taken.add(uid);
    }
    return taken;
  }
}

function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  return sum >>> 0;
}
