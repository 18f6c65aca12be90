/**
 * The one door to native calls: libc through `node:ffi`. Everything Linux-only stands behind `#kit/os`,
 * so that the commands which need no node (`run`, `push`, `pull`) can follow to other systems.
 *
 * A wrong signature crashes the process, so functions are declared here and nowhere else, and callers see
 * results or an errno, never a pointer. `available` is false where Node was built or started without FFI.
 */
import type * as Ffi from 'node:ffi';

/** What a libc call came to: a result of 0 or more, or the negated errno. */
export type Result = number;

const SIGNATURES = {
  syscall: { arguments: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i64'], return: 'i64' },
  __errno_location: { arguments: [], return: 'pointer' },
} as const;

interface Libc {
  readonly ffi: typeof Ffi;
  readonly syscall: (...args: bigint[]) => bigint;
  readonly errnoPointer: () => bigint;
  quick?: QuickCalls;
}

/**
 * `syscall` for calls that guests make all the time, by the kinds of their arguments: an address is one that never changes, any
 * other argument is a number of 32 bits, signed. No argument is made into a bigint, which is most of what `syscall` costs.
 * Each has seven arguments because Node's fast calls, for up to six, are slow from four on (26.10: 0.7 µs against 0.35 µs).
 */
export interface QuickCalls {
  /** Descriptor, address, address, three numbers: `openat2`. */
  readonly twoAddresses: Quick<[fd: number, first: bigint, second: bigint, a: number, b: number, c: number]>;
  /** Descriptor, address, two numbers, address, number: `statx`. */
  readonly addressThenAddress: Quick<[fd: number, first: bigint, a: number, b: number, second: bigint, c: number]>;
  /** Descriptor, address, four numbers: `preadv2`. */
  readonly oneAddress: Quick<[fd: number, address: bigint, a: number, b: number, c: number, d: number]>;
  readonly close: (fd: number) => Result;
  /** Into a `struct stat`; absent in old C libraries. */
  readonly fstat: ((fd: number, address: bigint) => Result) | undefined;
}

type Quick<Args extends unknown[]> = (number: number, ...args: Args) => Result;

const QUICK = {
  twoAddresses: ['i32', 'i32', 'u64', 'u64', 'i32', 'i32', 'i32'],
  addressThenAddress: ['i32', 'i32', 'u64', 'i32', 'i32', 'u64', 'i32'],
  oneAddress: ['i32', 'i32', 'u64', 'i32', 'i32', 'i32', 'i32'],
} as const;

let libc: Libc | undefined | null;

/** Loads libc on first use: a process that never asks pays nothing. */
function load(): Libc | null {
  if (libc !== undefined) return libc;
  libc = null;
  if (process.platform !== 'linux') return null;
  // FFI announces itself as experimental once a process; that line would be the first a user sees.
  const warn = process.emitWarning;
  process.emitWarning = () => {};
  try {
    const ffi = process.getBuiltinModule('node:ffi') as typeof Ffi | undefined;
    if (ffi === undefined) return null;
    const { functions } = ffi.dlopen(null, SIGNATURES);
    const syscall = functions.syscall as unknown as (...args: bigint[]) => bigint;
    libc = { ffi, syscall, errnoPointer: functions.__errno_location as unknown as () => bigint };
  } catch {
    libc = null;
  } finally {
    process.emitWarning = warn;
  }
  return libc;
}

export function ffiAvailable(): boolean {
  return load() !== null;
}

function need(): Libc {
  const found = load();
  if (found === null) throw new Error('Cannot call the system: this Node has no node:ffi');
  return found;
}

/**
 * Buffers whose addresses were taken since the last system call. An address keeps nothing alive, and a buffer that no
 * variable is read of any more may be collected before the call that it was made for: so they are held here until then.
 */
const held: unknown[] = [];

/**
 * A Linux system call by number. Pointers come from `pointerTo`, taken since the call before this one, or from buffers that
 * their owner keeps. Returns the result, or the negated errno, read in the same step so that nothing can come between.
 */
export function syscall(number: number, ...args: (number | bigint)[]): Result {
  const { ffi, syscall: call, errnoPointer } = need();
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = args.map(BigInt);
  const result = call(BigInt(number), a, b, c, d, e, f);
  const outcome = result !== -1n ? Number(result) : -ffi.getInt32(errnoPointer());
  held.length = 0;
  return outcome;
}

/** The address of a buffer's first byte, which stays where it is until the next system call has returned. */
export function pointerTo(buffer: ArrayBuffer | SharedArrayBuffer | ArrayBufferView): bigint {
  const { ffi } = need();
  const whole = ArrayBuffer.isView(buffer) ? buffer.buffer : buffer;
  held.push(whole);
  const base = ffi.getRawPointer(whole as ArrayBuffer);
  return ArrayBuffer.isView(buffer) ? base + BigInt(buffer.byteOffset) : base;
}

/** The quick calls of this thread. */
export function quickCalls(): QuickCalls {
  const found = need();
  found.quick ??= loadQuick(found);
  return found.quick;
}

function loadQuick({ ffi, errnoPointer }: Libc): QuickCalls {
  // Where a thread's errno is does not change.
  const errno = errnoPointer();
  // biome-ignore lint/suspicious/noExplicitAny: each signature is given beside its type, above
  function load(name: string, parameters: readonly string[]): any {
    const signature = { arguments: parameters, return: 'i32' };
    const { functions } = ffi.dlopen(null, { [name]: signature } as unknown as typeof SIGNATURES);
    const call = (functions as unknown as Record<string, (...args: unknown[]) => number>)[name];
    if (call === undefined) throw new Error(`Cannot load '${name}' from the C library`);
    return call;
  }
  function outcome(result: number): Result {
    return result === -1 ? -ffi.getInt32(errno) : result;
  }
  const two = load('syscall', QUICK.twoAddresses);
  const apart = load('syscall', QUICK.addressThenAddress);
  const one = load('syscall', QUICK.oneAddress);
  const close = load('close', ['i32']);
  return {
    twoAddresses: (number, fd, first, second, a, b, c) => outcome(two(number, fd, first, second, a, b, c)),
    addressThenAddress: (number, fd, first, a, b, second, c) => outcome(apart(number, fd, first, a, b, second, c)),
    oneAddress: (number, fd, address, a, b, c, d) => outcome(one(number, fd, address, a, b, c, d)),
    close: (fd) => outcome(close(fd)),
    fstat: loadFstat(),
  };
  function loadFstat(): QuickCalls['fstat'] {
    try {
      const fstat = load('fstat', ['i32', 'u64']);
      return (fd, address) => outcome(fstat(fd, address));
    } catch {
      return undefined;
    }
  }
}

const CLOCK_THREAD_CPUTIME_ID = 3;

/**
 * The CPU time of the calling thread in nanoseconds, read by the function that this answers, which belongs to that thread: 0.4 µs a call.
 * `process.threadCpuUsage` costs as much and is up to a kernel's tick (4 ms) behind.
 */
export function threadCpuClock(): () => number {
  const { ffi } = need();
  const { functions } = ffi.dlopen(null, { clock_gettime: { arguments: ['i32', 'pointer'], return: 'i32' } });
  const read = functions.clock_gettime as unknown as (clock: number, time: bigint) => number;
  const time = new ArrayBuffer(16);
  const address = ffi.getRawPointer(time);
  const words = new Uint32Array(time);
  return () => {
    read(CLOCK_THREAD_CPUTIME_ID, address);
    return (words[0] ?? 0) * 1e9 + (words[2] ?? 0);
  };
}

/** The address of a buffer that its owner keeps, as a number: addresses have 47 bits, or 48. */
export function addressOf(buffer: ArrayBuffer | SharedArrayBuffer): number {
  return Number(need().ffi.getRawPointer(buffer as ArrayBuffer));
}

const encoder = new TextEncoder();

/** A NUL-terminated copy of a string. */
export function cString(text: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.byteLength(text) + 1);
  encoder.encodeInto(text, bytes);
  return bytes;
}

