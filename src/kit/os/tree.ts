/**
 * A folder whose contents belong to somebody who is not trusted, while this process may do more than they: a tenant's files, as the node
 * sees them. Whoever owns what is below can put links, pipes and other files there, between any two steps of ours. So no path below the
 * root is ever given to the kernel as a path to follow: the folder in question is opened without links on the way (`openat2` with
 * RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; name by name with O_NOFOLLOW where there is no `node:ffi`), and what is done is done to one name in it,
 * through `/proc/self/fd/<folder>/<name>`, by calls that do not follow that name. Files are ordinary ones with one name, or are not read.
 *
 * Everything here is one look-up and a few calls that wait for no content, so it is done at once, on this thread; what takes long
 * (removal, content of any size) leaves it.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { constants as osConstants } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import { checked, systemError } from './errno.ts';
import { ffiAvailable } from './ffi.ts';
import { OPEN, openBeneath } from './files.ts';
import { clearFolder, hasCode, openFolder, removeFile } from './tree-removal.ts';

const { EINVAL, EISDIR, ENOENT, ENOTEMPTY, EXDEV } = osConstants.errno;
/** A neighbour that puts things back faster than they are taken away must not keep us for ever. */
const TRIES = 16;
const READ_FOLDER = OPEN.RDONLY | OPEN.DIRECTORY | OPEN.NOFOLLOW;

