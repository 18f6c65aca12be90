/** Errno of a system call as an `Error` with `code` and `errno`, as Node's own file functions throw them. */
import { getSystemErrorMap } from 'node:util';
import type { Result } from './ffi.ts';

export interface SystemError extends Error {
  readonly code: string;
  /** Negative, as Node has it. */
  readonly errno: number;
  readonly syscall: string;
}

/** The symbolic name (`EADDRINUSE`) of a positive or negative errno. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-Math.abs(errno))?.[0] ?? `errno ${Math.abs(errno)}`;
}

export function systemError(errno: number, call: string): SystemError {
  const negative = -Math.abs(errno);
  const [code, text] = getSystemErrorMap().get(negative) ?? [`errno ${-negative}`, 'unknown error'];
  return Object.assign(new Error(`${code}: ${text}, ${call}`), { code, errno: negative, syscall: call });
}

/** Passes a result of 0 or more on, throws a negated errno as a `SystemError`. */
export function checked(result: Result, call: string): number {
  if (result < 0) throw systemError(result, call);
  return result;
}
