/**
 * Directories and files that are made of functions: read-only, found by name in a tree, their contents taken when they are opened.
 * They stand in a guest's table as its other directories do and touch no file of the host, so no path leads out of them.
 */
import {
  type Buffers,
  Descriptor,
  FDFLAGS,
  type FdStat,
  FILETYPE,
  type Readiness,
  RIGHTS,
  type Whence,
} from '../wasi/core/descriptor.ts';
import { Directory, OFLAGS, type OpenRequest } from '../wasi/core/directory.ts';
import { fail } from '../wasi/core/errno.ts';
import type { ListingEntry } from '../wasi/core/listing.ts';
import { DeviceNumbers, type FileStat } from '../wasi/core/stat.ts';

export type Node =
  | { readonly kind: 'file'; readonly read: () => string }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'directory'; readonly entries: () => ReadonlyMap<string, Node> };

export type DirectoryNode = Extract<Node, { kind: 'directory' }>;

export function file(read: () => string): Node {
  return { kind: 'file', read };
}

export function directory(entries: Readonly<Record<string, Node>>): DirectoryNode {
  const map = new Map(Object.entries(entries));
  return { kind: 'directory', entries: () => map };
}

const TYPES = { file: FILETYPE.REGULAR_FILE, link: FILETYPE.SYMBOLIC_LINK, directory: FILETYPE.DIRECTORY } as const;
/** Bits of `st_mode`. */
const MODES = { file: 0o100444, link: 0o120777, directory: 0o040555 } as const;

interface Place {
  readonly node: Node;
  /** From the root of the tree on; tells places apart. */
  readonly path: string;
}

export interface VirtualOptions {
  readonly place: Place;
  readonly preopen?: string | undefined;
}

export class VirtualDirectory extends Directory {
  readonly #place: Place;

  constructor({ place, preopen }: VirtualOptions) {
    // Nothing of the host's stands behind it; every call that would use it is answered here, or is refused because it is read-only.
    super({ readOnly: true, preopen, devices: new DeviceNumbers(), maxEntries: 0 } as ConstructorParameters<
      typeof Directory
    >[0]);
    this.#place = place;
  }

  /** `st_mode` of what this is. */
  get viewMode(): number {
    return MODES.directory;
  }

  override get heldBytes(): number {
    return 0;
  }

  override close(): void {}

