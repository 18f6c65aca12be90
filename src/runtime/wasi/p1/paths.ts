/** `path_*`: what a guest does with names beneath a directory that it has. */
import { RIGHTS } from '../core/descriptor.ts';
import { fail } from '../core/errno.ts';
import { after, knownFlags, type P1Context, type P1Functions, readPath, unsigned } from './context.ts';
import { readTimes } from './descriptors.ts';
import type { Layout } from './layout.ts';

const SYMLINK_FOLLOW = 1;

export function pathFunctions(context: P1Context, layout: Layout): P1Functions {
  return {
    ...nameFunctions(context),
    ...linkFunctions(context),
    ...statusFunctions(context, layout),
    ...openFunctions(context),
  };
}

function nameFunctions(context: P1Context): P1Functions {
  const { table } = context;
  return {
    path_create_directory: (fd: number, path: number, length: number) =>
      table.directory(fd).makeDirectory(readPath(context, path, length)),
    path_remove_directory: (fd: number, path: number, length: number) =>
      table.directory(fd).remove(readPath(context, path, length), { kind: 'directory' }),
    path_unlink_file: (fd: number, path: number, length: number) =>
      table.directory(fd).remove(readPath(context, path, length), { kind: 'file' }),
    path_rename(fd: number, path: number, length: number, newFd: number, newPath: number, newLength: number) {
      const to = { directory: table.directory(newFd), path: readPath(context, newPath, newLength) };
      return table.directory(fd).rename(readPath(context, path, length), to);
    },
  };
}

function linkFunctions(context: P1Context): P1Functions {
  const { memory, table } = context;
  return {
    path_link(
      fd: number,
      flags: number,
      path: number,
      length: number,
      newFd: number,
      newPath: number,
      newLength: number,
    ) {
      const from = table.directory(fd);
      const to = { directory: table.directory(newFd), path: readPath(context, newPath, newLength) };
      if (follows(flags)) throw fail('INVAL');
      return from.link(readPath(context, path, length), to);
    },
    path_symlink(target: number, targetLength: number, fd: number, path: number, length: number) {
      return table.directory(fd).symlink(readPath(context, target, targetLength), readPath(context, path, length));
    },
    path_readlink(fd: number, path: number, length: number, out: number, outLength: number, result: number) {
      return after(table.directory(fd).readLink(readPath(context, path, length)), (text) => {
        const bytes = memory.bytes(out, outLength);
        const fits = text.subarray(0, bytes.byteLength);
        bytes.set(fits);
        memory.setU32(result, fits.byteLength);
      });
    },
  };
}

function statusFunctions(context: P1Context, layout: Layout): P1Functions {
  const { memory, table } = context;
  return {
    path_filestat_get(fd: number, flags: number, path: number, length: number, result: number) {
      const stat = table.directory(fd).stat(readPath(context, path, length), { follow: follows(flags) });
      return after(stat, (value) => layout.writeFileStat(memory, result, value));
    },
    path_filestat_set_times(
      fd: number,
      flags: number,
      path: number,
      length: number,
      accessed: bigint,
      modified: bigint,
      times: number,
    ) {
      const set = readTimes(accessed, modified, times);
      return table.directory(fd).setTimesAt(readPath(context, path, length), set, { follow: follows(flags) });
    },
  };
}

function openFunctions(context: P1Context): P1Functions {
  const { memory, table } = context;
  return {
    path_open(
      fd: number,
      flags: number,
      path: number,
      length: number,
      oflags: number,
      rights: bigint,
      _inheriting: bigint,
      fdflags: number,
      result: number,
    ) {
      // Before anything is opened or made, the places where the answer goes are known to be good.
      memory.setU32(result, 0);
      table.reserve();
      const base = unsigned(rights);
      const opened = table.directory(fd).open(readPath(context, path, length), {
        follow: follows(flags),
        oflags: knownFlags(oflags, 15),
        fdflags: knownFlags(fdflags, 31),
        read: (base & RIGHTS.FD_READ) !== 0n,
        write: (base & RIGHTS.FD_WRITE) !== 0n,
      });
      return after(opened, (descriptor) => memory.setU32(result, table.add(descriptor)));
    },
  };
}

function follows(flags: number): boolean {
  return knownFlags(flags, SYMLINK_FOLLOW) === SYMLINK_FOLLOW;
}
