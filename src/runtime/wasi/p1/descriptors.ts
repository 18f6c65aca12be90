/** `fd_*`: what a guest does with a descriptor that it has. Semantics as wasmtime's `crates/wasi/src/p1.rs`. */

import type { NewTime } from '#kit/os';
import { FDFLAGS } from '../core/descriptor.ts';
import { Directory } from '../core/directory.ts';
import { fail } from '../core/errno.ts';
import type { ListingEntry } from '../core/listing.ts';
import { OpenFile } from '../core/open-file.ts';
import { ListenerSocket } from '../core/sockets.ts';
import { after, knownFlags, type P1Context, type P1Functions, putBuffers, readBuffers, unsigned } from './context.ts';
import type { Layout } from './layout.ts';

const ALL_FDFLAGS = FDFLAGS.APPEND | FDFLAGS.DSYNC | FDFLAGS.NONBLOCK | FDFLAGS.RSYNC | FDFLAGS.SYNC;
const PRESTAT_DIR = 0;
/** A tag that no snapshot uses: libcs skip it and go on to the preopens behind the listeners. */
const PRESTAT_LISTENER = 1;

export function descriptorFunctions(context: P1Context, layout: Layout): P1Functions {
  return { ...transferFunctions(context), ...statusFunctions(context, layout), ...tableFunctions(context, layout) };
}

function transferFunctions(context: P1Context): P1Functions {
  const { memory, table } = context;
  return {
    fd_read(fd: number, buffers: number, count: number, result: number) {
      const descriptor = table.get(fd);
      if (descriptor instanceof OpenFile && descriptor.here) {
        const size = descriptor.readHere(putBuffers(context, buffers, count));
        if (size >= 0) return memory.setU32(result, size);
      }
      return after(descriptor.read(readBuffers(context, buffers, count)), (size) => memory.setU32(result, size));
    },
    fd_write(fd: number, buffers: number, count: number, result: number) {
      const descriptor = table.get(fd);
      if (descriptor instanceof OpenFile && descriptor.here) {
        return memory.setU32(result, descriptor.writeHere(putBuffers(context, buffers, count)));
      }
      return after(descriptor.write(readBuffers(context, buffers, count)), (size) => memory.setU32(result, size));
    },
    fd_pread(fd: number, buffers: number, count: number, offset: bigint, result: number) {
      const descriptor = table.get(fd);
      const at = unsigned(offset);
      if (descriptor instanceof OpenFile && descriptor.here) {
        const size = descriptor.readHere(putBuffers(context, buffers, count), at);
        if (size >= 0) return memory.setU32(result, size);
      }
      return after(descriptor.readAt(readBuffers(context, buffers, count), at), (size) => memory.setU32(result, size));
    },
    fd_pwrite(fd: number, buffers: number, count: number, offset: bigint, result: number) {
      const descriptor = table.get(fd);
      const at = unsigned(offset);
      if (descriptor instanceof OpenFile && descriptor.here) {
        return memory.setU32(result, descriptor.writeHere(putBuffers(context, buffers, count), at));
      }
      return after(descriptor.writeAt(readBuffers(context, buffers, count), at), (size) => memory.setU32(result, size));
    },
    fd_sync: (fd: number) => table.file(fd).sync('all'),
    fd_datasync: (fd: number) => table.file(fd).sync('data'),
  };
}

function statusFunctions(context: P1Context, layout: Layout): P1Functions {
  const { memory, table } = context;
  return {
    fd_fdstat_get(fd: number, result: number) {
      const { filetype, flags, rights, inheriting } = table.get(fd).fdstat();
      memory.setU64(result, BigInt(filetype) | (BigInt(flags) << 16n));
      memory.setU64(result + 8, rights);
      memory.setU64(result + 16, inheriting);
    },
    fd_fdstat_set_flags: (fd: number, flags: number) => table.get(fd).setFlags(knownFlags(flags, ALL_FDFLAGS)),
    fd_fdstat_set_rights(fd: number, _base: bigint, _inheriting: bigint) {
      table.get(fd);
      throw fail('NOTSUP');
    },
    fd_filestat_get: (fd: number, result: number) =>
      after(table.get(fd).filestat(), (stat) => layout.writeFileStat(memory, result, stat)),
    fd_filestat_set_size: (fd: number, size: bigint) => table.file(fd).setSize(unsigned(size)),
    fd_filestat_set_times(fd: number, accessed: bigint, modified: bigint, flags: number) {
      return table.get(fd).setTimes(readTimes(accessed, modified, flags));
    },
    fd_advise(fd: number, offset: bigint, length: bigint, advice: number) {
      return table.file(fd).advise({ offset: unsigned(offset), length: unsigned(length) }, advice);
    },
    fd_allocate: (fd: number, offset: bigint, length: bigint) =>
      table.file(fd).allocate(unsigned(offset), unsigned(length)),
  };
}

