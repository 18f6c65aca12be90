/** A directory's entries as one snapshot, bounded, with the inode numbers that `stat` will say. */
import { closeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { OPEN, openBeneath, readEntries, statusOf } from '#kit/os';
import { check, fail } from './errno.ts';
import { filetypeOf } from './stat.ts';

export interface ListingEntry {
  readonly inode: bigint;
  readonly filetype: number;
  readonly name: Uint8Array;
}

const DOT = new Uint8Array([0x2e]);
const DOT_DOT = new Uint8Array([0x2e, 0x2e]);
const DIRECTORY = 3;

/** `.` and `..` come first. `..` has the directory's own inode: what is above the directory is not the guest's to know. */
export async function readListing(fd: number, { maxEntries }: { maxEntries: number }): Promise<ListingEntry[]> {
  const status = statusOf(fd);
  const inode = typeof status === 'number' ? 0n : status.inode;
  const entries: ListingEntry[] = [
    { inode, filetype: DIRECTORY, name: DOT },
    { inode, filetype: DIRECTORY, name: DOT_DOT },
  ];
  // A descriptor of its own, because reading moves the position that all who hold the descriptor share.
  const own = check(openBeneath(fd, '.', { flags: OPEN.RDONLY | OPEN.DIRECTORY }));
  try {
    for (;;) {
      const part = check(readEntries(own)) as Exclude<ReturnType<typeof readEntries>, number>;
      if (part.length === 0) return entries;
      for (const { inode, type, name } of part) {
        if (isDot(name)) continue;
        entries.push({ inode, filetype: filetypeOf(type), name });
      }
      if (entries.length > maxEntries) throw fail('NOMEM');
      if (entries.length > 1000) await nextTurn();
    }
  } finally {
    closeSync(own);
  }
}

function isDot(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}
