/**
 * The walls around a sandbox, in one table: what stands where, and which of them the node demands before a guest starts. Held against
 * docs/THREATS.md by a test, and shown by `wasmlet status`. What each does is in `kit/os`; who builds them is the launcher, and
 * for seccomp the sandbox itself.
 */
import { type CgroupTree, ffiAvailable, findCgroups, landlockAbi, mayBecome, type UserRange } from '#kit/os';

export const WALLS = ['no_new_privs', 'landlock', 'seccomp', 'uid', 'cgroup'] as const;
export type Wall = (typeof WALLS)[number];

export function isWall(name: string): name is Wall {
  return (WALLS as readonly string[]).includes(name);
}

/** What this machine and the rights of this process offer. */
export interface Means {
  /** Version of Landlock's interface; 0 for none. */
  readonly landlock: number;
  /** May run sandboxes as other users. */
  readonly users: boolean;
  /** Version of the control groups that it may write to; 0 for none. */
  readonly cgroup: 0 | 1 | 2;
  /** May call the system at all. */
  readonly ffi: boolean;
}

/** Beyond what systemd, containers and subordinate ids use. Source: systemd's docs/UIDS-GIDS.md. */
export const DEFAULT_USERS: UserRange = { first: 1_900_000_000, last: 1_900_065_535 };

export function findMeans(users: UserRange): { readonly means: Means; readonly cgroups: CgroupTree | undefined } {
  const ffi = ffiAvailable();
  const cgroups = ffi ? findCgroups() : undefined;
  const means: Means = {
    ffi,
    landlock: ffi ? landlockAbi() : 0,
    users: ffi && mayBecome(users),
    cgroup: cgroups?.version ?? 0,
  };
  return { means, cgroups };
}

/** Files are kept apart by Landlock alone, so it is demanded even where the kernel has none: such a node says so and starts no guest. */
export function demandedByDefault({ ffi, users }: Means, { trusted }: { readonly trusted: boolean }): readonly Wall[] {
  if (trusted || !ffi) return [];
  return users ? ['no_new_privs', 'landlock', 'seccomp', 'uid'] : ['no_new_privs', 'landlock', 'seccomp'];
}

/** Why a wall cannot stand here; undefined where nothing is known against it. */
export function obstacle(wall: Wall, { ffi, landlock, users, cgroup }: Means): string | undefined {
  if (!ffi) return 'this Node has no node:ffi';
  if (wall === 'landlock' && landlock === 0) return 'this kernel has no Landlock, or it is switched off';
  if (wall === 'uid' && landlock === 0) return 'a user of its own needs Landlock beside it';
  if (wall === 'uid' && !users) return 'the node may not change its user';
  if (wall === 'cgroup' && cgroup === 0) return 'no control group can be written to';
  return undefined;
}

/** What a node writes down of its walls, for `wasmlet status`: `<data>/walls.json`. */
export interface WallsReport {
  readonly means: Means;
  readonly demanded: readonly Wall[];
}

/** The demanded walls that cannot stand, each with why. */
export function missingWalls({ means, demanded }: WallsReport): readonly string[] {
  return demanded.flatMap((wall) => {
    const why = obstacle(wall, means);
    return why === undefined ? [] : [`${wall}: ${why}`];
  });
}

/** In few words, what a wall is on this machine. */
export function wallHere(wall: Wall, means: Means): string {
  const why = obstacle(wall, means);
  if (why !== undefined) return why;
  const words: Readonly<Record<Wall, string>> = {
    no_new_privs: 'no right is ever gained',
    landlock: `the namespace’s own files (ABI ${means.landlock})`,
    seccomp: 'no programs, processes, sockets',
    uid: 'a user of the namespace’s own',
    cgroup: `shares, threads, memory (version ${means.cgroup})`,
  };
  return words[wall];
}

export interface WallRow {
  readonly wall: string;
  readonly root: string;
  readonly user: string;
  /** Where the kernel, or the place in which the node runs, has none. */
  readonly without: string;
  readonly demanded: string;
}

export const TABLE: readonly WallRow[] = [
  {
    wall: 'no_new_privs',
    root: 'set before anything else',
    user: 'the same',
    without: 'every kernel has it',
    demanded: 'always',
  },
  {
    wall: 'landlock',
    root: 'files: its tenant’s folder and its own exits; no TCP port (ABI 4), no signal and no abstract socket outside (ABI 6)',
    user: 'the same',
    without: 'no guest starts; where it is not demanded, the user’s rights alone keep files apart',
    demanded: 'always',
  },
  {
    wall: 'seccomp',
    root: 'no new program, process, socket or connection; no trace, mount, namespace, ring, key or module',
    user: 'the same',
    without: 'no guest starts; where it is not demanded, the other walls alone',
    demanded: 'always',
  },
  {
    wall: 'uid',
    root: 'a user and group of the tenant’s own; no capability but CAP_DAC_OVERRIDE, for volumes of other owners; before Landlock’s ABI 3 CAP_DAC_READ_SEARCH instead, so those are only read',
    user: 'the node’s own user',
    without: 'without Landlock, or without the right to change users: the node’s own user',
    demanded: 'as root',
  },
  {
    wall: 'cgroup v1',
    root: 'a group in cpu, memory and pids: shares by requests, 4096 threads, memory where each pod has a limit',
    user: 'none, unless the hierarchy is the user’s',
    without: 'version 2, else none',
    demanded: 'never',
  },
  {
    wall: 'cgroup v2',
    root: 'the same below wasmlet/, with cpu.weight and memory.max',
    user: 'none, unless the hierarchy is the user’s',
    without: 'version 1, else none',
    demanded: 'never',
  },
];

const HEADER: WallRow = {
  wall: 'wall',
  root: 'as root',
  user: 'as a user',
  without: 'where it cannot be had',
  demanded: 'demanded by default',
};

/** The table as it stands in docs/THREATS.md. */
export function wallsMarkdown(): string {
  const line = ({ wall, root, user, without, demanded }: WallRow): string =>
    `| ${[wall, root, user, without, demanded].join(' | ')} |`;
  return [line(HEADER), '|---|---|---|---|---|', ...TABLE.map(line)].join('\n');
}
