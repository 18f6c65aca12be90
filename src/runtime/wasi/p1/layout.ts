/**
 * Where the two snapshots of preview 1 differ in memory: the order of `whence`, and the shapes of file status and subscription.
 * Source: wasmtime `crates/wasi/witx/p1/typenames.witx` and `p0/typenames.witx`.
 */
import type { Whence } from '../core/descriptor.ts';
import { fail } from '../core/errno.ts';
import type { GuestMemory } from '../core/memory.ts';
import type { Subscription } from '../core/poll.ts';
import type { FileStat } from '../core/stat.ts';

export interface Layout {
  readonly whence: readonly Whence[];
  /** Bytes from one subscription to the next. */
  readonly subscriptionBytes: number;
  readonly writeFileStat: (memory: GuestMemory, pointer: number, stat: FileStat) => void;
  readonly readSubscription: (memory: GuestMemory, pointer: number) => Subscription;
}

/** `wasi_snapshot_preview1`. */
export const PREVIEW1: Layout = {
  whence: ['set', 'current', 'end'],
  subscriptionBytes: 48,
  writeFileStat(memory, pointer, stat) {
    writeIdentity(memory, pointer, stat);
    memory.setU64(pointer + 24, stat.links);
    writeSizeAndTimes(memory, pointer + 32, stat);
  },
  readSubscription: (memory, pointer) => readSubscription(memory, pointer, pointer + 16),
};

/** `wasi_unstable`, which some compilers of 2019 and 2020 still name: links in 32 bits, a clock subscription with an identifier before it. */
export const UNSTABLE: Layout = {
  whence: ['current', 'end', 'set'],
  subscriptionBytes: 56,
  writeFileStat(memory, pointer, stat) {
    writeIdentity(memory, pointer, stat);
    memory.setU32(pointer + 20, Number(BigInt.asUintN(32, stat.links)));
    writeSizeAndTimes(memory, pointer + 24, stat);
  },
  readSubscription: (memory, pointer) => readSubscription(memory, pointer, pointer + 24),
};

function writeIdentity(memory: GuestMemory, pointer: number, stat: FileStat): void {
  memory.setU64(pointer, stat.device);
  memory.setU64(pointer + 8, stat.inode);
  memory.setU64(pointer + 16, BigInt(stat.filetype));
}

function writeSizeAndTimes(memory: GuestMemory, pointer: number, stat: FileStat): void {
  memory.setU64(pointer, stat.size);
  memory.setU64(pointer + 8, stat.accessed);
  memory.setU64(pointer + 16, stat.modified);
  memory.setU64(pointer + 24, stat.changed);
}

const ABSTIME = 1;

function readSubscription(memory: GuestMemory, pointer: number, clockPointer: number): Subscription {
  const userdata = memory.u64(pointer);
  const tag = memory.u8(pointer + 8);
  if (tag === 1 || tag === 2) return { kind: tag === 1 ? 'read' : 'write', userdata, fd: memory.u32(pointer + 16) };
  if (tag !== 0) throw fail('INVAL');
  const id = memory.u32(clockPointer);
  if (id > 1) throw fail('INVAL');
  return {
    kind: 'clock',
    userdata,
    clock: id === 0 ? 'realtime' : 'monotonic',
    timeout: memory.u64(clockPointer + 8),
    absolute: (memory.u16(clockPointer + 24) & ABSTIME) !== 0,
  };
}