/** A folder that is open: a place for names, wherever it is moved to meanwhile. */
export class OpenFolder implements Disposable {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** A path for calls that do not follow its last name. */
  at(name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/')) throw systemError(EINVAL, `name '${name}'`);
    return `/proc/self/fd/${this.fd}/${name}`;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

export interface NewFile {
  readonly content: Uint8Array | string;
  /** Permissions, whatever the umask. */
  readonly mode: number;
}

export class Tree {
  readonly root: string;

  /** The root itself is trusted: whoever owns what is in it cannot move or replace it. */
  constructor(root: string) {
    this.root = root;
  }

  /** Throws ENOENT, ENOTDIR or ELOOP (a link on the way). Paths, here and below, are absolute or relative to the root. */
  folder(path: string): OpenFolder {
    return new OpenFolder(this.#open(this.#names(path), READ_FOLDER));
  }

  /** Makes what is not there, with these permissions (whatever the umask) and the root's owner; what is there stays as it is. */
  makeFolder(path: string, { mode = 0o755 }: { readonly mode?: number } = {}): void {
    using _made = this.#made(this.#names(path), mode);
  }

  /** As `makeFolder`, with the permissions set also on what is there. */
  makeFolderWith(path: string, mode: number): void {
    using folder = this.#made(this.#names(path), mode);
    if ((fstatSync(folder.fd).mode & 0o7777) !== mode) fchmodSync(folder.fd, mode);
  }

  /** An ordinary file, open for reading; undefined for anything else: links, also hard ones, pipes, devices, folders, nothing. */
  openFile(path: string): { readonly fd: number; readonly stats: Stats } | undefined {
    let found: number;
    try {
      // Not opened to read before it is known what it is: that alone can wait, or do something.
      found = this.#open(this.#names(path), OPEN.PATH | OPEN.NOFOLLOW);
    } catch {
      return undefined;
    }
    try {
      if (!isOrdinary(fstatSync(found))) return undefined;
      const fd = openSync(`/proc/self/fd/${found}`, OPEN.RDONLY | OPEN.NONBLOCK | OPEN.NOCTTY);
      return { fd, stats: fstatSync(fd) };
    } catch {
      return undefined;
    } finally {
      closeSync(found);
    }
  }

  /** The content of an ordinary file of at most `most` bytes; undefined for anything else. */
  read(path: string, most: number): Buffer | undefined {
    const file = this.openFile(path);
    if (file === undefined) return undefined;
    try {
      if (file.stats.size > most) return undefined;
      const buffer = Buffer.alloc(Math.min(file.stats.size, most));
      return buffer.subarray(0, readSync(file.fd, buffer, 0, buffer.length, 0));
    } catch {
      return undefined;
    } finally {
      closeSync(file.fd);
    }
  }

  /** Names in a folder, at most so many; none where there is no such folder. */
  names(path: string, most: number): string[] {
    const found: string[] = [];
    try {
      using folder = this.folder(path);
      const directory = opendirSync(`/proc/self/fd/${folder.fd}`);
      try {
        for (let entry = directory.readSync(); entry !== null && found.length < most; entry = directory.readSync())
          found.push(entry.name);
      } finally {
        directory.closeSync();
      }
    } catch {
      return found;
    }
    return found;
  }

  /** Whatever had the name makes room, but for a folder: EISDIR. The file has the root's owner. */
  writeFile(path: string, { content, mode }: NewFile): void {
    const { folder, name } = this.#parent(path);
    using parent = folder;
    const fd = createFresh(parent.at(name));
    try {
      const bytes = Buffer.from(content as Uint8Array);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      fchmodSync(fd, mode);
      this.#give(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** False when something has the name already. */
  makeLink(path: string, target: string): boolean {
    const { folder, name } = this.#parent(path);
    using parent = folder;
    try {
      symlinkSync(target, parent.at(name));
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    }
  }

  /** The text of a link; undefined where there is none. */
  readLink(path: string): string | undefined {
    try {
      const { folder, name } = this.#parent(path);
      using parent = folder;
      return readlinkSync(parent.at(name));
    } catch {
      return undefined;
    }
  }

  rename(from: string, to: string): void {
    const before = this.#parent(from);
    using old = before.folder;
    const after = this.#parent(to);
    using next = after.folder;
    renameSync(old.at(before.name), next.at(after.name));
  }

  /** Removes a name with all below it, on its own file system; no link is followed. Not there, or behind a link: nothing to do. */
  async remove(path: string): Promise<void> {
    let parent: { readonly folder: OpenFolder; readonly name: string };
    try {
      parent = this.#parent(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return;
      throw error;
    }
    using folder = parent.folder;
    const at = folder.at(parent.name);
    for (let tries = 0; tries < TRIES; tries++) if (await removeOnce(at)) return;
    throw systemError(ENOTEMPTY, `rmdir '${path}'`);
  }

  /**
   * Where a path below a folder of a volume leads, as a path of the host, with the folders that are missing made. Links are followed, as
   * far as they stay in the folder: EXDEV else. Needs `node:ffi`.
   */
  resolve(path: string, inner: readonly string[]): string {
    using folder = this.folder(path);
    if (inner.some((name) => name === '..')) throw systemError(EINVAL, 'path with ..');
    for (let count = 1; count <= inner.length; count++) this.#step(folder, inner.slice(0, count));
    const fd = checked(openBeneath(folder.fd, join('.', ...inner), { flags: OPEN.PATH }), `open '${inner.join('/')}'`);
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  }

  #step(folder: OpenFolder, inner: readonly string[]): void {
    const found = openBeneath(folder.fd, join(...inner), { flags: OPEN.PATH });
    if (found >= 0) closeSync(found);
    if (found !== -ENOENT) return void checked(found, `open '${inner.join('/')}'`);
    const above = openBeneath(folder.fd, join('.', ...inner.slice(0, -1)), { flags: READ_FOLDER & ~OPEN.NOFOLLOW });
    using parent = new OpenFolder(checked(above, `open '${inner.slice(0, -1).join('/')}'`));
    try {
      mkdirSync(parent.at(inner.at(-1) ?? ''), 0o777);
    } catch (error) {
      // A link to nothing, which the next look finds to be that; or somebody was quicker.
      if (!hasCode(error, 'EEXIST')) throw error;
      return;
    }
    const made = openBeneath(folder.fd, join(...inner), { flags: READ_FOLDER });
    if (made < 0) return;
    this.#give(made);
    closeSync(made);
  }

  #names(path: string): readonly string[] {
    const names = (isAbsolute(path) ? relative(this.root, path) : path)
      .split('/')
      .filter((name) => name !== '' && name !== '.');
    if (names.includes('..') || path.includes('\0')) throw systemError(EXDEV, `path '${path}'`);
    return names;
  }

  #parent(path: string): { readonly folder: OpenFolder; readonly name: string } {
    const names = this.#names(path);
    const name = names.at(-1);
    if (name === undefined) throw systemError(EINVAL, `path '${path}'`);
    return { folder: new OpenFolder(this.#open(names.slice(0, -1), READ_FOLDER)), name };
  }

  #made(names: readonly string[], mode: number): OpenFolder {
    const found = this.#find(names, READ_FOLDER);
    if (found !== -ENOENT) return new OpenFolder(checked(found, `open '${names.join('/')}'`));
    using parent = this.#made(names.slice(0, -1), 0o755);
    const at = parent.at(names.at(-1) ?? '');
    let isNew = true;
    try {
      mkdirSync(at, mode);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      isNew = false;
    }
    const folder = new OpenFolder(openSync(at, READ_FOLDER));
    // The umask may have taken some away.
    if (isNew) fchmodSync(folder.fd, mode);
    if (isNew) this.#give(folder.fd);
    return folder;
  }

  /** What is made here is the tenant's, where this process may give files away; so no right over others' files is needed to use it. */
  #give(fd: number): void {
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = lstatSync(this.root);
    if (uid === 0) return;
    try {
      fchownSync(fd, uid, gid);
    } catch (error) {
      // Root in name only.
      if (!hasCode(error, 'EPERM', 'EINVAL')) throw error;
    }
  }

  #open(names: readonly string[], flags: number): number {
    return checked(this.#find(names, flags), `open '${names.join('/')}'`);
  }

  /** Or the negated errno; a root that is not there throws. */
  #find(names: readonly string[], flags: number): number {
    const root = openSync(this.root, READ_FOLDER);
    if (names.length === 0) return root;
    try {
      return ffiAvailable() ? openBeneath(root, names.join('/'), { flags, links: false }) : walk(root, names, flags);
    } catch (error) {
      return -Math.abs((error as NodeJS.ErrnoException).errno ?? EINVAL);
    } finally {
      closeSync(root);
    }
  }
}

function isOrdinary(stats: Stats): boolean {
  return stats.isFile() && stats.nlink === 1;
}

/** Name by name, each as one name of an open folder. */
function walk(root: number, names: readonly string[], flags: number): number {
  let at = root;
  try {
    for (const [index, name] of names.entries()) {
      const last = index === names.length - 1;
      const next = openSync(`/proc/self/fd/${at}/${name}`, last ? flags | OPEN.NOFOLLOW : OPEN.PATH | READ_FOLDER);
      if (at !== root) closeSync(at);
      at = next;
    }
    return at;
  } catch (error) {
    if (at !== root) closeSync(at);
    throw error;
  }
}

function createFresh(at: string): number {
  for (let tries = 0; ; tries++) {
    try {
      // O_EXCL: not even a link that leads nowhere is followed.
      return openSync(at, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    } catch (error) {
      if (!hasCode(error, 'EEXIST') || tries === TRIES) throw error;
    }
    try {
      unlinkSync(at);
    } catch (error) {
      if (hasCode(error, 'EISDIR', 'EPERM')) throw systemError(EISDIR, `open '${at}'`);
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}

/** False when something else stands there now. */
async function removeOnce(at: string): Promise<boolean> {
  if (await removeFile(at)) return true;
  const fd = openFolder(at);
  if (fd === undefined) return false;
  using folder = new OpenFolder(fd);
  await clearFolder(folder.fd);
  try {
    rmdirSync(at);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    if (hasCode(error, 'ENOTDIR', 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}
