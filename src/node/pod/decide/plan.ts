/**
 * What to do next for a pod: a pure function of the pod, of what is known, and of the time. The worker carries out what
 * it answers, knows more, and asks again, until there is nothing left but waiting. Source of the order: kubelet
 * `kubelet.go` SyncPod, SyncTerminatingPod, SyncTerminatedPod; `kuberuntime_manager.go` computePodActions.
 */
import { fromTime } from '#kube';
import type { Container, Pod } from '#kube/types';
import { admit } from './admission.ts';
import {
  type BackoffEntry,
  type Cause,
  type ContainerKind,
  type ContainerObserved,
  isAlive,
  NEVER_SEEN,
  type Observed,
} from './observed.ts';
import { isTerminal } from './phase.ts';
import { planAllocation, resizeStep } from './resize.ts';
import { backedOffUntil, durationText, isSidecar, nextBackoff, podText, restarts } from './restart.ts';
import { outcomePhase } from './status.ts';
import { askedToEnd, KILL_AGAIN, killAfter } from './termination.ts';

/** One thing to do, as a value: logs, tests and events show the same words. */
export type Action =
  | { readonly do: 'network' }
  | { readonly do: 'mount' }
  | { readonly do: 'refresh' }
  | { readonly do: 'pull'; readonly kind: ContainerKind; readonly container: string }
  | {
      readonly do: 'create';
      readonly kind: ContainerKind;
      readonly container: string;
      readonly attempt: number;
      readonly backoff?: BackoffEntry | undefined;
    }
  | { readonly do: 'start'; readonly kind: ContainerKind; readonly container: string; readonly attempt: number }
  | {
      readonly do: 'backOff';
      readonly kind: ContainerKind;
      readonly container: string;
      readonly until: number;
      readonly message: string;
    }
  | {
      readonly do: 'kill';
      readonly kind: ContainerKind;
      readonly container: string;
      readonly attempt: number;
      readonly signal: 'SIGTERM' | 'SIGKILL';
    }
  | {
      readonly do: 'terminate';
      readonly cause: Cause;
      readonly graceSeconds: number;
      readonly reason?: string;
      readonly message?: string;
    }
  | { readonly do: 'allocate' }
  | { readonly do: 'resize'; readonly kind: ContainerKind; readonly container: string; readonly attempt: number }
  | { readonly do: 'terminated' }
  | { readonly do: 'cleanup' }
  | { readonly do: 'finish' }
  | { readonly do: 'wait'; readonly until: number };

export function plan(pod: Pod, observed: Observed, now: number): Action[] {
  if (observed.lifecycle === 'terminated') return planTerminated(pod, observed, now);
  const end = whyEnd(pod, observed, now);
  if (end !== undefined) return [end];
  return observed.lifecycle === 'terminating' ? planTerminating(pod, observed, now) : planSyncing(pod, observed, now);
}

/** The reason to begin ending, or to end sooner. */
function whyEnd(pod: Pod, observed: Observed, now: number): Action | undefined {
  const asked = askedToEnd(pod, observed, now);
  if (asked !== undefined || observed.lifecycle === 'terminating') return asked;
  if (
    isTerminal(observed.previous.phase) ||
    isTerminal(pod.status?.phase) ||
    isTerminal(outcomePhase(pod, observed)) ||
    isDone(pod, observed)
  ) {
    return { do: 'terminate', cause: 'finished', graceSeconds: graceOf(pod) };
  }
  const { rejected } = admit(pod);
  if (rejected !== undefined && observed.network === 'none') {
    return { do: 'terminate', cause: 'rejected', graceSeconds: 1, ...rejected };
  }
  return undefined;
}

function graceOf(pod: Pod): number {
  return Math.max(1, pod.spec?.terminationGracePeriodSeconds ?? 30);
}

function planSyncing(pod: Pod, observed: Observed, now: number): Action[] {
  const { retryAt, refreshAt } = observed;
  if (retryAt !== undefined && now < retryAt) return waitUntil(pod, observed, [retryAt]);
  if (observed.network === 'none') return [{ do: 'network' }];
  if (observed.volumes === 'none') return [{ do: 'mount' }];
  if (refreshAt !== undefined && now >= refreshAt) return [{ do: 'refresh' }];
  const waits: number[] = refreshAt === undefined ? [] : [refreshAt];
  const allocation = planAllocation(pod, observed, { now, waits });
  if (allocation !== undefined) return [allocation];
  const step = nextStep(pod, observed, { now, waits });
  return step === undefined ? waitUntil(pod, observed, waits) : [step];
}

/** The first step of the first container that has one; containers that must wait add their time to `waits`. */
function nextStep(pod: Pod, observed: Observed, { now, waits }: { now: number; waits: number[] }): Action | undefined {
  const mainStarted = (pod.spec?.containers ?? []).some(
    ({ name }) => observed.containers.get(name)?.instance !== undefined,
  );
  for (const container of pod.spec?.initContainers ?? []) {
    const seen = observed.containers.get(container.name) ?? NEVER_SEEN;
    if (mainStarted && !isSidecar(container)) continue;
    const step = stepOf(pod, container, { kind: 'initContainers', seen, now, waits });
    if (step !== undefined) return step;
    if (!mainStarted && !isPassed(container, seen)) return undefined;
  }
  for (const container of pod.spec?.containers ?? []) {
    const seen = observed.containers.get(container.name) ?? NEVER_SEEN;
    const step = stepOf(pod, container, { kind: 'containers', seen, now, waits });
    if (step !== undefined) return step;
  }
  return undefined;
}

