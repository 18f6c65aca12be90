/**
 * After a restart of the node: pods from their checkpoints, their guests as the runtime still has them. A try that should
 * be there and is not (the machine went down, a sandbox was lost) has ended, nobody knows how. Source of the words:
 * kubelet `kubelet_pods.go`, ContainerStatusUnknown.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '#kit';
import { Tree } from '#kit/os';
import type { Runtime, WorkloadReport } from '#runtime';
import { type Checkpoint, readCheckpoints } from './checkpoint.ts';
import { type ContainerObserved, isAlive, type Observed } from './decide/observed.ts';
import type { PodManagerDependencies } from './dependencies.ts';

export interface Recovered extends Checkpoint {
  /** What the runtime says of the pod's newest tries; exits carry messages that are read from files later. */
  readonly reports: readonly WorkloadReport[];
}

export async function recoverPods(dependencies: PodManagerDependencies): Promise<Recovered[]> {
  const { dataDir, runtime, log, clock, network } = dependencies;
  const checkpoints = await readCheckpoints(dataDir, log);
  const existing = runtime.list();
  const recovered: Recovered[] = [];
  const wanted = new Set<string>();
  for (const { pod, observed } of checkpoints) {
    const uid = pod.metadata?.uid ?? '';
    const mine = existing.filter(({ id }) => id.podUid === uid);
    const next = takenOver(observed, { mine, now: clock.now() });
    for (const [container, { instance, last }] of next.containers) {
      for (const one of [instance, last]) if (one !== undefined) wanted.add(key(uid, container, one.attempt));
    }
    if (observed.network === 'ready' && observed.cleaned !== true) {
      network.allocate(pod, { preferred: observed.podIPs[0] });
      network.adopt(uid, await runtime.listenersOf(uid).catch(() => []));
    }
    recovered.push({ pod, observed: next, reports: mine });
  }
  const stray = existing.filter(({ id }) => !wanted.has(key(id.podUid, id.container, id.attempt)));
  await endStray(runtime, { stray, log });
  return recovered;
}

function key(uid: string, container: string, attempt: number): string {
  return `${uid}/${container}/${attempt}`;
}

function takenOver(observed: Observed, { mine, now }: { mine: readonly WorkloadReport[]; now: number }): Observed {
  const containers = new Map<string, ContainerObserved>();
  for (const [name, seen] of observed.containers) {
    const here = mine.some(({ id }) => id.container === name && id.attempt === seen.instance?.attempt);
    containers.set(name, { ...(here || !isAlive(seen) ? seen : lost(seen, now)), pulled: false, waiting: undefined });
  }
  const refreshAt = observed.refreshAt === undefined ? undefined : now;
  return { ...observed, containers, refreshAt, retryAt: undefined, reported: undefined };
}

function lost(seen: ContainerObserved, now: number): ContainerObserved {
  if (seen.instance === undefined || seen.instance.state === 'exited') return seen;
  const { attempt } = seen.instance;
  const startedAt = seen.instance.state === 'running' ? seen.instance.startedAt : undefined;
  const message = 'The container could not be located after the node was restarted';
  const exit = { exitCode: 137, reason: 'ContainerStatusUnknown', message };
  return { ...seen, instance: { state: 'exited', attempt, startedAt, finishedAt: now, ...exit } };
}

/** Guests that belong to no pod of ours are ended; their records go with them. */
async function endStray(
  runtime: Runtime,
  { stray, log }: { stray: readonly WorkloadReport[]; log: Log },
): Promise<void> {
  for (const { id, state } of stray) {
    log.warn('a workload without a pod is ended', { ...id });
    try {
      if (state.phase !== 'exited') await runtime.kill(id, 'SIGKILL');
      if (state.phase === 'running') await runtime.wait(id, { signal: AbortSignal.timeout(5_000) });
      await runtime.delete(id);
    } catch (error) {
      log.warn('a workload without a pod stays', { ...id, error });
    }
  }
}

/** Of a tenant at a start; more go at the next one. */
const MOST_ORPHANS = 100_000;

/** Directories and links of pods that are not there any more. */
export async function removeOrphans(dataDir: string, keep: ReadonlySet<string>): Promise<string[]> {
  const removed: string[] = [];
  const afterLast = (name: string) => name.slice(name.lastIndexOf('_') + 1);
  for (const tenant of await readdir(join(dataDir, 'tenants')).catch(() => [])) {
    const tree = new Tree(join(dataDir, 'tenants', tenant));
    for (const [folder, uidOf] of [['pods', (name: string) => name] as const, ['logs', afterLast] as const]) {
      for (const name of tree.names(folder, MOST_ORPHANS)) {
        if (keep.has(uidOf(name))) continue;
        await tree.remove(join(folder, name));
        removed.push(join(tree.root, folder, name));
      }
    }
  }
  for (const [folder, uidOf] of [['pods', (name: string) => name] as const, ['logs', afterLast] as const]) {
    for (const name of await readdir(join(dataDir, folder)).catch(() => [])) {
      if (keep.has(uidOf(name))) continue;
      await rm(join(dataDir, folder, name), { recursive: true, force: true });
      removed.push(join(dataDir, folder, name));
    }
  }
  return removed;
}
