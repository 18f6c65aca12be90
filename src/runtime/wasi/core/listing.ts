/** A directory's entries as one snapshot, bounded, with the inode numbers that `stat` will say. */
import { constants } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { closeDescriptor, type DirectoryEntry, OPEN, openBeneath, type Result, readEntries, statusOf } from '#kit/os';
import { check } from './errno.ts';
import { filetypeOf } from './stat.ts';

export interface ListingEntry {
  readonly inode: bigint;
  readonly filetype: number;
  readonly name: Uint8Array;
}

export interface Names {
  /** Of the directory itself. */
  readonly inode: bigint;
  readonly entries: DirectoryEntry[];
}

const DOT = new Uint8Array([0x2e]);
const DOT_DOT = new Uint8Array([0x2e, 0x2e]);
const DIRECTORY = 3;
/** Of an entry, beside its name. */
const ENTRY_BYTES = 200;
/** So many names are read before others get their turn. */
const PART = 1000;

/** Reads a directory to its end by a descriptor of its own, because reading moves the position that all who hold it share. */
export function readNames(fd: number, maxEntries: number): Names | Result {
  const reader = new NameReader(fd, maxEntries);
  try {
    while (reader.read() > 0);
    return reader.failed < 0 ? reader.failed : reader.names;
  } finally {
    reader.close();
  }
}

/** As `readNames`, with others' turns between. */
export async function readNamesInParts(fd: number, maxEntries: number): Promise<Names> {
  const reader = new NameReader(fd, maxEntries);
  try {
    while (reader.read() > 0) if (reader.names.entries.length > PART) await nextTurn();
    check(reader.failed);
    return reader.names;
  } finally {
    reader.close();
  }
}

class NameReader {
  readonly names: { inode: bigint; entries: DirectoryEntry[] } = { inode: 0n, entries: [] };
  readonly #own: Result;
  readonly #most: number;
  failed: Result = 0;

  constructor(fd: number, maxEntries: number) {
    this.#most = maxEntries;
    const status = statusOf(fd);
    if (typeof status !== 'number') this.names.inode = status.inode;
    this.#own = openBeneath(fd, '.', { flags: OPEN.RDONLY | OPEN.DIRECTORY });
    if (this.#own < 0) this.failed = this.#own;
  }

  /** How many names came; 0 at the end and on failure. */
  read(): number {
    if (this.failed < 0) return 0;
    const part = readEntries(this.#own);
    if (typeof part === 'number') {
      this.failed = part;
      return 0;
    }
    for (const entry of part) if (!isDot(entry.name)) this.names.entries.push(entry);
    if (this.names.entries.length > this.#most) this.failed = -constants.errno.ENOMEM;
    return part.length;
  }

  close(): void {
    if (this.#own >= 0) closeDescriptor(this.#own);
  }
}

/** `.` and `..` come first. `..` has the directory's own inode: what is above the directory is not the guest's to know. */
export function listingOf({ inode, entries }: Names): ListingEntry[] {
  const listing: ListingEntry[] = [
    { inode, filetype: DIRECTORY, name: DOT },
    { inode, filetype: DIRECTORY, name: DOT_DOT },
  ];
  for (const { inode, type, name } of entries) listing.push({ inode, filetype: filetypeOf(type), name });
  return listing;
}

/** Bytes that a listing takes in this process, roughly. */
export function bytesOf(listing: readonly ListingEntry[]): number {
  let bytes = 0;
  for (const { name } of listing) bytes += ENTRY_BYTES + name.byteLength;
  return bytes;
}

function isDot(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}
