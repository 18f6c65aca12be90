/**
 * Landlock: a process gives up, for itself and all it becomes, every file that it does not name here, and TCP.
 * Needs no privilege but no_new_privs. Source: Linux `include/uapi/linux/landlock.h`, `Documentation/userspace-api/landlock.rst`.
 *
 * It binds the calling thread and what that thread starts or executes: call it from a launcher that then executes the
 * real program, so that no thread of a thread pool stays outside.
 */
import { closeSync, openSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { checked, systemError } from './errno.ts';
import { pointerTo, SYS, syscall } from './ffi.ts';
import { OPEN, openBeneath } from './files.ts';

const CREATE_RULESET_VERSION = 1;
const RULE_PATH_BENEATH = 1;
const O_PATH = 0o10000000;

const FS = {
  execute: 1n << 0n,
  writeFile: 1n << 1n,
  readFile: 1n << 2n,
  readDir: 1n << 3n,
  removeDir: 1n << 4n,
  removeFile: 1n << 5n,
  makeDir: 1n << 7n,
  makeReg: 1n << 8n,
  makeSym: 1n << 12n,
  refer: 1n << 13n,
  truncate: 1n << 14n,
} as const;

/** All rights of the file system that an ABI version knows. */
const FS_HANDLED = [0n, 0x1fffn, 0x3fffn, 0x7fffn, 0x7fffn, 0xffffn] as const;
const FILE_RIGHTS = FS.execute | FS.writeFile | FS.readFile | FS.truncate | (1n << 15n);

const READ = FS.readFile | FS.readDir;
const WRITE =
  READ | FS.writeFile | FS.removeDir | FS.removeFile | FS.makeDir | FS.makeReg | FS.makeSym | FS.refer | FS.truncate;

/** `write` has everything but devices, sockets, pipes and execution. */
export type Access = 'read' | 'write' | 'execute';

const RIGHTS: Readonly<Record<Access, bigint>> = { read: READ, write: WRITE, execute: READ | FS.execute };

export interface Grant {
  /** A file or a directory with all below it. What does not exist is passed over. */
  readonly path: string;
  readonly access: Access;
  /** A folder above the path, below which others may have put links: none is followed there, and one on the way throws ELOOP. */
  readonly below?: string | undefined;
}

export interface Restriction {
  readonly grants: readonly Grant[];
  /** Refuse to bind and to connect TCP sockets (ABI 4), to signal processes outside and to reach abstract sockets (ABI 6). */
  readonly isolateNetwork: boolean;
  /** As if the kernel knew no newer version: to try what an older one leaves open. */
  readonly abi?: number | undefined;
}

/** The kernel's ABI version: 0 where Landlock is missing, off, or cannot be asked. */
export function landlockAbi(): number {
  try {
    return Math.max(0, syscall(SYS.landlock_create_ruleset, 0, 0, CREATE_RULESET_VERSION));
  } catch {
    return 0;
  }
}

/** Restricts this thread for good. Throws ENOSYS where Landlock is missing; see `landlockAbi`. no_new_privs comes first. */
export function restrictSelf({ grants, isolateNetwork, abi: most }: Restriction): void {
  const abi = Math.min(landlockAbi(), most ?? Number.POSITIVE_INFINITY);
  if (abi === 0) throw systemError(38, 'landlock_create_ruleset');
  const handled = FS_HANDLED[Math.min(abi, FS_HANDLED.length - 1)] ?? 0n;
  const network = isolateNetwork && abi >= 4 ? 3n : 0n;
  const scoped = isolateNetwork && abi >= 6 ? 3n : 0n;
  const attributes = new BigUint64Array([handled, network, scoped]);
  const size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  const ruleset = checked(
    syscall(SYS.landlock_create_ruleset, pointerTo(attributes), size, 0),
    'landlock_create_ruleset',
  );
  try {
    for (const grant of grants) addRule(ruleset, grant, handled);
    checked(syscall(SYS.landlock_restrict_self, ruleset, 0), 'landlock_restrict_self');
  } finally {
    closeSync(ruleset);
  }
}

function addRule(ruleset: number, grant: Grant, handled: bigint): void {
  const { path, access } = grant;
  const fd = openIfThere(grant);
  if (fd === undefined) return;
  try {
    const isDirectory = statSync(`/proc/self/fd/${fd}`).isDirectory();
    const rights = RIGHTS[access] & handled & (isDirectory ? ~0n : FILE_RIGHTS);
    // struct landlock_path_beneath_attr is packed: u64 rights, s32 descriptor.
    const rule = new Uint8Array(12);
    const view = new DataView(rule.buffer);
    view.setBigUint64(0, rights, true);
    view.setInt32(8, fd, true);
    checked(
      syscall(SYS.landlock_add_rule, ruleset, RULE_PATH_BENEATH, pointerTo(rule), 0),
      `landlock_add_rule '${path}'`,
    );
  } finally {
    closeSync(fd);
  }
}

function openIfThere({ path, below }: Grant): number | undefined {
  try {
    if (below === undefined) return openSync(path, O_PATH);
    const root = openSync(below, O_PATH | OPEN.DIRECTORY | OPEN.NOFOLLOW);
    try {
      // With NOFOLLOW a link would be opened as itself, and a rule on it would grant nothing; without it, it is refused.
      return checked(openBeneath(root, relative(below, path), { flags: O_PATH, links: false }), `open '${path}'`);
    } finally {
      closeSync(root);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
