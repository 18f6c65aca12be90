/** What sockets and standard streams have in common: bytes come in order, so there is no place in them to go to. */
import { Descriptor, emptyStat, FDFLAGS, type FdStat } from './descriptor.ts';
import { fail } from './errno.ts';
import type { FileStat } from './stat.ts';

export abstract class SequentialDescriptor extends Descriptor {
  protected nonBlocking = false;
  /** Whether calls wait for bytes or peers. Looking changes nothing, which `fdstat` of a listener does. */
  get waits(): boolean {
    return !this.nonBlocking;
  }

  abstract readonly filetype: number;
  abstract readonly rights: bigint;
  /** Rights of what is opened by it. */
  abstract readonly inheriting: bigint;

  fdstat(): FdStat {
    const flags = this.nonBlocking ? FDFLAGS.NONBLOCK : 0;
    return { filetype: this.filetype, flags, rights: this.rights, inheriting: this.inheriting };
  }

  filestat(): FileStat {
    return emptyStat(this.filetype);
  }

  override setFlags(flags: number): void {
    this.nonBlocking = (flags & FDFLAGS.NONBLOCK) !== 0;
  }

  override seek(): bigint {
    throw fail('SPIPE');
  }

  override readAt(): number {
    throw fail('SPIPE');
  }

  override writeAt(): number {
    throw fail('SPIPE');
  }
}