/** Whether the containers after this init container may go on. */
function isPassed(container: Container, { instance }: ContainerObserved): boolean {
  if (isSidecar(container)) return instance?.state === 'running';
  return instance?.state === 'exited' && instance.exitCode === 0;
}

interface Step {
  readonly kind: ContainerKind;
  readonly seen: ContainerObserved;
  readonly now: number;
  readonly waits: number[];
}

function stepOf(pod: Pod, { name, ...container }: Container, { kind, seen, now, waits }: Step): Action | undefined {
  const { instance, waiting } = seen;
  if (instance?.state === 'running') {
    return resizeStep({ name, ...container }, { kind, seen, graceSeconds: graceOf(pod), now, waits });
  }
  if (waiting !== undefined && now < waiting.until) {
    if (instance?.state !== 'exited' || restarts(pod, { name, ...container }, { kind, exitCode: instance.exitCode }))
      waits.push(waiting.until);
    return undefined;
  }
  if (instance?.state === 'created') return { do: 'start', kind, container: name, attempt: instance.attempt };
  if (instance === undefined) {
    return seen.pulled === true
      ? { do: 'create', kind, container: name, attempt: 0 }
      : { do: 'pull', kind, container: name };
  }
  if (!restarts(pod, { name, ...container }, { kind, exitCode: instance.exitCode })) return undefined;
  // What was ended to be resized has not failed.
  const until = seen.termAt === undefined ? backedOffUntil(seen, instance) : undefined;
  if (until !== undefined && now < until) {
    const delay = durationText(seen.backoff?.delay ?? 0);
    const message = `back-off ${delay} restarting failed container=${name} pod=${podText(pod)}`;
    return { do: 'backOff', kind, container: name, until, message };
  }
  if (seen.pulled !== true) return { do: 'pull', kind, container: name };
  const backoff = seen.termAt === undefined ? nextBackoff(seen, instance, now) : seen.backoff;
  return { do: 'create', kind, container: name, attempt: instance.attempt + 1, backoff };
}

function waitUntil(pod: Pod, observed: Observed, times: readonly number[]): Action[] {
  const all = [...times];
  const limit = deadlineOf(pod, observed);
  if (limit !== undefined) all.push(limit);
  return all.length === 0 ? [] : [{ do: 'wait', until: Math.min(...all) }];
}

function deadlineOf({ spec }: Pod, { startTime }: Observed): number | undefined {
  const seconds = spec?.activeDeadlineSeconds;
  return seconds === undefined ? undefined : startTime + seconds * 1000;
}

/** Main containers end first and together, then sidecars from the last to the first. */
function planTerminating(pod: Pod, observed: Observed, now: number): Action[] {
  const main = (pod.spec?.containers ?? []).map(({ name }) => ['containers', name] as const);
  const init = (pod.spec?.initContainers ?? []).map((container) => ['initContainers', container.name] as const);
  const groups = [[...main, ...init.filter(([, name]) => !isSidecarNamed(pod, name))]];
  for (const one of init.filter(([, name]) => isSidecarNamed(pod, name)).toReversed()) groups.push([one]);
  for (const group of groups) {
    const alive = group.filter(([, name]) => isAlive(observed.containers.get(name) ?? NEVER_SEEN));
    if (alive.length === 0) continue;
    const kills = alive.flatMap(([kind, name]) => killsOf(observed, { kind, name, now }));
    if (kills.length > 0) return kills;
    return [{ do: 'wait', until: Math.min(...alive.map(([, name]) => killAfter(observed, name, now))) }];
  }
  const { retryAt } = observed;
  return [retryAt !== undefined && now < retryAt ? { do: 'wait', until: retryAt } : { do: 'terminated' }];
}

function isSidecarNamed({ spec }: Pod, name: string): boolean {
  return (spec?.initContainers ?? []).some((container) => container.name === name && isSidecar(container));
}

function killsOf(
  observed: Observed,
  { kind, name, now }: { kind: ContainerKind; name: string; now: number },
): Action[] {
  const seen = observed.containers.get(name) ?? NEVER_SEEN;
  if (seen.instance === undefined || seen.instance.state === 'exited') return [];
  const { attempt, state } = seen.instance;
  const late = state === 'created' || now >= (observed.termination?.deadline ?? 0);
  if (late && (seen.killAt === undefined || now >= seen.killAt + KILL_AGAIN)) {
    return [{ do: 'kill', kind, container: name, attempt, signal: 'SIGKILL' }];
  }
  if (late || seen.termAt !== undefined) return [];
  return [{ do: 'kill', kind, container: name, attempt, signal: 'SIGTERM' }];
}

/** The pod's place is cleaned up first; it is taken from the API only when nothing is left of it here. */
function planTerminated(pod: Pod, observed: Observed, now: number): Action[] {
  const { finished, cleaned, removed, reported, retryAt } = observed;
  if (finished === true) return [];
  if (retryAt !== undefined && now < retryAt) return [{ do: 'wait', until: retryAt }];
  if (cleaned !== true) return [{ do: 'cleanup' }];
  if (removed === true) return [{ do: 'finish' }];
  const deleted = pod.metadata?.deletionTimestamp !== undefined;
  return deleted && reported === true ? [{ do: 'finish' }] : [];
}

/** Every main container has ended for good; only sidecars may still run. */
function isDone(pod: Pod, observed: Observed): boolean {
  const main = pod.spec?.containers ?? [];
  return main.every((container) => {
    const { instance } = observed.containers.get(container.name) ?? NEVER_SEEN;
    if (instance?.state !== 'exited') return false;
    return !restarts(pod, container, { kind: 'containers', exitCode: instance.exitCode });
  });
}

export function startTimeOf(pod: Pod, now: number): number {
  return fromTime(pod.status?.startTime) ?? now;
}
