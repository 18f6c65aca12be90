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
 * Functions of the C library for calls that guests make all the time. All parameters are declared `pointer`, also those that are
 * numbers: Node checks and copies arguments of any other kind in JavaScript, which doubles what such a call costs (26.10: 0.6 µs for a
 * `preadv2` of 64 bytes, 0.33 µs so). Each takes bigints from 0 to 2^64 - 1; `word` makes one of a number. Six arguments at most: with
 * seven Node leaves the quick way.
 */
export interface QuickCalls {
  /** A system call by its number, with five arguments: those that it does not take are 0. */
  readonly call: (number: bigint, a: bigint, b: bigint, c: bigint, d: bigint, e: bigint) => Result;
  /** Absent in old C libraries, as all that follow but `close`. */
  readonly preadv2: Transfer | undefined;
  readonly pwritev2: Transfer | undefined;
  /** Into a `struct stat`. */
  readonly fstat: ((fd: bigint, address: bigint) => Result) | undefined;
  readonly close: (fd: bigint) => Result;
}

type Transfer = (fd: bigint, vectors: bigint, count: bigint, position: bigint, flags: bigint) => Result;

/** A number as the kernel takes it in a register. */
export function word(number: number): bigint {
  // The engine keeps a bigint of 32 bits in a register; of any other number it makes an object.
  if (number >= 0 && number <= 0x7fff_ffff) return BigInt(number | 0);
  const exact = BigInt(number);
  return number < 0 ? BigInt.asUintN(64, exact) : exact;
}

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
  type Words = (...words: bigint[]) => number;
  function load(name: string, parameters: number): Words {
    const signature = { arguments: Array(parameters).fill('pointer'), return: 'i32' };
    const { functions } = ffi.dlopen(null, { [name]: signature } as unknown as typeof SIGNATURES);
    const call = (functions as unknown as Record<string, Words>)[name];
    if (call === undefined) throw new Error(`Cannot load '${name}' from the C library`);
    return call;
  }
  function loadIfThere(name: string, parameters: number): Words | undefined {
    try {
      return load(name, parameters);
    } catch {
      return undefined;
    }
  }
  function outcome(result: number): Result {
    return result === -1 ? -ffi.getInt32(errno) : result;
  }
  // Each with a closure of its own, which the engine compiles for the one function in it.
  const [syscall, close] = [load('syscall', 6), load('close', 1)];
  const [read, write] = [loadIfThere('preadv2', 5), loadIfThere('pwritev2', 5)];
  const fstat = loadIfThere('fstat', 2);
  return {
    call: (number, a, b, c, d, e) => outcome(syscall(number, a, b, c, d, e)),
    close: (fd) => outcome(close(fd)),
    preadv2: read && ((fd, vectors, count, position, flags) => outcome(read(fd, vectors, count, position, flags))),
    pwritev2: write && ((fd, vectors, count, position, flags) => outcome(write(fd, vectors, count, position, flags))),
    fstat: fstat && ((fd, address) => outcome(fstat(fd, address))),
  };
}

const CLOCK_THREAD_CPUTIME_ID = 3n;

/**
 * The CPU time of the calling thread in nanoseconds, read by the function that this answers, which belongs to that thread: 0.4 µs a call.
 * `process.threadCpuUsage` costs as much and is up to a kernel's tick (4 ms) behind.
 */
export function threadCpuClock(): () => number {
  const { ffi } = need();
  const { functions } = ffi.dlopen(null, { clock_gettime: { arguments: ['pointer', 'pointer'], return: 'i32' } });
  const read = functions.clock_gettime as unknown as (clock: bigint, time: bigint) => number;
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
