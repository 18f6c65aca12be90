/** Modes and owners: the functions of the extension on descriptors and paths. What they show and keep is `view.ts`'s. */
import type { FileStatus } from '#kit/os';
import type { Descriptor } from '../wasi/core/descriptor.ts';
import { RIGHTS } from '../wasi/core/descriptor.ts';
import { Directory, OFLAGS, type OpenRequest } from '../wasi/core/directory.ts';
import { check, ERRNO, fail, WasiErrno } from '../wasi/core/errno.ts';
import { type Maybe, then } from '../wasi/core/maybe.ts';
import { SequentialDescriptor } from '../wasi/core/sequential.ts';
import { knownFlags, type P1Context, type P1Functions, readPath, unsigned } from '../wasi/p1/context.ts';
import type { PosixOptions } from './contract.ts';
import { allows, formatView, MAX_ID, MODE_BITS, mayChange, parseView, type View } from './view.ts';
import { VirtualDirectory, VirtualFile } from './virtual.ts';

const ATTRIBUTE = 'user.wasmlet.posix';
const FOLLOW = 1;
const TYPE_BITS = 0o170000;
/** A name that others make and remove all the time must not keep us. */
const TRIES = 16;
/** `st_mode` of descriptors that are no files: character devices, sockets, pipes; by WASI's file type. */
const MODE_BY_TYPE: Readonly<Record<number, number>> = { 2: 0o020620, 6: 0o140777, 5: 0o140777 };
const PIPE_MODE = 0o010600;

export interface Status {
  /** With the type bits of `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

interface World {
  readonly options: PosixOptions;
  /** The bits that are taken from the mode of what is created. */
  readonly mask: () => number;
}

/** Functions whose name begins with `fd_` or `path_`. */
export function fileFunctions(context: P1Context, world: World): P1Functions {
  const files = new Files(context, world);
  const { table } = context;
  return {
    fd_status_get: (fd: number, result: number) =>
      then(files.statusOf(table.get(fd)), (status) => files.write(result, status)),
    path_status_get: (fd: number, lookup: number, path: number, length: number, result: number) =>
      files.at({ fd, lookup, path, length }, (found) =>
        then(files.statusOf(found), (status) => files.write(result, status)),
      ),
    fd_mode_set: (fd: number, mode: number) => files.change(table.get(fd), { mode: modeOf(mode) }),
    path_mode_set: (fd: number, lookup: number, path: number, length: number, mode: number) =>
      files.at({ fd, lookup, path, length }, (found) => files.change(found, { mode: modeOf(mode) })),
    fd_owner_set: (fd: number, uid: number, gid: number) => files.change(table.get(fd), owners(uid, gid)),
    path_owner_set: (fd: number, lookup: number, path: number, length: number, uid: number, gid: number) =>
      files.at({ fd, lookup, path, length }, (found) => files.change(found, owners(uid, gid))),
    path_access: (fd: number, lookup: number, path: number, length: number, want: number) =>
      files.at({ fd, lookup, path, length }, (found) => files.access(found, knownFlags(want, 7))),
    ...creatingFunctions(context, { files, world }),
  };
}

function creatingFunctions(context: P1Context, { files, world }: { files: Files; world: World }): P1Functions {
  const { memory, table } = context;
  return {
    path_open_mode(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      oflags: number,
      rights: bigint,
      fdflags: number,
      mode: number,
      result: number,
    ) {
      // Before anything is opened or made, the place where the answer goes is known to be good.
      memory.setU32(result, 0);
      table.reserve();
      const base = unsigned(rights);
      const request: OpenRequest = {
        follow: (knownFlags(lookup, FOLLOW) & FOLLOW) !== 0,
        oflags: knownFlags(oflags, 15),
        fdflags: knownFlags(fdflags, 31),
        read: (base & RIGHTS.FD_READ) !== 0n,
        write: (base & RIGHTS.FD_WRITE) !== 0n,
      };
      const at = { directory: table.directory(fd), path: readPath(context, path, length) };
      const opened = files.open(at, request, modeOf(mode) & ~world.mask());
      return then(opened, (descriptor) => memory.setU32(result, table.add(descriptor)));
    },
    path_create_directory_mode(fd: number, path: number, length: number, mode: number) {
      const directory = table.directory(fd);
      const name = readPath(context, path, length);
      const wanted = modeOf(mode) & ~world.mask();
      return then(directory.makeDirectory(name), () => {
        const request = { follow: false, oflags: OFLAGS.DIRECTORY, fdflags: 0, read: true, write: false };
        return then(directory.open(name, request), (made) => files.during(made, files.keep(made, { mode: wanted })));
      });
    },
  };
}

