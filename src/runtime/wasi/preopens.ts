/** Opens the directories and files that a guest is given, once, when it is created. */
import { closeSync, constants, openSync } from 'node:fs';
import { posix } from 'node:path';
import { messageOf } from '#kit';
import { ffiAvailable, OPEN, statusOf } from '#kit/os';
import type { Preopen, WasiLimits, WasiOptions } from './contract.ts';
import { FILETYPE } from './core/descriptor.ts';
import { Directory } from './core/directory.ts';
import { WasiErrno } from './core/errno.ts';
import { SingleFile } from './core/single-file.ts';
import { DeviceNumbers, filetypeOf } from './core/stat.ts';
import { wasiError } from './errors.ts';

/** In the order in which guests see them. On an error nothing stays open. */
export function openPreopens(options: WasiOptions, limits: WasiLimits): Directory[] {
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
    for (const preopen of preopens) opened.push(open(preopen, { devices, limits }));
    return withWorkingDirectory(opened, workingDir);
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
 * A working directory beneath a preopen is also given as `.`: libcs without a notion of a working directory take relative
 * paths from there. It comes first: where it ties with a preopened `/`, the later one counts, and absolute paths stay right.
 */
function withWorkingDirectory(opened: readonly Directory[], workingDir: string | undefined): Directory[] {
  if (workingDir === undefined || opened.some(({ preopen }) => preopen === '.')) return [...opened];
  const path = posix.normalize(`${workingDir}/`).slice(0, -1);
  const best = opened
    .filter(({ preopen = '' }) => path !== '' && isBeneath(path, preopen))
    .sort((a, b) => (b.preopen?.length ?? 0) - (a.preopen?.length ?? 0))[0];
  if (best === undefined) return [...opened];
  try {
    const rest = posix.relative(best.preopen ?? '/', path);
    return [best.reopen(rest === '' ? '.' : rest, { preopen: '.' }), ...opened];
  } catch (error) {
    // As with a container whose image lacks the directory: what needs it will say so.
    if (error instanceof WasiErrno) return [...opened];
    throw error;
  }
}

function isBeneath(path: string, prefix: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
}
