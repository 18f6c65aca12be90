/**
 * A log file that a sandbox writes, opened without trust: below its tenant's directory, a plain file, never waited for.
 */
import { close, fstat, openSync, read, type Stats } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { OPEN, openBeneath } from '#kit/os';

const readFd = promisify(read);
const closeFd = promisify(close);
const statFd = promisify(fstat);
const MAX_ROTATED = 64;

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
  let directory: number;
  try {
    directory = openSync(root, OPEN.DIRECTORY | OPEN.RDONLY);
  } catch {
    return undefined;
  }
  const flags = OPEN.RDONLY | OPEN.NOFOLLOW | OPEN.NONBLOCK;
  const fd = openBeneath(directory, relative(root, path), { flags });
  await closeFd(directory);
  if (fd < 0) return undefined;
  const stats = await statFd(fd);
  if (stats.isFile()) return new OpenFile(fd, stats);
  await closeFd(fd);
  return undefined;
}

/** The rotated files of a log, the oldest first: `<path>.<date>-<time>[.<number>]`. */
export async function rotatedOf(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  const found: string[] = [];
  try {
    for await (const { name } of await opendir(dirname(path))) {
      if (name.startsWith(prefix) && /^\d{8}-\d{6}(\.\d{6})?$/.test(name.slice(prefix.length))) found.push(name);
      if (found.length >= MAX_ROTATED) break;
    }
  } catch {
    return [];
  }
  return found.sort().map((name) => join(dirname(path), name));
}