interface At {
  readonly fd: number;
  readonly lookup: number;
  readonly path: number;
  readonly length: number;
}

class Files {
  readonly #context: P1Context;
  readonly #world: World;

  constructor(context: P1Context, world: World) {
    this.#context = context;
    this.#world = world;
  }

  write(pointer: number, { mode, uid, gid }: Status): void {
    const { memory } = this.#context;
    memory.setU32(pointer, mode);
    memory.setU32(pointer + 4, uid);
    memory.setU32(pointer + 8, gid);
  }

  /** Opens what a path leads to, for as long as the call takes. */
  at({ fd, lookup, path, length }: At, use: (descriptor: Descriptor) => Maybe<void>): Maybe<void> {
    const directory = this.#context.table.directory(fd);
    const follow = (knownFlags(lookup, FOLLOW) & FOLLOW) !== 0;
    const name = readPath(this.#context, path, length);
    const request = { follow, oflags: 0, fdflags: 0, read: true, write: false };
    const opened = attempt(() => directory.open(name, request));
    return then(opened, (found) => {
      if (!(found instanceof WasiErrno))
        return this.during(
          found,
          attemptUse(() => use(found)),
        );
      // A link that is not to be followed has a mode, which is always the same, and keeps none.
      if (follow || found.errno !== ERRNO.LOOP) throw found;
      return then(directory.stat(name, { follow: false }), () => use(LINK));
    });
  }

  /** Closes the descriptor when the call is over, however. */
  during(descriptor: Descriptor, call: Maybe<void>): Maybe<void> {
    if (!(call instanceof Promise)) return descriptor.close();
    return call.finally(() => descriptor.close());
  }

  statusOf(descriptor: Descriptor): Maybe<Status> {
    const { uid, gid } = this.#world.options;
    if (descriptor === LINK) return { mode: 0o120777, uid, gid };
    if (descriptor instanceof VirtualDirectory || descriptor instanceof VirtualFile) {
      return { mode: descriptor.viewMode, uid: 0, gid: 0 };
    }
    const { host } = descriptor;
    if (host === undefined) return { mode: modeOfStream(descriptor), uid, gid };
    const { handle } = host;
    return then(handle.call('statusOf', handle.fd), (status) => {
      const { mode } = check(status) as FileStatus;
      return then(this.#viewOf(descriptor), (view) => ({
        mode: (mode & TYPE_BITS) | (view.mode ?? mode & 0o777),
        uid: view.uid ?? uid,
        gid: view.gid ?? gid,
      }));
    });
  }

  #viewOf({ host }: Descriptor): Maybe<View> {
    if (host === undefined) return {};
    return then(host.handle.call('readAttribute', host.handle.fd, ATTRIBUTE), (value) =>
      value === undefined || typeof value === 'number' ? {} : parseView(value),
    );
  }

  change(descriptor: Descriptor, change: View): Maybe<void> {
    if (descriptor instanceof VirtualDirectory || descriptor instanceof VirtualFile) throw fail('ROFS');
    if (descriptor.host === undefined) throw fail(descriptor === LINK ? 'NOTSUP' : 'INVAL');
    if (descriptor.host.readOnly) throw fail('ROFS');
    return then(this.statusOf(descriptor), (current) => {
      if (!mayChange(current, change, this.#world.options)) throw fail('PERM');
      return this.#set(descriptor, change);
    });
  }

  #set(descriptor: Descriptor, change: View): Maybe<void> {
    const { host } = descriptor;
    if (host === undefined) throw fail('NOTSUP');
    return then(this.#viewOf(descriptor), (view) => {
      const next = formatView({
        mode: change.mode ?? view.mode,
        uid: change.uid ?? view.uid,
        gid: change.gid ?? view.gid,
      });
      return then(host.handle.call('writeAttribute', host.handle.fd, ATTRIBUTE, next), (result) => {
        check(result);
      });
    });
  }

  /** As `#set`, of what was just created: where a file system keeps no attributes, the file is there all the same. */
  keep(descriptor: Descriptor, change: View): Maybe<void> {
    const kept = attempt(() => this.#set(descriptor, change));
    return then(kept, (failed) => {
      if (failed instanceof WasiErrno && failed.errno !== ERRNO.NOTSUP && failed.errno !== ERRNO.PERM) throw failed;
    });
  }

  access(descriptor: Descriptor, want: number): Maybe<void> {
    const readOnly =
      descriptor.host?.readOnly === true || descriptor instanceof VirtualDirectory || descriptor instanceof VirtualFile;
    if ((want & 2) !== 0 && readOnly) throw fail('ROFS');
    return then(this.statusOf(descriptor), (status) => {
      if (!allows(status, want, this.#world.options)) throw fail('ACCES');
    });
  }

  /** Opens; where that creates the file, and only then, the mode is kept. */
  open(at: { directory: Directory; path: string }, request: OpenRequest, mode: number): Maybe<Descriptor> {
    const { directory, path } = at;
    const { oflags } = request;
    if ((oflags & OFLAGS.CREAT) === 0) return directory.open(path, request);
    const create = (tries: number): Maybe<Descriptor> =>
      then(
        attempt(() => directory.open(path, { ...request, oflags: oflags | OFLAGS.EXCL })),
        (made) => {
          if (!(made instanceof WasiErrno)) return this.#created(made, mode);
          if (made.errno !== ERRNO.EXIST || (oflags & OFLAGS.EXCL) !== 0) throw made;
          // It is there, or it is a link, which creating exclusively does not follow.
          const present = () => directory.open(path, { ...request, oflags: oflags & ~OFLAGS.CREAT });
          return then(attempt(present), (found) => {
            if (!(found instanceof WasiErrno)) return found;
            if (found.errno !== ERRNO.NOENT) throw found;
            return tries === 0 ? directory.open(path, request) : create(tries - 1);
          });
        },
      );
    return create(TRIES);
  }

  #created(made: Descriptor, mode: number): Maybe<Descriptor> {
    return then(this.keep(made, { mode }), () => made);
  }
}

class Link extends Directory {
  constructor() {
    super({ readOnly: true } as ConstructorParameters<typeof Directory>[0]);
  }

  override get host(): undefined {
    return undefined;
  }

  override close(): void {}
}

/** Stands for a symbolic link itself. */
const LINK: Descriptor = new Link();

/** An errno as a value, now or later; everything else is thrown on. */
function attempt<T>(call: () => Maybe<T>): Maybe<T | WasiErrno> {
  try {
    const result = call();
    return result instanceof Promise ? result.catch(errnoOnly) : result;
  } catch (error) {
    return errnoOnly(error);
  }
}

function errnoOnly(error: unknown): WasiErrno {
  if (error instanceof WasiErrno) return error;
  throw error;
}

/** A throw as a rejection, so that whoever closes behind it does. */
function attemptUse(use: () => Maybe<void>): Maybe<void> {
  try {
    return use();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Not by `fdstat`, which a listener takes for a guest that looks. */
function modeOfStream(descriptor: Descriptor): number {
  const type = descriptor instanceof SequentialDescriptor ? descriptor.filetype : -1;
  return MODE_BY_TYPE[type] ?? PIPE_MODE;
}

function modeOf(mode: number): number {
  return knownFlags(mode, MODE_BITS);
}

/** -1 leaves one as it is. */
function owners(uid: number, gid: number): View {
  const one = (id: number) => (id >>> 0 === MAX_ID ? undefined : id >>> 0);
  return { uid: one(uid), gid: one(gid) };
}
