/**
 * The launcher: gives up every right that the sandbox does not need, and becomes the sandbox (`process.execve`), with the
 * listening sockets that it inherited. A process of its own, because Landlock binds the thread that asks and what it executes: so no thread
 * of the sandbox was ever outside. Started by the node with a `LaunchPlan` as its one argument, in a session of its own.
 */
import { existsSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { entryUrl } from '#kit';
import {
  becomeUser,
  ffiAvailable,
  type Grant,
  keepOverExecve,
  landlockAbi,
  refuseRings,
  restrictSelf,
  setNoNewPrivs,
} from '#kit/os';
import { type Launched, type LaunchPlan, NO_WALLS_EXIT } from './launch.ts';
import { keptCapabilities } from './rights.ts';

/** What Node itself reads when it boots: its libraries, their index, OpenSSL's configuration, its own process. */
function runtimeGrants(entry: string): Grant[] {
  const read = [
    '/lib',
    '/lib64',
    '/usr/lib',
    '/usr/lib64',
    '/etc/ld.so.cache',
    '/etc/ssl/openssl.cnf',
    '/proc/self',
    '/dev/urandom',
  ];
  const loaders = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].filter((path) => existsSync(path));
  return [
    ...[...read, ...codeOf(entry)].map((path): Grant => ({ path, access: 'read' })),
    ...[process.execPath, ...loaders].map((path): Grant => ({ path: realpathSync(path), access: 'execute' })),
    { path: '/dev/null', access: 'write' },
  ];
}

/** The bundle's folder; in a checkout the sources and the file that names the rooms' doors. */
function codeOf(entry: string): string[] {
  if (!entry.endsWith('.ts')) return [dirname(entry)];
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  return [join(root, 'src'), join(root, 'package.json')];
}

/** Which walls stand. In this order: groups and Landlock's grants need the rights that the change of user gives up. */
function restrict(plan: LaunchPlan, entry: string): Record<string, boolean> {
  if (plan.insecure || !ffiAvailable()) return { no_new_privs: false, landlock: false };
  const cgroup = joinGroups(plan.groups ?? []);
  setNoNewPrivs();
  const abi = landlockAbi();
  const landlock = abi > 0;
  // Looked at before Landlock stands, which hides where the program is.
  const kept = keptCapabilities(plan.entry, { landlock: abi, openNode: isOpenToAll(process.execPath) });
  if (landlock) restrictSelf({ grants: [...runtimeGrants(entry), ...plan.grants], isolateNetwork: true });
  const uid = landlock && plan.user !== undefined;
  if (uid) becomeUser({ ...plan.user, keep: kept });
  const walls = { no_new_privs: true, landlock, uid, cgroup };
  // Before the rings: without them this process could not even end in order.
  refuseWithout(walls, plan.demanded ?? []);
  return { ...walls, rings_refused: refusesRings() };
}

function isOpenToAll(path: string): boolean {
  return (statSync(path).mode & 0o001) !== 0;
}

function joinGroups(files: readonly string[]): boolean {
  try {
    for (const file of files) writeFileSync(file, String(process.pid));
    return files.length > 0;
  } catch {
    return false;
  }
}

/** seccomp is the sandbox's own to build, and to miss. */
function refuseWithout(walls: Readonly<Record<string, boolean>>, demanded: readonly string[]): void {
  const missing = demanded.filter((wall) => wall !== 'seccomp' && walls[wall] !== true);
  if (missing.length === 0) return;
  console.error(`it would stand without the demanded walls: ${missing.join(', ')}`);
  process.exit(NO_WALLS_EXIT);
}

/** The entry's own step needs this one: see kit/os/seccomp.ts. */
function refusesRings(): boolean {
  try {
    refuseRings();
    return true;
  } catch {
    return false;
  }
}

function main(): void {
  const plan = JSON.parse(process.argv.at(-1) ?? '') as LaunchPlan;
  const entry = fileURLToPath(entryUrl(plan.entry));
  process.umask(0o027);
  const bound = plan.inherited ? { controlFd: keepOverExecve(3), descriptorsFd: keepOverExecve(4) } : {};
  const walls = restrict(plan, entry);
  const told: Launched<unknown> = { config: plan.config, walls, ...bound };
  const argv = [process.execPath, ...plan.flags, entry, JSON.stringify(told)];
  // Node's own variables only: nothing of the node's environment belongs to what runs guests.
  const environment = {
    NODE_NO_WARNINGS: '1',
    TZ: 'UTC',
    LANG: 'C.UTF-8',
    MALLOC_ARENA_MAX: '2',
    UV_USE_IO_URING: '0',
  };
  process.execve?.(process.execPath, argv, environment);
}

main();
