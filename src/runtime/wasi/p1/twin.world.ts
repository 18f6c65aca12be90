/** What the cases of the twin suite have in common: the descriptors of their world, and the errors of every path. */
import type { ErrnoName } from '../core/errno.ts';
import type { Argument, Caller } from './caller.ts';

/** Descriptors of the world: 0 to 2 are streams, 3 may be changed, 4 is read-only. */
export const DIR = 3;
export const FIXED = 4;
export const NONE = 99;
/** Outside of the guest's memory. */
export const OUT = 0xffff_fff0;
export const READ = 2n;
export const WRITE = 64n;
const LONG_NAME = 'x'.repeat(300);

export type Case = readonly [errno: ErrnoName, args: (guest: Caller) => readonly Argument[]];

/** The same errors of every function that takes a path as descriptor, address, length. */
export function pathErrors(
  args: (guest: Caller, fd: number, path: readonly [number, number]) => readonly Argument[],
): Case[] {
  const path = (errno: ErrnoName, text: string | Uint8Array, fd = DIR): Case => [
    errno,
    (guest) => args(guest, fd, guest.bytes(text)),
  ];
  return [
    path('BADF', 'file', NONE),
    path('BADF', 'file', 1),
    path('PERM', '../outside'),
    path('PERM', '/outside'),
    path('PERM', 'up/x/y'),
    path('NOENT', ''),
    path('NOENT', 'missing/x'),
    path('NOTDIR', 'file/x'),
    path('LOOP', 'loop/x'),
    path('NAMETOOLONG', LONG_NAME),
    path('NAMETOOLONG', 'x/'.repeat(3000)),
    path('ILSEQ', new Uint8Array([0x66, 0xff])),
    path('INVAL', 'a\0b'),
    ['FAULT', (guest) => args(guest, DIR, [OUT, 64])],
  ];
}

/** What every function answers for a descriptor that is not there. */
export function noDescriptor(...rest: readonly Argument[]): Case {
  return ['BADF', () => [NONE, ...rest]];
}
