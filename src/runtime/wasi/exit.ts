/**
 * How guests end. What ends one from the outside (`proc_exit`, a kill) must not be caught by it: a guest's `catch_all` catches every
 * thrown object, also a new `WebAssembly.RuntimeError`, but not the error object of a real trap. So one is captured, once, and thrown.
 */
import type { Exit, ExitReason, Signal } from '../contract.ts';
import { describeTrap } from './backtrace.ts';

/** (module (func (export "t") unreachable)) */
const TRAPS = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x74, 0, 0, 10, 5, 1, 3, 0, 0, 0x0b,
]);

let captured: unknown;

/** The error of a real trap. No guest can catch it. */
export function uncatchableTrap(): unknown {
  if (captured !== undefined) return captured;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(TRAPS));
  try {
    (instance.exports['t'] as () => void)();
  } catch (trap) {
    captured = trap;
  }
  return captured;
}

const MESSAGE_BYTES = 4096;
/** As wasmtime's command line: 128 + SIGABRT. */
const TRAP_CODE = 134;
const START_ERROR_CODE = 128;

const SIGNALS: Readonly<Record<Signal, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
};

/** The exit of a guest that a signal ended: 128 + n. */
export function signalExit(signal: Signal, message?: string): Exit {
  const number = SIGNALS[signal];
  return { code: 128 + number, signal: number, reason: 'Error', ...messageField(message) };
}

export function errorExit(reason: ExitReason, message: string): Exit {
  const code = reason === 'StartError' ? START_ERROR_CODE : reason === 'OOMKilled' ? 137 : TRAP_CODE;
  return { code, reason, ...messageField(message) };
}

/** `proc_exit`'s code. WASI's are 32 bits, a process's 8: the low ones count, as on POSIX. */
export function codeExit(code: number): Exit {
  const low = code & 0xff;
  return { code: low, reason: low === 0 ? 'Completed' : 'Error' };
}

/** The exit of a guest whose start function threw something that was not our own end of it. */
export function trapExit(
  error: unknown,
  { outOfMemory, limit }: { outOfMemory: boolean; limit: number | undefined },
): Exit {
  const message = describeTrap(error);
  if (!outOfMemory) return errorExit('Error', message);
  return errorExit('OOMKilled', `the guest gave up at its memory limit of ${limit} bytes\n${message}`);
}

/** The exit of a guest for which the host would have to hold more than its limit. */
export function overLimitExit(limit: number): Exit {
  return errorExit(
    'OOMKilled',
    `the guest, with what is held for it, needs more than its memory limit of ${limit} bytes`,
  );
}

/** The exit of a guest whose module declares more than its limit to begin with. */
export function tooSmallExit(needed: number, limit: number): Exit {
  return errorExit(
    'OOMKilled',
    `The module declares ${needed} bytes of memory to begin with; its limit is ${limit} bytes`,
  );
}

/**
 * A guess, for plain modules alone, whose growth nobody sees: programs grow by what they need or by doubling, so a refusal leaves
 * the memory above half of the limit, and they give up with the trap that compilers emit for "out of memory".
 */
export function nearItsLimit(
  error: unknown,
  { bytes, limit }: { readonly bytes: number; readonly limit: number | undefined },
): boolean {
  const unreachable = error instanceof WebAssembly.RuntimeError && error.message.includes('unreachable');
  return limit !== undefined && unreachable && bytes * 2 > limit;
}

function messageField(message: string | undefined): { message?: string } {
  if (message === undefined) return {};
  const bytes = Buffer.from(message);
  return { message: bytes.byteLength <= MESSAGE_BYTES ? message : bytes.toString('utf8', 0, MESSAGE_BYTES - 4) };
}
