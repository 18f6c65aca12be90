/** Starts a sandbox process: sockets, log, launcher; its identity is its pid with its start time, which execve keeps. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { entryUrl } from '#kit';
import { ffiAvailable, type Grant, listenPackets, listenStream, startTimeOf } from '#kit/os';
import { runtimeError } from '../errors.ts';
import type { LaunchPlan, SandboxConfig } from '../launch.ts';
import type { Wall } from '../walls.ts';
import type { SandboxFolder } from './record.ts';

/** A small heap that is collected often: guests' memory is not in it. */
const FLAGS = ['--max-semi-space-size=1', '--expose-gc', '--no-warnings'];

export interface SpawnOptions {
  readonly node: string;
  readonly folder: SandboxFolder;
  readonly grants: readonly Grant[];
  readonly insecureTrustedGuests: boolean;
  readonly assigned: boolean;
  /** The user that it runs as; the node's own where none is given. */
  readonly uid: number | undefined;
  readonly groups: readonly string[];
  readonly demanded: readonly Wall[];
}

export interface Spawned {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly startTime: number;
}

export async function spawnSandbox(options: SpawnOptions): Promise<Spawned> {
  const { node, folder, grants, insecureTrustedGuests, assigned, uid, groups, demanded } = options;
  const config: SandboxConfig = {
    id: folder.id,
    exitsDirectory: folder.exits,
    controlPath: folder.control,
    insecureTrustedGuests,
    assigned,
    demanded,
  };
  const plan: LaunchPlan = {
    entry: 'sandbox',
    inherited: ffiAvailable(),
    grants: [...grants, { path: folder.exits, access: 'write' }],
    flags: FLAGS,
    insecure: insecureTrustedGuests && !ffiAvailable(),
    user: uid === undefined ? undefined : { uid, gid: uid },
    groups,
    demanded,
    config: { ...config },
  };
  const open: number[] = [];
  try {
    const log = openSync(folder.log, 'a', 0o600);
    open.push(log);
    if (plan.inherited) open.push(listenStream(folder.control), listenPackets(folder.descriptors));
    const child = spawn(node, ['--no-warnings', fileURLToPath(entryUrl('launcher')), JSON.stringify(plan)], {
      detached: true,
      stdio: ['ignore', log, ...open],
      env: { NODE_NO_WARNINGS: '1' },
      cwd: '/',
    });
    const pid = await pidOf(child);
    child.unref();
    return { child, pid, startTime: startTimeOf(pid) ?? 0 };
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

function pidOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(runtimeError('RUNTIME_SANDBOX_FAILED', 'Cannot start a sandbox process', { cause: error })),
    );
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
}