const X64 = process.arch === 'x64';

/** System call numbers; x86-64 first, the generic table of arm64 second. Source: Linux `arch/x86/entry/syscalls`, `include/uapi/asm-generic/unistd.h`. */
export const SYS = {
  openat2: 437,
  pidfd_open: 434,
  pidfd_send_signal: 424,
  landlock_create_ruleset: 444,
  landlock_add_rule: 445,
  landlock_restrict_self: 446,
  gettid: X64 ? 186 : 178,
  prctl: X64 ? 157 : 167,
  socket: X64 ? 41 : 198,
  socketpair: X64 ? 53 : 199,
  bind: X64 ? 49 : 200,
  listen: X64 ? 50 : 201,
  connect: X64 ? 42 : 203,
  accept4: X64 ? 288 : 242,
  sendmsg: X64 ? 46 : 211,
  recvmsg: X64 ? 47 : 212,
  setsockopt: X64 ? 54 : 208,
  getsockopt: X64 ? 55 : 209,
  getsockname: X64 ? 51 : 204,
  fcntl: X64 ? 72 : 25,
  flock: X64 ? 73 : 32,
  close: X64 ? 3 : 57,
  dup3: X64 ? 292 : 24,
  statx: X64 ? 332 : 291,
  mkdirat: X64 ? 258 : 34,
  unlinkat: X64 ? 263 : 35,
  renameat2: X64 ? 316 : 276,
  linkat: X64 ? 265 : 37,
  symlinkat: X64 ? 266 : 36,
  readlinkat: X64 ? 267 : 78,
  utimensat: X64 ? 280 : 88,
  getdents64: X64 ? 217 : 61,
  preadv2: X64 ? 327 : 286,
  pwritev2: X64 ? 328 : 287,
  fsync: X64 ? 74 : 82,
  fdatasync: X64 ? 75 : 83,
  ftruncate: X64 ? 77 : 46,
  setitimer: X64 ? 38 : 103,
  fallocate: X64 ? 285 : 47,
  fadvise64: X64 ? 221 : 223,
  mount: X64 ? 165 : 40,
  umount2: X64 ? 166 : 39,
} as const;
