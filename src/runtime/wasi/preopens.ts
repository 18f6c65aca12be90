/** Opens the directories and files that a guest is given, once, when it is created. */
import { constants } from 'node:os';
import { posix } from 'node:path';
import { isWasmletError, messageOf, systemClock } from '#kit';
import { closeDescriptor, ffiAvailable, mountPointOf, OPEN, openBeneath, openCached, systemError } from '#kit/os';
import type { Preopen, WasiLimits, WasiOptions } from './contract.ts';
import { FILETYPE } from './core/descriptor.ts';
import { Directory } from './core/directory.ts';
import { WasiErrno } from './core/errno.ts';
import { Handle } from './core/handle.ts';
import { offload } from './core/offload.ts';
import { SingleFile } from './core/single-file.ts';
import { DeviceNumbers, filetypeOf } from './core/stat.ts';
import { wasiError } from './errors.ts';

/** In the order in which guests see them. On an error nothing stays open. */
export async function openPreopens(options: WasiOptions, limits: WasiLimits): Promise<Directory[]> {
  const { preopens = [], workingDir } = options;
  if (preopens.length === 0) return [];
  if (!ffiAvailable()) {
    throw wasiError(
      'WASI_FILES_UNAVAILABLE',
      'Cannot give files to a guest: this Node has no node:ffi to keep it inside them',
      {
        hint: 'Run the Node that wasmlet brings, without --no-experimental-ffi',
      },
    );
  }
  const devices = new DeviceNumbers();
  const opened: Directory[] = [];
  try {
    for (const preopen of preopens) opened.push(await open(preopen, { devices, limits }));
    return await withWorkingDirectory(opened, workingDir);
  } catch (error) {
    for (const directory of opened) void directory.close();
    throw error;
  }
}

/** A file system that says nothing for so long is not waited for: the workload's creation fails, and is tried again. */
const PATIENCE_MS = 10_000;

interface World {
  readonly devices: DeviceNumbers;
  readonly limits: WasiLimits;
}

async function open(preopen: Preopen, world: World): Promise<Directory> {
  const { guestPath } = preopen;
  if (!(guestPath.startsWith('/') || guestPath === '.') || guestPath.includes('\0')) {
    throw wasiError('WASI_BAD_OPTION', `Cannot give '${guestPath}' to a guest: the path in the guest must be absolute`);
  }
  const handle = await openHost(preopen);
  try {
    return await describe(preopen, handle, world);
  } catch (error) {
    void handle.close();
    if (isWasmletError(error)) throw error;
    throw cannotGive(preopen, error);
  }
}

/** The directory or file that a handle, opened with PATH, stands for. */
async function describe(preopen: Preopen, handle: Handle, { devices, limits }: World): Promise<Directory> {
  const { guestPath, hostPath, readOnly = false } = preopen;
  const common = { readOnly, preopen: guestPath, devices, maxEntries: limits.directoryEntries };
  const status = await answered(preopen, handle.call('statusOf', handle.fd));
  const filetype = typeof status === 'number' ? undefined : filetypeOf(status.mode >> 12);
  if (filetype === FILETYPE.DIRECTORY) {
    const at = { directory: handle.fd, path: '.', cross: true };
    const fd = await answered(preopen, handle.call('openAt', at, OPEN.RDONLY | OPEN.DIRECTORY, 0));
    if (fd < 0) throw systemError(fd, 'openat2');
    void handle.close();
    return new Directory({ ...common, handle: new Handle(fd) });
  }
  if (filetype !== undefined && filetype !== FILETYPE.SOCKET_STREAM)
    return new SingleFile({ ...common, handle, filetype });
  throw wasiError('WASI_BAD_PREOPEN', `Cannot give '${hostPath}' to a guest: it is neither a directory nor a file`);
}

/** Opens a path of the host with PATH: here where that asks nobody but this machine's kernel, else on a helper thread. */
async function openHost(preopen: Preopen): Promise<Handle> {
  const { hostPath } = preopen;
  const quick = openCached(hostPath);
  if (quick >= 0) return new Handle(quick);
  if (quick !== -constants.errno.EAGAIN) throw cannotGive(preopen, systemError(quick, 'openat2'));
  const near = openNear(hostPath);
  if (near !== undefined && near >= 0) return new Handle(near);
  try {
    const opened = offload.run('openHost', [hostPath, OPEN.PATH], { lane: FOREIGN_HOST });
    return new Handle(await answered(preopen, opened, closeDescriptor));
  } catch (cause) {
    throw cannotGive(preopen, cause);
  }
}

/** Lane of host paths whose mount is not known yet. */
const FOREIGN_HOST = -2;

/** Follows a path that begins on a local file system and stays there; undefined where it does not. */
function openNear(hostPath: string): number | undefined {
  const point = mountPointOf(hostPath);
  if (!point.local) return undefined;
  const from = openCached(point.path);
  if (from < 0) return undefined;
  const path = posix.relative(point.path, hostPath);
  const fd = openBeneath(from, path === '' ? '.' : path, { flags: OPEN.PATH, stay: true });
  closeDescriptor(from);
  return fd;
}

/** What a file system answers, unless it takes too long; what comes later is handed to `late`. */
async function answered<T>(
  { hostPath }: Preopen,
  answer: T | Promise<T>,
  late: (value: T) => unknown = () => {},
): Promise<T> {
  if (!(answer instanceof Promise)) return answer;
  const stop = new AbortController();
  const tooLong = systemClock.sleep(PATIENCE_MS, { signal: stop.signal }).then(() => {
    void answer.then(late, () => {});
    throw new Error(`the file system of '${hostPath}' does not answer`);
  });
  try {
    return await Promise.race([answer, tooLong]);
  } finally {
    tooLong.catch(() => {});
    stop.abort();
  }
}

function cannotGive({ hostPath, guestPath }: Preopen, cause: unknown): Error {
  return wasiError('WASI_BAD_PREOPEN', `Cannot give '${hostPath}' to a guest as '${guestPath}': ${messageOf(cause)}`, {
    hint: 'Create the path on the host, or correct the mount',
    cause,
  });
}

/**
 * A working directory beneath a preopen is also given as `.`: libcs without a notion of a working directory take relative
 * paths from there. It comes first: where it ties with a preopened `/`, the later one counts, and absolute paths stay right.
 */
async function withWorkingDirectory(
  opened: readonly Directory[],
  workingDir: string | undefined,
): Promise<Directory[]> {
  if (workingDir === undefined || opened.some(({ preopen }) => preopen === '.')) return [...opened];
  const path = posix.normalize(`${workingDir}/`).slice(0, -1);
  const best = opened
    .filter(({ preopen = '' }) => path !== '' && isBeneath(path, preopen))
    .sort((a, b) => (b.preopen?.length ?? 0) - (a.preopen?.length ?? 0))[0];
  if (best === undefined) return [...opened];
  try {
    const rest = posix.relative(best.preopen ?? '/', path);
    return [await best.reopen(rest === '' ? '.' : rest, { preopen: '.' }), ...opened];
  } catch (error) {
    // As with a container whose image lacks the directory: what needs it will say so.
    if (error instanceof WasiErrno) return [...opened];
    throw error;
  }
}

function isBeneath(path: string, prefix: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}
