/**
 * Calls on files that may have to wait for a disk, a program or another machine, as functions of plain data: they run on the guest's
 * thread where the file system is this machine's, and on a helper thread else (`offload.ts`).
 */
import { openSync } from 'node:fs';
import {
  advise,
  closeDescriptor,
  existsAt,
  linkAt,
  makeDirectoryAt,
  makeLinkAt,
  openAndLook,
  openAt,
  readAt,
  readAttribute,
  readLinkAt,
  removeAt,
  renameAt,
  reserve,
  setTimes,
  setTimesAt,
  statusAt,
  statusOf,
  synchronise,
  truncate,
  writeAt,
  writeAttribute,
} from '#kit/os';
import { readNames } from './listing.ts';

/** Opens a path of the host as Node does; throws its error. */
function openHost(path: string, flags: number): number {
  return openSync(path, flags);
}

export const BLOCKING = {
  advise,
  closeDescriptor,
  existsAt,
  linkAt,
  makeDirectoryAt,
  makeLinkAt,
  openAndLook,
  openAt,
  openHost,
  readAt,
  readAttribute,
  readLinkAt,
  readNames,
  removeAt,
  renameAt,
  reserve,
  setTimes,
  setTimesAt,
  statusAt,
  statusOf,
  synchronise,
  truncate,
  writeAt,
  writeAttribute,
} as const;

export type Blocking = typeof BLOCKING;
export type BlockingName = keyof Blocking;
