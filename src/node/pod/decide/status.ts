/**
 * A pod's status, made in this one place. Source: kubelet `kubelet_pods.go` generateAPIPodStatus and
 * `status/status_manager.go` TerminatePod. The phase never goes back, and a terminal one is not told while anything runs.
 */
import { toTime } from '#kube';
import type { ContainerStatus, Pod, PodStatus } from '#kube/types';
import { conditionsOf } from './conditions.ts';
import { containerStatus } from './container-status.ts';
import type { Observed } from './observed.ts';
import { isTerminal, type Phase, phaseOf } from './phase.ts';
import { qualityOf } from './quality.ts';

export function status(pod: Pod, observed: Observed, now: number): PodStatus {
  const statuses = containerStatuses(pod, observed);
  const phase = nextPhase(pod, observed, statuses);
  const generation = pod.metadata?.generation;
  const [hostIP] = observed.hostIPs;
  const [podIP] = observed.podIPs;
  const init = (pod.spec?.initContainers ?? []).flatMap(({ name }) => statuses.get(name) ?? []);
  const main = (pod.spec?.containers ?? []).flatMap(({ name }) => statuses.get(name) ?? []);
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    ...why(observed, phase),
    conditions: conditionsOf(pod, { observed, phase, statuses, now }),
    ...(hostIP === undefined ? {} : { hostIP, hostIPs: observed.hostIPs.map((ip) => ({ ip })) }),
    ...(podIP === undefined ? {} : { podIP, podIPs: observed.podIPs.map((ip) => ({ ip })) }),
    startTime: toTime(observed.startTime),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: main.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    qosClass: pod.status?.qosClass ?? qualityOf(pod),
  };
}

/** The phase if nothing ran any more: what `plan` asks to know whether a pod is done. */
export function outcomePhase(pod: Pod, observed: Observed): Phase {
  const ending = observed.lifecycle !== 'syncing';
  return phaseOf(pod, containerStatuses(pod, observed), { ending });
}

function containerStatuses(pod: Pod, observed: Observed): Map<string, ContainerStatus> {
  const ended = observed.lifecycle === 'terminated';
  const statuses = new Map<string, ContainerStatus>();
  for (const kind of ['initContainers', 'containers'] as const) {
    for (const container of pod.spec?.[kind] ?? []) {
      const seen = observed.containers.get(container.name);
      const told = seen === undefined ? toldBefore(observed, container.name) : undefined;
      statuses.set(container.name, told ?? containerStatus(pod, container, { kind, seen, ended }));
    }
  }
  if (ended && observed.termination?.cause !== 'rejected' && isInitialized(pod, statuses)) markLost(pod, statuses);
  return statuses;
}

/** What ended before this node knew the pod (its data directory was reset) stays as it was told. */
function toldBefore({ previous }: Observed, name: string): ContainerStatus | undefined {
  const all = [...(previous.initContainerStatuses ?? []), ...(previous.containerStatuses ?? [])];
  return all.find((status) => status.name === name && status.state?.terminated !== undefined);
}

/** In a pod that had begun to run, what has no exit was lost. */
function markLost(pod: Pod, statuses: Map<string, ContainerStatus>): void {
  for (const { name } of pod.spec?.containers ?? []) {
    const at = statuses.get(name);
    if (at === undefined || at.state?.terminated !== undefined) continue;
    const message = 'The container could not be located when the pod was terminated';
    const terminated = { reason: 'ContainerStatusUnknown', message, exitCode: 137 };
    statuses.set(name, { ...at, ready: false, started: false, state: { terminated } });
  }
}

/** Source: status_manager.go hasPodInitialized. */
function isInitialized(pod: Pod, statuses: ReadonlyMap<string, ContainerStatus>): boolean {
  const init = pod.spec?.initContainers ?? [];
  if (init.length === 0) return true;
  const last = statuses.get(init.at(-1)?.name ?? '');
  return last?.state?.terminated?.exitCode === 0 || last?.started === true;
}

function nextPhase(pod: Pod, observed: Observed, statuses: ReadonlyMap<string, ContainerStatus>): Phase {
  const server = knownPhase(pod.status?.phase);
  const before = knownPhase(observed.previous.phase) ?? server ?? 'Pending';
  if (isTerminal(before)) return before;
  if (server !== undefined && isTerminal(server)) return server;
  const computed = computedPhase(pod, observed, statuses);
  if (isTerminal(computed) && observed.lifecycle !== 'terminated') return before;
  return before === 'Running' && computed === 'Pending' ? 'Running' : computed;
}

function computedPhase(pod: Pod, observed: Observed, statuses: ReadonlyMap<string, ContainerStatus>): Phase {
  const { lifecycle, termination } = observed;
  if (lifecycle === 'terminated') {
    if (termination?.cause === 'rejected' || termination?.cause === 'deadline') return 'Failed';
    const phase = phaseOf(pod, statuses, { ending: true });
    return isTerminal(phase) ? phase : 'Failed';
  }
  return phaseOf(pod, statuses, { ending: false });
}

function why({ termination, previous }: Observed, phase: Phase): { reason?: string; message?: string } {
  if (phase !== 'Failed') return {};
  const reason = termination?.reason ?? previous.reason;
  const message = termination?.message ?? previous.message;
  return { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
}

function knownPhase(phase: string | undefined): Phase | undefined {
  return phase === 'Pending' || phase === 'Running' || phase === 'Succeeded' || phase === 'Failed' ? phase : undefined;
}
