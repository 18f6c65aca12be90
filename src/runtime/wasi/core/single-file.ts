/**
 * One file mounted by itself (a termination log, a key of a configMap). Preview 1 knows preopened directories only, so it is shown as one:
 * a libc takes the longest preopen that begins a path, finds that nothing is left and opens `.`, which here is the file.
 */
import { closeSync, openSync } from 'node:fs';
import { OPEN, setTimes, statusOf } from '#kit/os';
import { Directory, type DirectoryOptions, OFLAGS, type OpenRequest } from './directory.ts';
import { check, fail } from './errno.ts';
import { OpenFile } from './open-file.ts';
import { type FileStat, filetypeOf, type Times } from './stat.ts';

export class SingleFile extends Directory {
  readonly #file: DirectoryOptions;

  /** `fd` is opened with PATH: it holds the file itself, whatever happens to its name. */
  constructor(file: DirectoryOptions) {
    super(file);
    this.#file = file;
  }

  override open(path: string, request: OpenRequest): OpenFile {
    this.#only(path);
    const { fd, readOnly, devices } = this.#file;
    const { read, write, oflags, fdflags } = request;
    if ((oflags & OFLAGS.DIRECTORY) !== 0) throw fail('NOTDIR');
    if ((oflags & OFLAGS.CREAT) !== 0 && (oflags & OFLAGS.EXCL) !== 0) throw fail('EXIST');
    const writable = write || (oflags & OFLAGS.TRUNC) !== 0;
    if (writable && readOnly) throw fail('ROFS');
    const access = writable ? (read ? OPEN.RDWR : OPEN.WRONLY) : OPEN.RDONLY;
    const truncate = (oflags & OFLAGS.TRUNC) !== 0 ? OPEN.TRUNC : 0;
    const append = (fdflags & 1) !== 0 ? OPEN.APPEND : 0;
    // The link in /proc is ours and leads to the very file that the descriptor holds.
    const opened = openSync(`/proc/self/fd/${fd}`, access | truncate | append | OPEN.NONBLOCK | OPEN.NOCTTY);
    const { filetype } = this.filestat();
    return new OpenFile({ fd: opened, filetype, readable: read, writable, readOnly, flags: fdflags, devices });
  }

  override stat(path: string): FileStat {
    this.#only(path);
    return this.filestat();
  }

  override setTimesAt(path: string, times: Times): void {
    this.#only(path);
    this.setTimes(times);
  }

  override setTimes(times: Times): void {
    if (this.#file.readOnly) throw fail('ROFS');
    check(setTimes(this.#file.fd, times));
  }

  override async list(): Promise<never> {
    throw fail('NOTDIR');
  }

  #only(path: string): void {
    if (path !== '.' && path !== './') throw fail(path === '' ? 'NOENT' : 'NOTDIR');
  }
}

/** Whether a descriptor opened with PATH is a directory; closes it and throws when it is neither that nor a file. */
export function isDirectoryFd(fd: number): boolean {
  const status = statusOf(fd);
  if (typeof status !== 'number') return filetypeOf(status.mode >> 12) === 3;
  closeSync(fd);
  throw fail('IO');
}
