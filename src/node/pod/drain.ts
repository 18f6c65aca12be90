/**
 * The end of a node that takes its guests with it (`up` in the foreground, `down`, shutdown): SIGTERM, the pods' grace,
 * SIGKILL. The pods stay: the next start runs them again by their restart policy.
 */
import type { Clock } from '#kit';
import type { Runtime, Signal, WorkloadId } from '#runtime';
import { isAlive } from './decide/observed.ts';
import type { PodWorker } from './worker.ts';

/** A guest that SIGKILL does not end is left after this, in milliseconds. */
const LAST_WAIT = 5_000;

export async function drain(
  workers: readonly PodWorker[],
  { runtime, clock, signal }: { runtime: Runtime; clock: Clock; signal?: AbortSignal | undefined },
): Promise<void> {
  await Promise.all(workers.map((worker) => endGuests(worker, { runtime, clock, signal })));
}

async function endGuests(
  worker: PodWorker,
  { runtime, clock, signal }: { runtime: Runtime; clock: Clock; signal?: AbortSignal | undefined },
): Promise<void> {
  const ids = aliveIds(worker);
  if (ids.length === 0) return;
  const grace = Math.max(1, worker.pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
  await sendAll(runtime, ids, 'SIGTERM');
  if (!(await endedWithin(grace, ids, { runtime, clock, signal }))) {
    await sendAll(runtime, ids, 'SIGKILL');
    await endedWithin(LAST_WAIT, ids, { runtime, clock });
  }
}

function aliveIds({ pod, observed }: PodWorker): WorkloadId[] {
  const podUid = pod.metadata?.uid ?? '';
  return [...observed.containers].flatMap(([container, seen]) =>
    isAlive(seen) && seen.instance !== undefined ? [{ podUid, container, attempt: seen.instance.attempt }] : [],
  );
}

async function sendAll(runtime: Runtime, ids: readonly WorkloadId[], signal: Signal): Promise<void> {
  await Promise.allSettled(ids.map((id) => runtime.kill(id, signal)));
}

async function endedWithin(
  ms: number,
  ids: readonly WorkloadId[],
  { runtime, clock, signal }: { runtime: Runtime; clock: Clock; signal?: AbortSignal | undefined },
): Promise<boolean> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  const late = clock.sleep(ms, { signal: either }).then(
    () => false,
    () => false,
  );
  const ended = Promise.allSettled(ids.map((id) => runtime.wait(id, { signal: either }))).then((all) =>
    all.every(({ status }) => status === 'fulfilled'),
  );
  const result = await Promise.race([ended, late]);
  stop.abort();
  return result;
}
