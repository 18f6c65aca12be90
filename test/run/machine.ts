import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Group } from '../groups.ts';
import { identityOf, isAlive } from '../processes/owner.ts';
import { isRoot } from '../setup/step.ts';

/** How a group is started on this machine: what comes before its command, or why it cannot be. */
export type Ground = { readonly enter: readonly string[]; readonly env: Variables } | { readonly skip: string };

type Variables = Readonly<Record<string, string>>;

/** Without root: a user namespace in which this user is root, with a network, mounts and a /run of its own. */
export function groundOf(group: Group): Ground | undefined {
  if (group.root === undefined || isRoot()) return undefined;
  if (group.root === 'real') return { skip: 'needs root' };
  if (!userNamespaces()) return { skip: 'needs root, or user namespaces, which this machine refuses' };
  const name = `wasmlet-${identityOf()}-0-${group.name}`;
  const script = [
    'mount -t tmpfs tmpfs /run',
    'PATH=$PATH:/usr/sbin:/sbin',
    'ip link set lo up',
    'ip address add 10.250.0.1/32 dev lo',
    ...(group.ownNetwork ? [`ip netns attach ${name} $$`] : []),
    'exec "$@"',
  ].join(' && ');
  return {
    enter: ['unshare', '--user', '--map-root-user', '--mount', '--net', '--', 'sh', '-c', script, 'sh'],
    env: group.ownNetwork ? { WASMLET_TEST_NAMESPACE: name } : {},
  };
}

let allowed: boolean | undefined;

function userNamespaces(): boolean {
  const probe = ['--user', '--map-root-user', '--mount', '--net', '--', 'mount', '-t', 'tmpfs', 'tmpfs', '/run'];
  allowed ??= spawnSync('unshare', probe, { stdio: 'ignore' }).status === 0;
  return allowed;
}

/** Marks the processes of one group of one run, whoever their parent becomes. */
export const RUN_VARIABLE = 'WASMLET_TEST_RUN';

/** Kills, by id, what a group left behind; returns their command lines. */
export function killLeftovers(mark: string): string[] {
  return killMarked((found) => found === mark);
}

/** The same for runs that were killed themselves, before they could clean up. */
export function killOrphans(): string[] {
  return killMarked((mark) => !isAlive(mark));
}

function killMarked(wanted: (mark: string) => boolean): string[] {
  const killed: string[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      const mark = environment.find((word) => word.startsWith(`${RUN_VARIABLE}=`))?.slice(RUN_VARIABLE.length + 1);
      if (mark === undefined || !wanted(mark)) continue;
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
      process.kill(pid, 'SIGKILL');
      killed.push(words);
    } catch {
      // it has ended, or is another user's
    }
  }
  return killed;
}
