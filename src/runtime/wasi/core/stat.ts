/** File status in WASI's terms, from what the kernel says. */
import type { FileStatus, NewTime } from '#kit/os';

export interface FileStat {
  readonly device: bigint;
  readonly inode: bigint;
  readonly filetype: number;
  readonly links: bigint;
  readonly size: bigint;
  /** Nanoseconds since the epoch. */
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

export interface Times {
  readonly accessed: NewTime;
  readonly modified: NewTime;
}

const TYPE_BY_MODE: Readonly<Record<number, number>> = { 2: 2, 4: 3, 6: 1, 8: 4, 10: 7, 12: 6 };

/** WASI's type from the upper four bits of a mode, which are also `getdents64`'s. A FIFO (1) has none: unknown. */
export function filetypeOf(bits: number): number {
  return TYPE_BY_MODE[bits] ?? 0;
}

/**
 * Numbers devices from 1 in the order in which a guest meets them: it can tell two filesystems apart,
 * and learns nothing of the machine.
 */
export class DeviceNumbers {
  readonly #numbers = new Map<bigint, bigint>();

  statOf(status: FileStatus): FileStat {
    let device = this.#numbers.get(status.device);
    if (device === undefined) {
      device = BigInt(this.#numbers.size + 1);
      this.#numbers.set(status.device, device);
    }
    return {
      device,
      inode: status.inode,
      filetype: filetypeOf(status.mode >> 12),
      links: BigInt(status.links),
      size: status.size,
      accessed: clampTime(status.accessed),
      modified: clampTime(status.modified),
      changed: clampTime(status.changed),
    };
  }
}

/** WASI's times are unsigned: a file from before 1970 is from 1970. */
function clampTime(time: bigint): bigint {
  return time < 0n ? 0n : BigInt.asUintN(64, time);
}
