/** Opens the directories and files that a guest is given, once, when it is created. */
import { closeSync, constants, openSync } from 'node:fs';
import { posix } from 'node:path';
import { messageOf } from '#kit';
import { ffiAvailable, OPEN, statusOf } from '#kit/os';
import type { Preopen, WasiLimits, WasiOptions } from './contract.ts';
import { FILETYPE } from './core/descriptor.ts';
import { Directory } from './core/directory.ts';
import { SingleFile } from './core/single-file.ts';
import { DeviceNumbers, filetypeOf } from './core/stat.ts';
import { wasiError } from './errors.ts';

/** In the order in which guests see them. On an error nothing stays open. */
export function openPreopens(options: WasiOptions, limits: WasiLimits): Directory[] {
  const preopens = withWorkingDirectory(options);
  if (preopens.length === 0) return [];
  if (!ffiAvailable()) {
    throw wasiError('WASI_NO_FFI', 'Cannot give files to a guest: this Node has no node:ffi to keep it inside them', {
      hint: 'Run the Node that wasmlet brings, without --no-experimental-ffi',
    });
  }
  const devices = new DeviceNumbers();
  const opened: Directory[] = [];
  try {
    for (const preopen of preopens) opened.push(open(preopen, { devices, limits }));
    return opened;
  } catch (error) {
    for (const directory of opened) directory.close();
    throw error;
  }
}

function open(preopen: Preopen, { devices, limits }: { devices: DeviceNumbers; limits: WasiLimits }): Directory {
  const { guestPath, hostPath, readOnly = false } = preopen;
  if (!(guestPath.startsWith('/') || guestPath === '.') || guestPath.includes('\0')) {
    throw wasiError('WASI_BAD_OPTION', `Cannot give '${guestPath}' to a guest: the path in the guest must be absolute`);
  }
  const fd = openHost(preopen, OPEN.PATH);
  const status = statusOf(fd);
  const filetype = typeof status === 'number' ? undefined : filetypeOf(status.mode >> 12);
  const common = { readOnly, preopen: guestPath, devices, maxEntries: limits.directoryEntries };
  if (filetype === FILETYPE.DIRECTORY) {
    closeSync(fd);
    return new Directory({ ...common, fd: openHost(preopen, constants.O_RDONLY | OPEN.DIRECTORY) });
  }
  if (filetype !== undefined && filetype !== FILETYPE.SOCKET_STREAM) return new SingleFile({ ...common, fd });
  closeSync(fd);
  throw wasiError('WASI_BAD_PREOPEN', `Cannot give '${hostPath}' to a guest: it is neither a directory nor a file`);
}

function openHost({ hostPath, guestPath }: Preopen, flags: number): number {
  try {
    return openSync(hostPath, flags | OPEN.CLOEXEC);
  } catch (cause) {
    throw wasiError('WASI_BAD_PREOPEN', `Cannot give '${hostPath}' to a guest as '${guestPath}': ${messageOf(cause)}`, {
      hint: 'Create the path on the host, or correct the mount',
      cause,
    });
  }
}

/**
 * A working directory beneath a preopen is also given as `.`: libcs without a notion of a working directory
 * take relative paths from there. It comes first, so that where it ties with a preopened `/`, absolute paths stay right.
 */
function withWorkingDirectory({ preopens = [], workingDir }: WasiOptions): readonly Preopen[] {
  if (workingDir === undefined || preopens.some(({ guestPath }) => guestPath === '.')) return preopens;
  const best = preopens
    .filter(({ guestPath }) => beneath(workingDir, guestPath))
    .sort((a, b) => b.guestPath.length - a.guestPath.length)[0];
  if (best === undefined || best.guestPath !== posix.normalize(workingDir)) return preopens;
  return [{ ...best, guestPath: '.' }, ...preopens];
}

function beneath(path: string, prefix: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}
