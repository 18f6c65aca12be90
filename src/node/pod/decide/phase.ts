/** A pod's phase from its containers' statuses. Source: kubelet `kubelet_pods.go` getPhase. */
import type { Container, ContainerStatus, Pod } from '#kube/types';
import { isSidecar, restarts } from './restart.ts';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export function isTerminal(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

interface Count {
  pendingInit: number;
  failedInit: number;
  pendingSidecar: number;
  waiting: number;
  running: number;
  stopped: number;
  succeeded: number;
  restartable: number;
}

/** `ending`: nothing will be started again, whatever the restart policy says. */
export function phaseOf(
  pod: Pod,
  statuses: ReadonlyMap<string, ContainerStatus>,
  { ending }: { ending: boolean },
): Phase {
  const count: Count = {
    pendingInit: 0,
    failedInit: 0,
    pendingSidecar: 0,
    waiting: 0,
    running: 0,
    stopped: 0,
    succeeded: 0,
    restartable: 0,
  };
  for (const container of pod.spec?.initContainers ?? []) {
    if (isSidecar(container)) countSidecar(count, statuses.get(container.name));
    else countInit(count, pod, container, statuses.get(container.name));
  }
  for (const container of pod.spec?.containers ?? []) countMain(count, pod, container, statuses.get(container.name));
  return decide(count, ending, anyMainStarted(pod, statuses));
}

function decide(count: Count, ending: boolean, initialized: boolean): Phase {
  if (count.failedInit > 0) return 'Failed';
  if (count.pendingInit > 0 || (count.pendingSidecar > 0 && !initialized)) return 'Pending';
  if (count.waiting > 0) return 'Pending';
  if (count.running > 0) return 'Running';
  if (count.stopped === 0) return 'Pending';
  if (!ending && count.restartable > 0) return 'Running';
  return count.stopped === count.succeeded ? 'Succeeded' : 'Failed';
}

function countInit(count: Count, pod: Pod, container: Container, status: ContainerStatus | undefined): void {
  const code = exitCodeOf(status);
  if (code === undefined) count.pendingInit++;
  else if (code !== 0 && !restarts(pod, container, { kind: 'initContainers', exitCode: code })) count.failedInit++;
}

function countSidecar(count: Count, status: ContainerStatus | undefined): void {
  if (status?.state?.running !== undefined) count.running++;
  else if (status?.state?.waiting !== undefined && status.lastState?.terminated === undefined) {
    count.pendingSidecar++;
    count.waiting++;
  }
}

function countMain(count: Count, pod: Pod, container: Container, status: ContainerStatus | undefined): void {
  if (status?.state?.running !== undefined) {
    count.running++;
    return;
  }
  const code = exitCodeOf(status);
  if (code === undefined) {
    count.waiting++;
    return;
  }
  count.stopped++;
  if (restarts(pod, container, { kind: 'containers', exitCode: code })) count.restartable++;
  if (code === 0 && status?.state?.terminated !== undefined) count.succeeded++;
}

/** The exit code of a container that stands still, also while it waits to be started again. */
function exitCodeOf(status: ContainerStatus | undefined): number | undefined {
  if (status?.state?.running !== undefined) return undefined;
  return (status?.state?.terminated ?? status?.lastState?.terminated)?.exitCode;
}

export function anyMainStarted({ spec }: Pod, statuses: ReadonlyMap<string, ContainerStatus>): boolean {
  return (spec?.containers ?? []).some(({ name }) => wasStarted(statuses.get(name)));
}

function wasStarted(status: ContainerStatus | undefined): boolean {
  return (
    status?.started === true ||
    status?.state?.running !== undefined ||
    status?.state?.terminated !== undefined ||
    status?.lastState?.terminated !== undefined
  );
}
