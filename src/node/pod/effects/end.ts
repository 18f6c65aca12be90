/**
 * The end of a pod: signals, then what is left of it here, then the pod itself. Each step is told or acted on when it
 * stands on disk: a node that is killed in between starts nothing of the pod again.
 */
import { rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { messageOf } from '#kit';
import { Tree } from '#kit/os';
import { isConflict, isNotFound, PODS } from '#kube';
import { systemLinksFor } from '../../log/system-links.ts';
import { removeCheckpoint, writeCheckpoint } from '../checkpoint.ts';
import { isAlive, type Observed, type Termination } from '../decide/observed.ts';
import type { Action } from '../decide/plan.ts';
import { type Change, type EffectContext, idOf, seenOf, tell, withContainer } from './context.ts';

const RETRY_AFTER = 5_000;

export async function terminate(context: EffectContext, action: Extract<Action, { do: 'terminate' }>): Promise<Change> {
  const { observed, dependencies } = context;
  const now = dependencies.clock.now();
  const { cause, graceSeconds, reason, message } = action;
  const before = observed.termination;
  const startedAt = before?.cause === cause ? before.startedAt : now;
  const deadline = Math.min(startedAt + graceSeconds * 1000, before?.deadline ?? Number.POSITIVE_INFINITY);
  // Source of the words: kubelet.go rejectPod.
  const said = cause === 'rejected' ? `Pod was rejected: ${message}` : message;
  const why = { reason: before?.reason ?? reason, message: before?.message ?? said };
  if (before === undefined && cause === 'rejected')
    tell(context, { type: 'Warning', reason: reason ?? '', message: message ?? '' });
  const termination: Termination = {
    cause: before === undefined ? cause : stronger(before.cause, cause),
    startedAt,
    deadline,
    ...why,
  };
  const change: Change = { termination, lifecycle: 'terminating', retryAt: undefined };
  await remember(context, change);
  return change;
}

/**
 * Before the first signal. Where nothing runs there is none, and `terminated` writes. A disk that takes nothing keeps no
 * guest alive: no try is started from such a disk either, and the end is not told until it can be written.
 */
async function remember({ pod, observed, places, dependencies }: EffectContext, change: Change): Promise<void> {
  if (observed.lifecycle !== 'syncing' || ![...observed.containers.values()].some(isAlive)) return;
  try {
    await writeCheckpoint(places.checkpoint, { pod, observed: { ...observed, ...change } });
  } catch (error) {
    dependencies.log.warn('that a pod is to end cannot be written', {
      path: places.checkpoint,
      error: messageOf(error),
    });
  }
}

/** Nothing runs any more. The last phase is told after this: it never goes back, also not by a node that was killed. */
export async function terminated({ pod, observed, places }: EffectContext): Promise<Change> {
  const change: Change = { lifecycle: 'terminated', retryAt: undefined };
  await writeCheckpoint(places.checkpoint, { pod, observed: { ...observed, ...change } });
  return change;
}

/** A pod that failed by its own goes on to be a failed one when it is deleted meanwhile. */
function stronger(before: Termination['cause'], after: Termination['cause']): Termination['cause'] {
  return before === 'deadline' || before === 'rejected' ? before : after;
}

export async function kill(context: EffectContext, action: Extract<Action, { do: 'kill' }>): Promise<Change> {
  const { dependencies } = context;
  const { container, attempt, signal } = action;
  const seen = seenOf(context, container);
  const now = dependencies.clock.now();
  const id = idOf(context, container, attempt);
  if (seen.termAt === undefined && seen.killAt === undefined && seen.instance?.state === 'running') {
    tell(context, { type: 'Normal', reason: 'Killing', message: `Stopping container ${container}`, at: action });
  }
  await dependencies.runtime.kill(id, signal);
  if (seen.instance?.state === 'created') {
    // It never ran: there is no exit to wait for, and nothing to report.
    await dependencies.runtime.delete(id).catch(() => {});
    return withContainer(context, container, { instance: seen.last, last: undefined, killAt: now });
  }
  return withContainer(context, container, signal === 'SIGTERM' ? { termAt: now } : { killAt: now });
}

/** Everything of the pod but its logs and its checkpoint, where its exits stand since `terminated`; repeated until all of it succeeds. */
export async function cleanup(context: EffectContext): Promise<Change> {
  const { pod, observed, places, dependencies, volumes } = context;
  const uid = pod.metadata?.uid ?? '';
  for (const [container, { instance, last }] of observed.containers) {
    for (const one of [instance, last]) {
      if (one !== undefined) await dependencies.runtime.delete(idOf(context, container, one.attempt));
    }
  }
  // Also for a pod that shares its namespace's sandbox: one of its modules may have needed a process of its own.
  await dependencies.runtime.release({ tenant: pod.metadata?.namespace ?? '', isolation: 'pod', podUid: uid });
  dependencies.network.release(uid);
  await volumes.tearDown(pod);
  dependencies.images.forget(uid);
  const after: Observed = { ...observed, cleaned: true, retryAt: undefined };
  await writeCheckpoint(places.checkpoint, { pod, observed: after });
  return { cleaned: true, retryAt: undefined };
}

/** Only now may the API server forget the pod: grace 0, and only this very pod. */
export async function finish(context: EffectContext): Promise<Change> {
  const { pod, observed, places, dependencies } = context;
  const { name = '', namespace, uid = '' } = pod.metadata ?? {};
  if (observed.removed !== true) {
    try {
      await dependencies.client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) return { retryAt: dependencies.clock.now() + RETRY_AFTER };
    }
  }
  const tree = new Tree(places.tenant);
  await tree.remove(places.logs);
  await rm(places.logsLink, { force: true });
  const links = systemLinksFor(dependencies.dataDir);
  await links?.remove({ folderName: basename(places.logs), logs: places.logs });
  await tree.remove(dirname(places.container('x')));
  await removeCheckpoint(places.checkpoint);
  return { finished: true };
}
