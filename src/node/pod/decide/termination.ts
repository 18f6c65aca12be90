/** When a pod ends, and how long it may take. Source: kubelet `pod_workers.go` calculateEffectiveGracePeriod. */
import type { Pod } from '#kube/types';
import { NEVER_SEEN, type Observed } from './observed.ts';
import type { Action } from './plan.ts';

/** A guest that a SIGKILL did not end is killed again after this, in milliseconds. */
export const KILL_AGAIN = 10_000;

/** Somebody asked for the end, or for a sooner one: the API, a deadline. */
export function askedToEnd(pod: Pod, observed: Observed, now: number): Action | undefined {
  const graceSeconds = grace(pod);
  if (observed.removed === true) return sooner(observed, { cause: 'removed', graceSeconds, now });
  if (pod.metadata?.deletionTimestamp !== undefined) return sooner(observed, { cause: 'deleted', graceSeconds, now });
  const seconds = pod.spec?.activeDeadlineSeconds;
  if (observed.termination !== undefined || seconds === undefined || now < observed.startTime + seconds * 1000)
    return undefined;
  const message = 'Pod was active on the node longer than the specified deadline';
  return { do: 'terminate', cause: 'deadline', graceSeconds, reason: 'DeadlineExceeded', message };
}

function grace({ metadata, spec }: Pod): number {
  return Math.max(1, metadata?.deletionGracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 30);
}

/** The first request, or one that shortens what is left; grace never grows. */
function sooner(
  { termination }: Observed,
  { cause, graceSeconds, now }: { cause: 'deleted' | 'removed'; graceSeconds: number; now: number },
): Action | undefined {
  const action: Action = { do: 'terminate', cause, graceSeconds };
  if (termination === undefined) return action;
  const began = termination.cause === cause ? termination.startedAt : now;
  return began + graceSeconds * 1000 < termination.deadline ? action : undefined;
}

/** The next time at which a container that is being ended needs something. */
export function killAfter({ containers, termination }: Observed, name: string, now: number): number {
  const { killAt } = containers.get(name) ?? NEVER_SEEN;
  return killAt === undefined ? Math.max(now, termination?.deadline ?? now) : killAt + KILL_AGAIN;
}
