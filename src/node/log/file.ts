/**
 * A log file that a sandbox writes, opened without trust: below its tenant's directory, a plain file, never waited for.
 */
import { close, fstat, read, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Tree } from '#kit/os';

const readFd = promisify(read);
const closeFd = promisify(close);
const statFd = promisify(fstat);
const MAX_ROTATED = 64;
/** A container that restarted has a few files a try. */
const MOST_NAMES = 10_000;

export class OpenFile implements AsyncDisposable {
  readonly fd: number;
  readonly inode: number;

  constructor(fd: number, { ino }: Stats) {
    this.fd = fd;
    this.inode = ino;
  }

  async size(): Promise<number> {
    return (await statFd(this.fd)).size;
  }

  /** At most `buffer`'s length; empty at the end. */
  async read(buffer: Buffer, position: number): Promise<Buffer> {
    const { bytesRead } = await readFd(this.fd, buffer, 0, buffer.length, position);
    return buffer.subarray(0, bytesRead);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeFd(this.fd);
  }
}

/** undefined if there is no such file, or something there that is not one. */
export async function openLog(root: string, path: string): Promise<OpenFile | undefined> {
  const found = new Tree(root).openFile(path);
  return found === undefined ? undefined : new OpenFile(found.fd, found.stats);
}

/** The rotated files of a log, the oldest first: `<path>.<date>-<time>[.<number>]`. */
export function rotatedOf(root: string, path: string): string[] {
  const prefix = `${basename(path)}.`;
  return new Tree(root)
    .names(dirname(path), MOST_NAMES)
    .filter((name) => name.startsWith(prefix) && /^\d{8}-\d{6}(\.\d{6})?$/.test(name.slice(prefix.length)))
    .sort()
    .slice(0, MAX_ROTATED)
    .map((name) => join(dirname(path), name));
}
