/** Error numbers of WASI preview 1, and how Linux's become them. Source: `typenames.witx`, `$errno`. */
import { constants } from 'node:os';

const NAMES = [
  'SUCCESS',
  '2BIG',
  'ACCES',
  'ADDRINUSE',
  'ADDRNOTAVAIL',
  'AFNOSUPPORT',
  'AGAIN',
  'ALREADY',
  'BADF',
  'BADMSG',
  'BUSY',
  'CANCELED',
  'CHILD',
  'CONNABORTED',
  'CONNREFUSED',
  'CONNRESET',
  'DEADLK',
  'DESTADDRREQ',
  'DOM',
  'DQUOT',
  'EXIST',
  'FAULT',
  'FBIG',
  'HOSTUNREACH',
  'IDRM',
  'ILSEQ',
  'INPROGRESS',
  'INTR',
  'INVAL',
  'IO',
  'ISCONN',
  'ISDIR',
  'LOOP',
  'MFILE',
  'MLINK',
  'MSGSIZE',
  'MULTIHOP',
  'NAMETOOLONG',
  'NETDOWN',
  'NETRESET',
  'NETUNREACH',
  'NFILE',
  'NOBUFS',
  'NODEV',
  'NOENT',
  'NOEXEC',
  'NOLCK',
  'NOLINK',
  'NOMEM',
  'NOMSG',
  'NOPROTOOPT',
  'NOSPC',
  'NOSYS',
  'NOTCONN',
  'NOTDIR',
  'NOTEMPTY',
  'NOTRECOVERABLE',
  'NOTSOCK',
  'NOTSUP',
  'NOTTY',
  'NXIO',
  'OVERFLOW',
  'OWNERDEAD',
  'PERM',
  'PIPE',
  'PROTO',
  'PROTONOSUPPORT',
  'PROTOTYPE',
  'RANGE',
  'ROFS',
  'SPIPE',
  'SRCH',
  'STALE',
  'TIMEDOUT',
  'TXTBSY',
  'XDEV',
  'NOTCAPABLE',
] as const;

export type ErrnoName = (typeof NAMES)[number];

/** Number of each name: `ERRNO.BADF` is 8. */
export const ERRNO = Object.fromEntries(NAMES.map((name, number) => [name, number])) as Record<ErrnoName, number>;

const fromLinux = new Map<number, number>(
  Object.entries(constants.errno).flatMap(([name, number]) => {
    const errno = ERRNO[name.slice(1) as ErrnoName];
    return errno === undefined ? [] : [[number, errno]];
  }),
);
fromLinux.set(constants.errno.EOPNOTSUPP, ERRNO.NOTSUP);

/** What a WASI function answers with when it fails: thrown inside the host, a number for the guest. */
export class WasiErrno extends Error {
  readonly errno: number;

  constructor(name: ErrnoName | number) {
    super(`WASI errno ${typeof name === 'number' ? NAMES[name] : name}`);
    this.errno = typeof name === 'number' ? name : ERRNO[name];
  }
}

/** An error for the guest; `throw fail('BADF')`. Guests make errors in loops, so no stack is recorded. */
export function fail(name: ErrnoName | number): WasiErrno {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new WasiErrno(name);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** WASI's number for a positive Linux one; EIO for those that WASI does not know. */
export function errnoFromLinux(number: number): number {
  return fromLinux.get(number) ?? ERRNO.IO;
}

/** Passes results of 0 and more on, throws what a negated Linux errno means to the guest. */
export function check<T>(result: T | number): T {
  if (typeof result === 'number' && result < 0) throw fail(errnoFromLinux(-result));
  return result as T;
}

/** WASI's number for an error of Node's `fs` or `net`, by its name; undefined for what is no system error. */
export function errnoOfNodeError(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errno } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && code.startsWith('E') && ERRNO[code.slice(1) as ErrnoName] !== undefined) {
    return ERRNO[code.slice(1) as ErrnoName];
  }
  return typeof errno === 'number' && errno < 0 ? errnoFromLinux(-errno) : undefined;
}