function tableFunctions(context: P1Context, layout: Layout): P1Functions {
  const { memory, table } = context;
  return {
    fd_close: (fd: number) => table.remove(fd).close(),
    fd_renumber: (from: number, to: number) => table.move(from, to)?.close(),
    fd_seek(fd: number, offset: bigint, whence: number, result: number) {
      const from = layout.whence[whence];
      if (from === undefined) throw fail('INVAL');
      return after(table.get(fd).seek(offset, from), (position) => memory.setU64(result, position));
    },
    fd_tell: (fd: number, result: number) =>
      after(table.get(fd).seek(0n, 'current'), (position) => memory.setU64(result, position)),
    fd_prestat_get(fd: number, result: number) {
      const descriptor = table.get(fd);
      if (descriptor instanceof ListenerSocket) return writePrestat(context, result, PRESTAT_LISTENER, 0);
      const name = descriptor instanceof Directory ? descriptor.preopen : undefined;
      if (name === undefined) throw fail('BADF');
      writePrestat(context, result, PRESTAT_DIR, Buffer.byteLength(name));
    },
    fd_prestat_dir_name(fd: number, pointer: number, length: number) {
      const descriptor = table.get(fd);
      const name = descriptor instanceof Directory ? descriptor.preopen : undefined;
      if (name === undefined) throw fail('NOTDIR');
      const bytes = Buffer.from(name);
      if (bytes.byteLength > length >>> 0) throw fail('NAMETOOLONG');
      memory.bytes(pointer, bytes.byteLength).set(bytes);
    },
    async fd_readdir(fd: number, pointer: number, length: number, cookie: bigint, result: number) {
      const out = memory.bytes(pointer, length);
      const from = unsigned(cookie);
      const entries = await directoryOf(context, fd).list(from);
      memory.setU32(result, writeEntries(out, entries, from));
    },
  };
}

/** Listing what is no directory is EBADF, where paths under it are ENOTDIR. */
function directoryOf({ table }: P1Context, fd: number): Directory {
  const descriptor = table.get(fd);
  if (!(descriptor instanceof Directory)) throw fail('BADF');
  return descriptor;
}

function writePrestat({ memory }: P1Context, pointer: number, tag: number, length: number): void {
  memory.setU32(pointer, tag);
  memory.setU32(pointer + 4, length);
}

/** Fills the buffer; the last entry may be cut, which tells the guest to come again with its cookie. */
function writeEntries(out: Uint8Array, entries: readonly ListingEntry[], cookie: bigint): number {
  const HEAD = 24;
  const head = new DataView(new ArrayBuffer(HEAD));
  let at = 0;
  for (const [index, { inode, filetype, name }] of entries.entries()) {
    head.setBigUint64(0, cookie + BigInt(index) + 1n, true);
    head.setBigUint64(8, inode, true);
    head.setUint32(16, name.byteLength, true);
    head.setUint32(20, filetype, true);
    for (const part of [new Uint8Array(head.buffer), name]) {
      const fits = part.subarray(0, out.byteLength - at);
      out.set(fits, at);
      at += fits.byteLength;
    }
    if (at === out.byteLength) break;
  }
  return at;
}

const FSTFLAGS = { ATIM: 1, ATIM_NOW: 2, MTIM: 4, MTIM_NOW: 8 } as const;

/** The times of `fd_filestat_set_times` and `path_filestat_set_times`. */
export function readTimes(accessed: bigint, modified: bigint, flags: number): { accessed: NewTime; modified: NewTime } {
  knownFlags(flags, 15);
  return {
    accessed: newTime(accessed, { set: (flags & FSTFLAGS.ATIM) !== 0, now: (flags & FSTFLAGS.ATIM_NOW) !== 0 }),
    modified: newTime(modified, { set: (flags & FSTFLAGS.MTIM) !== 0, now: (flags & FSTFLAGS.MTIM_NOW) !== 0 }),
  };
}

function newTime(time: bigint, { set, now }: { set: boolean; now: boolean }): NewTime {
  if (set && now) throw fail('INVAL');
  return set ? unsigned(time) : now ? 'now' : 'omit';
}
