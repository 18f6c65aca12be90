/**
 * One file mounted by itself (a termination log, a key of a configMap). Preview 1 knows preopened directories only, so it is shown as one:
 * a libc takes the longest preopen that begins a path, finds that nothing is left and opens `.`, which here is the file.
 */
import { OPEN } from '#kit/os';
import { Directory, type DirectoryOptions, OFLAGS, type OpenRequest } from './directory.ts';
import { check, fail } from './errno.ts';
import { Handle } from './handle.ts';
import { type Maybe, then } from './maybe.ts';
import { OpenFile } from './open-file.ts';
import type { FileStat, Times } from './stat.ts';

export interface SingleFileOptions extends DirectoryOptions {
  readonly filetype: number;
}

export class SingleFile extends Directory {
  readonly #file: SingleFileOptions;

  /** The handle is opened with PATH: it holds the file itself, whatever happens to its name. */
  constructor(file: SingleFileOptions) {
    super(file);
    this.#file = file;
  }

  override open(path: string, request: OpenRequest): Maybe<OpenFile> {
    this.#only(path);
    const { handle, readOnly, devices, filetype } = this.#file;
    const { read, write, oflags, fdflags } = request;
    if ((oflags & OFLAGS.DIRECTORY) !== 0) throw fail('NOTDIR');
    if ((oflags & OFLAGS.CREAT) !== 0 && (oflags & OFLAGS.EXCL) !== 0) throw fail('EXIST');
    const writable = write || (oflags & OFLAGS.TRUNC) !== 0;
    if (writable && readOnly) throw fail('ROFS');
    const access = writable ? (read ? OPEN.RDWR : OPEN.WRONLY) : OPEN.RDONLY;
    const truncate = (oflags & OFLAGS.TRUNC) !== 0 ? OPEN.TRUNC : 0;
    const append = (fdflags & 1) !== 0 ? OPEN.APPEND : 0;
    const flags = access | truncate | append | OPEN.NONBLOCK | OPEN.NOCTTY;
    // The link in /proc is ours and leads to the very file that the descriptor holds.
    return then(handle.call('openHost', `/proc/self/fd/${handle.fd}`, flags), (fd) => {
      const opened = new Handle(fd, handle.mount);
      return new OpenFile({ handle: opened, filetype, readable: read, writable, readOnly, flags: fdflags, devices });
    });
  }

  override stat(path: string): Maybe<FileStat> {
    this.#only(path);
    return this.filestat();
  }

  override setTimesAt(path: string, times: Times): Maybe<void> {
    this.#only(path);
    return this.setTimes(times);
  }

  override setTimes(times: Times): Maybe<void> {
    if (this.#file.readOnly) throw fail('ROFS');
    const { handle } = this.#file;
    return then(handle.call('setTimes', handle.fd, times), (result) => void check(result));
  }

  override async list(): Promise<never> {
    throw fail('NOTDIR');
  }

  #only(path: string): void {
    if (path !== '.' && path !== './') throw fail(path === '' ? 'NOENT' : 'NOTDIR');
  }
}