  override filestat(): FileStat {
    return statOf(this.#place);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a file that is no file of the host's stands in for one
  override open(path: string, { follow, oflags, write }: OpenRequest): any {
    const creates = (oflags & OFLAGS.CREAT) !== 0;
    const found = this.#find(path, { creates });
    if (creates && (oflags & OFLAGS.EXCL) !== 0) throw fail('EXIST');
    if (write || (oflags & OFLAGS.TRUNC) !== 0) throw fail('ROFS');
    if (found.node.kind === 'link') throw fail(follow ? 'NOENT' : 'LOOP');
    if (found.node.kind === 'directory') return new VirtualDirectory({ place: found });
    if ((oflags & OFLAGS.DIRECTORY) !== 0) throw fail('NOTDIR');
    return new VirtualFile(found);
  }

  override stat(path: string, { follow }: { follow: boolean }): FileStat {
    const found = this.#find(path);
    if (found.node.kind === 'link' && follow) throw fail('NOENT');
    return statOf(found);
  }

  override setTimes(): never {
    throw fail('ROFS');
  }

  override setTimesAt(): never {
    throw fail('ROFS');
  }

  override readLink(path: string): Uint8Array {
    const { node } = this.#find(path);
    if (node.kind !== 'link') throw fail('INVAL');
    return new Uint8Array(Buffer.from(node.target));
  }

  override async reopen(path: string, { preopen }: { preopen: string }): Promise<Directory> {
    const found = this.#find(path);
    if (found.node.kind !== 'directory') throw fail('NOTDIR');
    return new VirtualDirectory({ place: found, preopen });
  }

  override async list(cookie: bigint): Promise<readonly ListingEntry[]> {
    const { node, path } = this.#place;
    const entries = node.kind === 'directory' ? node.entries() : new Map<string, Node>();
    const listed = [...entries].map(([name, child]) => entryOf(name, { node: child, path: `${path}/${name}` }));
    const all = [entryOf('.', this.#place), entryOf('..', this.#place), ...listed];
    return cookie >= BigInt(all.length) ? [] : all.slice(Number(cookie));
  }

  /** Also with the other directory of a `rename` or `link`, which this can be neither end of. */
  #find(path: string, { creates = false }: { creates?: boolean } = {}): Place {
    if (path === '') throw fail('NOENT');
    if (path.includes('\0')) throw fail('INVAL');
    if (path.startsWith('/')) throw fail('PERM');
    const way: Place[] = [this.#place];
    for (const name of path.split('/')) {
      const here = way.at(-1) ?? this.#place;
      if (here.node.kind !== 'directory') throw fail('NOTDIR');
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (way.length === 1) throw fail('PERM');
        way.pop();
        continue;
      }
      const node = here.node.entries().get(name);
      if (node === undefined) throw fail(creates ? 'ROFS' : 'NOENT');
      way.push({ node, path: `${here.path}/${name}` });
    }
    return way.at(-1) ?? this.#place;
  }
}

export class VirtualFile extends Descriptor {
  readonly #place: Place;
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(place: Place) {
    super();
    this.#place = place;
    this.#bytes = new Uint8Array(place.node.kind === 'file' ? Buffer.from(place.node.read()) : []);
  }

  get viewMode(): number {
    return MODES.file;
  }

  override get heldBytes(): number {
    return this.#bytes.byteLength;
  }

  fdstat(): FdStat {
    const rights = RIGHTS.FD_READ | RIGHTS.FD_SEEK | RIGHTS.FD_TELL | RIGHTS.FD_FILESTAT_GET | RIGHTS.POLL_FD_READWRITE;
    return { filetype: FILETYPE.REGULAR_FILE, flags: 0, rights, inheriting: 0n };
  }

  filestat(): FileStat {
    return { ...statOf(this.#place), size: BigInt(this.#bytes.byteLength) };
  }

  override setFlags(flags: number): void {
    if ((flags & ~FDFLAGS.NONBLOCK) !== 0) throw fail('INVAL');
  }

  override read(buffers: Buffers): number {
    const moved = this.readAt(buffers, BigInt(this.#position));
    this.#position += moved;
    return moved;
  }

  override readAt(buffers: Buffers, offset: bigint): number {
    let at = offset > BigInt(this.#bytes.byteLength) ? this.#bytes.byteLength : Number(offset);
    const from = at;
    for (const buffer of buffers) {
      const part = this.#bytes.subarray(at, at + buffer.byteLength);
      buffer.set(part);
      at += part.byteLength;
    }
    return at - from;
  }

  override seek(offset: bigint, whence: Whence): bigint {
    const from = whence === 'set' ? 0 : whence === 'current' ? this.#position : this.#bytes.byteLength;
    const next = BigInt(from) + offset;
    if (next < 0n || next > BigInt(Number.MAX_SAFE_INTEGER)) throw fail('INVAL');
    this.#position = Number(next);
    return next;
  }

  override readable(): Readiness {
    return { bytes: Math.max(0, this.#bytes.byteLength - this.#position), hangup: false };
  }

  override setTimes(): never {
    throw fail('ROFS');
  }
}

function statOf({ node, path }: Place): FileStat {
  const size = node.kind === 'link' ? BigInt(Buffer.byteLength(node.target)) : 0n;
  const times = { accessed: 0n, modified: 0n, changed: 0n };
  return { device: 0n, inode: inodeOf(path), filetype: TYPES[node.kind], links: 1n, size, ...times };
}

function entryOf(name: string, place: Place): ListingEntry {
  return { inode: inodeOf(place.path), filetype: TYPES[place.node.kind], name: new Uint8Array(Buffer.from(name)) };
}

/** FNV-1a of the path: the same each time, and never 0. */
function inodeOf(path: string): bigint {
  let hash = 0x811c9dc5;
  for (let at = 0; at < path.length; at++) hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
  return BigInt(hash >>> 0) + 1n;
}
