/**
 * Control groups: a group a process below one of ours, with its share of the processors, a bound on its threads and, where one is
 * wanted, on its memory. Version 2 where it has the controllers, else version 1. Nothing here throws: what cannot be had is left out, and
 * the caller hears which limits stand. Source: Linux `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/{cpusets,memory,pids}.rst`.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CONTROLLERS = ['cpu', 'memory', 'pids'] as const;
type Controller = (typeof CONTROLLERS)[number];

export interface GroupLimits {
  /** As the kubelet counts: 1024 a core; 2 at least. */
  readonly cpuShares: number;
  /** No bound where it is missing. */
  readonly memoryBytes?: number | undefined;
  readonly pids: number;
  /** Thousandths of a processor, hard; no bound where it is missing. */
  readonly cpuMillis?: number | undefined;
}

export interface CgroupPlaces {
  /** Text of /proc/self/mountinfo. */
  readonly mounts?: string;
  /** Name of the group of ours that all are below. */
  readonly name?: string;
}

export interface CgroupTree {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  /** Makes a group, and answers the files into which a process writes its id to be in it. Empty: it cannot be had. */
  create(id: string): readonly string[];
  set(id: string, limits: GroupLimits): void;
  /** What all groups together count against the rest of the machine. */
  share(cpuShares: number): void;
  /** How often the kernel ended a process in it for memory. */
  kills(id: string): number;
  /** False while there is a process in it. */
  remove(id: string): boolean;
  /**
   * Removes the groups that are empty and were made before that time (milliseconds since the epoch): what a node that was killed left. A
   * younger one may be another node's, on its way to its first process.
   */
  sweep(before: number): void;
}

/** The hierarchy that this process may write to; undefined when there is none. */
export function findCgroups({
  mounts = readText('/proc/self/mountinfo'),
  name = 'wasmlet',
}: CgroupPlaces = {}): CgroupTree | undefined {
  const found = parseMounts(mounts);
  if (found.unified !== undefined) {
    const controllers = enable(found.unified, name);
    if (controllers.length > 0) return tree(2, new Map([[join(found.unified, name), controllers]]));
  }
  const folders = new Map<string, Controller[]>();
  for (const [controller, mount] of found.legacy) {
    const folder = join(mount, name);
    if (!makeFolder(folder)) continue;
    folders.set(folder, [...(folders.get(folder) ?? []), controller]);
  }
  return folders.size === 0 ? undefined : tree(1, folders);
}

/** Source: proc_pid_mountinfo(5): `… mount point … - type source super-options`. */
function parseMounts(text: string): { unified: string | undefined; legacy: Map<Controller, string> } {
  const legacy = new Map<Controller, string>();
  let unified: string | undefined;
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = (before.split(' ')[4] ?? '').replace(/\\040/g, ' ');
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') unified ??= point;
    if (type !== 'cgroup') continue;
    for (const controller of CONTROLLERS)
      if (options.split(',').includes(controller) && !legacy.has(controller)) legacy.set(controller, point);
  }
  return { unified, legacy };
}

/** Version 2: a controller must be switched on at each level above. Answers those that are. */
function enable(mount: string, name: string): Controller[] {
  const folder = join(mount, name);
  const offered = words(join(mount, 'cgroup.controllers'));
  const wanted = CONTROLLERS.filter((controller) => offered.includes(controller));
  if (wanted.length === 0 || !makeFolder(folder)) return [];
  for (const level of [mount, folder]) {
    // One by one: a controller that this level cannot have does not keep the others away.
    for (const controller of wanted) writeQuietly(join(level, 'cgroup.subtree_control'), `+${controller}`);
  }
  const on = words(join(folder, 'cgroup.subtree_control'));
  const had = wanted.filter((controller) => on.includes(controller));
  if (had.length === 0) removeFolder(folder);
  return had;
}

function tree(version: 1 | 2, folders: ReadonlyMap<string, readonly Controller[]>): CgroupTree {
  const places = [...folders.keys()];
  const file = (id: string, controller: Controller, name: string): string | undefined => {
    for (const [folder, controllers] of folders) if (controllers.includes(controller)) return join(folder, id, name);
    return undefined;
  };
  return {
    version,
    controllers: [...folders.values()].flat(),
    create: (id) =>
      places.filter((folder) => makeFolder(join(folder, id))).map((folder) => join(folder, id, 'cgroup.procs')),
    set(id, limits) {
      for (const [controller, name, value] of settings(version, limits)) {
        const path = file(id, controller, name);
        if (path !== undefined) writeQuietly(path, value);
      }
    },
    share(cpuShares) {
      const [[, name, value]] = settings(version, { cpuShares, pids: 0 });
      const path = file('', 'cpu', name);
      if (path !== undefined) writeQuietly(path, value);
    },
    kills(id) {
      const path = file(id, 'memory', version === 2 ? 'memory.events' : 'memory.oom_control');
      return path === undefined ? 0 : Number(/^oom_kill (\d+)$/m.exec(readText(path))?.[1] ?? 0);
    },
    remove: (id) => places.map((folder) => removeFolder(join(folder, id))).every((gone) => gone),
    sweep(before) {
      for (const folder of places) for (const id of groupsIn(folder, before)) removeFolder(join(folder, id));
    },
  };
}

/** As the kubelet's. */
const PERIOD_MICROS = 100_000;

type Setting = readonly [Controller, file: string, value: string];

/** The processor's first. */
function settings(version: 1 | 2, { cpuShares, memoryBytes, pids, cpuMillis }: GroupLimits): [Setting, ...Setting[]] {
  const shares = Math.min(262_144, Math.max(2, Math.round(cpuShares)));
  // Of each period. The kernel takes no quota below 1 ms.
  const quota = cpuMillis === undefined ? undefined : Math.max(1000, Math.round((cpuMillis * PERIOD_MICROS) / 1000));
  if (version === 1) {
    return [
      ['cpu', 'cpu.shares', String(shares)],
      ['memory', 'memory.limit_in_bytes', String(memoryBytes ?? -1)],
      ['pids', 'pids.max', String(pids)],
      ['cpu', 'cpu.cfs_period_us', String(PERIOD_MICROS)],
      ['cpu', 'cpu.cfs_quota_us', String(quota ?? -1)],
    ];
  }
  // Source of the conversion: kubelet cm, CPUSharesToCPUWeight.
  const weight = 1 + Math.floor(((shares - 2) * 9999) / 262_142);
  return [
    ['cpu', 'cpu.weight', String(weight)],
    ['memory', 'memory.max', memoryBytes === undefined ? 'max' : String(memoryBytes)],
    ['pids', 'pids.max', String(pids)],
    ['cpu', 'cpu.max', `${quota ?? 'max'} ${PERIOD_MICROS}`],
  ];
}

function groupsIn(folder: string, before: number): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .filter((name) => (statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? before) < before);
  } catch {
    return [];
  }
}

function makeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o755 });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST';
  }
}

/** True also when it is not there. */
function removeFolder(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function writeQuietly(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch {
    // Busy, read-only or unknown here: the limit does not stand.
  }
}

function words(path: string): string[] {
  return readText(path).trim().replaceAll('+', '').split(/\s+/);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
