/** The conditions that the node owns, in the kubelet's order. Source: kubelet `status/generate.go`. */
import { toTime } from '#kube';
import type { ContainerStatus, Pod, PodCondition } from '#kube/types';
import type { Observed } from './observed.ts';
import { anyMainStarted, type Phase } from './phase.ts';
import { IN_PROGRESS, PENDING, resizeConditions } from './resize.ts';
import { isSidecar } from './restart.ts';

/** Whether every declared TCP port of the pod has its socket; see docs/names.md. */
export const PORTS_BOUND = 'wasmlet.dev/PortsBound';

export const OWNED_CONDITIONS: readonly string[] = [
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  PORTS_BOUND,
  PENDING,
  IN_PROGRESS,
];

type Finding = Pick<PodCondition, 'type' | 'status' | 'reason' | 'message' | 'observedGeneration'>;

export interface Facts {
  readonly observed: Observed;
  readonly phase: Phase;
  readonly statuses: ReadonlyMap<string, ContainerStatus>;
  readonly now: number;
}

export function conditionsOf(pod: Pod, facts: Facts): PodCondition[] {
  const { observed, now } = facts;
  const foreign = (pod.status?.conditions ?? []).filter(({ type }) => !OWNED_CONDITIONS.includes(type));
  const containersReady = containersReadyOf(pod, facts);
  const ready = observed.network === 'ready' && observed.lifecycle !== 'terminated';
  const found: Finding[] = [
    ...resizeConditions(pod, observed),
    { type: 'PodReadyToStartContainers', ...(ready ? { status: 'True' } : withoutPlace(observed)) },
    { type: 'Initialized', ...initialized(pod, facts) },
    { type: 'Ready', ...gated(pod, containersReady, foreign) },
    { type: 'ContainersReady', ...containersReady },
    { type: 'PodScheduled', status: 'True' },
    ...portsBound(observed),
  ];
  return [...foreign, ...found.map((finding) => dated(pod, finding, { observed, now }))];
}

type Verdict = Omit<Finding, 'type'>;

/** The kubelet says only that it is not; why stands in an event that nobody may find any more. */
function withoutPlace({ networkProblem: message }: Observed): Verdict {
  return { status: 'False', ...(message === undefined ? {} : { reason: 'FailedCreatePodSandBox', message }) };
}

function containersReadyOf(pod: Pod, { statuses, phase }: Facts): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const stay = [...(pod.spec?.initContainers ?? []).filter(isSidecar), ...(pod.spec?.containers ?? [])];
  const unready = stay.map(({ name }) => name).filter((name) => statuses.get(name)?.ready !== true);
  if (unready.length === 0) return { status: 'True' };
  const message = `containers with unready status: [${unready.join(' ')}]`;
  return { status: 'False', reason: 'ContainersNotReady', message };
}

function gated(pod: Pod, containersReady: Verdict, foreign: readonly PodCondition[]): Verdict {
  if (containersReady.status !== 'True') return containersReady;
  const missing: string[] = [];
  for (const { conditionType } of pod.spec?.readinessGates ?? []) {
    const condition = foreign.find(({ type }) => type === conditionType);
    if (condition === undefined) {
      missing.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    } else if (condition.status !== 'True') {
      missing.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`);
    }
  }
  if (missing.length === 0) return { status: 'True' };
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: missing.join(', ') };
}

function initialized(pod: Pod, { statuses, phase }: Facts): Verdict {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  if (anyMainStarted(pod, statuses)) return { status: 'True' };
  const incomplete = (pod.spec?.initContainers ?? []).filter((container) => {
    const status = statuses.get(container.name);
    return isSidecar(container) ? status?.started !== true : status?.ready !== true;
  });
  if (incomplete.length === 0) return { status: 'True' };
  const message = `containers with incomplete status: [${incomplete.map(({ name }) => name).join(' ')}]`;
  return { status: 'False', reason: 'ContainersNotInitialized', message };
}

function portsBound({ ports }: Observed): Finding[] {
  if (ports === undefined) return [];
  if (ports.bound) return [{ type: PORTS_BOUND, status: 'True' }];
  return [{ type: PORTS_BOUND, status: 'False', reason: 'PortsNotBound', message: ports.message }];
}

/** lastTransitionTime moves only when the status does. */
function dated(pod: Pod, finding: Finding, { observed, now }: { observed: Observed; now: number }): PodCondition {
  const old = observed.previous.conditions?.find(({ type }) => type === finding.type);
  const isResize = finding.type === PENDING || finding.type === IN_PROGRESS;
  const stays = old?.status === finding.status && (!isResize || old.reason === finding.reason);
  const same = stays && old.lastTransitionTime !== undefined;
  const generation = finding.observedGeneration ?? pod.metadata?.generation;
  return {
    ...finding,
    lastTransitionTime: same ? (old.lastTransitionTime ?? '') : toTime(now),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}
