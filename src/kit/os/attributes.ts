/** Extended attributes of open files. Source: Linux `fs/xattr.c`; numbers from `asm/unistd_64.h` and `asm-generic/unistd.h`. */
import { constants } from 'node:os';
import { cString, pointerTo, type Result, syscall } from './ffi.ts';

const CALLS = process.arch === 'arm64' ? { set: 7, get: 10 } : { set: 190, get: 193 };
/** Longer values are nobody's that we know. */
const VALUE_BYTES = 256;
const value = new Uint8Array(new ArrayBuffer(VALUE_BYTES));

/** The value; undefined where the file has none, or the file system none at all. */
export function readAttribute(fd: number, name: string): Uint8Array | undefined | Result {
  const text = cString(name);
  const length = syscall(CALLS.get, fd, pointerTo(text), pointerTo(value), VALUE_BYTES);
  if (length >= 0) return value.slice(0, length);
  const absent: readonly number[] = [constants.errno.ENODATA, constants.errno.ENOTSUP, constants.errno.ERANGE];
  return absent.includes(-length) ? undefined : length;
}

export function writeAttribute(fd: number, name: string, bytes: Uint8Array): Result {
  if (bytes.byteLength > VALUE_BYTES) return -constants.errno.ERANGE;
  const text = cString(name);
  value.set(bytes);
  return syscall(CALLS.set, fd, pointerTo(text), pointerTo(value), bytes.byteLength, 0);
}
