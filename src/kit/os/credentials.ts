/**
 * Who a process is: giving up root for an unprivileged user, with no capability but those named. By system calls, which bind the calling
 * thread alone, so only for a launcher that then executes the real program: nothing is left of its other threads.
 * Source: capabilities(7), credentials(7), Linux `include/uapi/linux/{capability,prctl}.h`.
 */
import { readFileSync } from 'node:fs';
import { checked } from './errno.ts';
import { pointerTo, syscall } from './ffi.ts';

const X64 = process.arch === 'x64';
const CALL = {
  capset: X64 ? 126 : 91,
  setgroups: X64 ? 116 : 159,
  setresuid: X64 ? 117 : 147,
  setresgid: X64 ? 119 : 149,
  prctl: X64 ? 157 : 167,
} as const;

const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_DROP = 24;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const CAPABILITY_VERSION_3 = 0x20080522;
const EINVAL = 22;

/** Numbers of capabilities. Source: Linux `include/uapi/linux/capability.h`. */
export const CAPABILITY = { chown: 0, dacOverride: 1, dacReadSearch: 2, setgid: 6, setuid: 7, setpcap: 8 } as const;

/** What a process must have to become another user by `becomeUser`, and to give folders away. */
const NEEDED = [CAPABILITY.chown, CAPABILITY.setgid, CAPABILITY.setuid, CAPABILITY.setpcap];

export interface UserRange {
  readonly first: number;
  readonly last: number;
}

export interface ProcFiles {
  /** Text of a file below /proc/self; the system's own where none is given. */
  readonly read?: (name: string) => string;
}

/** Whether this process may become any user of the range: rights, and a user namespace in which they exist. */
export function mayBecome({ first, last }: UserRange, { read = readSelf }: ProcFiles = {}): boolean {
  try {
    const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(read('status'))?.[1] ?? '0'}`);
    if (NEEDED.some((capability) => (effective & (1n << BigInt(capability))) === 0n)) return false;
    if (read('setgroups').trim() !== 'allow') return false;
    return ['uid_map', 'gid_map'].every((name) => mapped(read(name), { first, last }));
  } catch {
    return false;
  }
}

function mapped(map: string, { first, last }: UserRange): boolean {
  return map.split('\n').some((line) => {
    const [inside = Number.NaN, , count = 0] = line.trim().split(/\s+/).map(Number);
    return first >= inside && last < inside + count;
  });
}

function readSelf(name: string): string {
  return readFileSync(`/proc/self/${name}`, 'latin1');
}

export interface Become {
  readonly uid: number;
  readonly gid: number;
  /** Capabilities that this thread, and what it executes, keeps. */
  readonly keep: readonly number[];
}

/** This thread is another user from now on, in no other group, with the capabilities in `keep` and no way to others. */
export function becomeUser({ uid, gid, keep }: Become): void {
  for (let capability = 0; capability < 64; capability++) {
    if (keep.includes(capability)) continue;
    const result = syscall(CALL.prctl, PR_CAPBSET_DROP, capability, 0, 0, 0);
    // Beyond the last one that the kernel knows.
    if (result === -EINVAL) break;
    checked(result, 'prctl PR_CAPBSET_DROP');
  }
  checked(syscall(CALL.prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0), 'prctl PR_SET_KEEPCAPS');
  checked(syscall(CALL.setgroups, 0, 0), 'setgroups');
  checked(syscall(CALL.setresgid, gid, gid, gid), 'setresgid');
  checked(syscall(CALL.setresuid, uid, uid, uid), 'setresuid');
  setCapabilities(keep);
  checked(syscall(CALL.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), 'prctl PR_CAP_AMBIENT');
  // Ambient: execve of an ordinary file leaves nothing else.
  for (const capability of keep) {
    checked(syscall(CALL.prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), 'prctl PR_CAP_AMBIENT');
  }
}

/** Effective, permitted and inheritable: these and no others. */
function setCapabilities(keep: readonly number[]): void {
  const bits = keep.reduce((sum, capability) => sum | (1n << BigInt(capability)), 0n);
  const low = Number(bits & 0xffffffffn);
  const high = Number(bits >> 32n);
  const header = new Uint32Array([CAPABILITY_VERSION_3, 0]);
  const data = new Uint32Array([low, low, low, high, high, high]);
  checked(syscall(CALL.capset, pointerTo(header), pointerTo(data)), 'capset');
}
