/** A pod's READY, STATUS and RESTARTS. Source: `pkg/printers/internalversion/printers.go` (printPod). */
import type { Container, ContainerStatus, Pod, PodCondition } from '#kube/types';
import { ageOf } from './age.ts';

interface Restarts {
  count: number;
  /** When the last container that was restarted had ended; undefined: never. */
  last: string | undefined;
}

interface Summary {
  ready: number;
  reason: string;
  restarts: Restarts;
}

/** The pod's cells: those of a narrow table, then those of a wide one. */
export function podCells(pod: Pod, now: number): unknown[] {
  const { spec, status, metadata } = pod;
  const inits = spec?.initContainers ?? [];
  const total = (spec?.containers ?? []).length + inits.filter(isSidecar).length;
  const summary = summarise(pod);
  const { count, last } = summary.restarts;
  const restarts = count !== 0 && last !== undefined ? `${count} (${ageOf(last, now)} ago)` : String(count);
  return [
    metadata?.name ?? '',
    `${summary.ready}/${total}`,
    finalReason(pod, summary.reason),
    restarts,
    ageOf(metadata?.creationTimestamp, now),
    status?.podIPs?.[0]?.ip || '<none>',
    spec?.nodeName || '<none>',
    status?.nominatedNodeName || '<none>',
    readinessGates(pod),
  ];
}

function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === 'Always';
}

function isTrue(conditions: readonly PodCondition[] | undefined, type: string): boolean {
  return conditions?.find((condition) => condition.type === type)?.status === 'True';
}

function summarise(pod: Pod): Summary {
  const { status } = pod;
  const gated = status?.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  const reason = gated ? 'SchedulingGated' : status?.reason || (status?.phase ?? '');
  const summary: Summary = { ready: 0, reason, restarts: { count: 0, last: undefined } };
  const sidecars: Restarts = { count: 0, last: undefined };
  const initializing = summariseInit(pod, summary, sidecars);
  if (!initializing || isTrue(status?.conditions, 'Initialized')) {
    summary.restarts = sidecars;
    summariseContainers(pod, summary);
  }
  return summary;
}

function countRestarts(restarts: Restarts, { restartCount, lastState }: ContainerStatus): void {
  restarts.count += restartCount;
  const ended = lastState?.terminated?.finishedAt ?? '';
  if (ended !== '' && (restarts.last === undefined || Date.parse(restarts.last) < Date.parse(ended))) {
    restarts.last = ended;
  }
}

/** True while an init container is not done. */
function summariseInit({ spec, status }: Pod, summary: Summary, sidecars: Restarts): boolean {
  const inits = spec?.initContainers ?? [];
  for (const [index, container] of (status?.initContainerStatuses ?? []).entries()) {
    const sidecar = isSidecar(inits.find(({ name }) => name === container.name));
    countRestarts(summary.restarts, container);
    if (sidecar) countRestarts(sidecars, container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecar && container.started === true) {
      if (container.ready) summary.ready++;
      continue;
    }
    if (terminated !== undefined) summary.reason = `Init:${endReason(terminated)}`;
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') summary.reason = `Init:${waiting.reason}`;
    else summary.reason = `Init:${index}/${inits.length}`;
    return true;
  }
  return false;
}

function endReason({ reason, signal, exitCode }: { reason?: string; signal?: number; exitCode: number }): string {
  if (reason) return reason;
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

function summariseContainers({ status }: Pod, summary: Summary): void {
  let running = false;
  let errorReason = '';
  for (const container of (status?.containerStatuses ?? []).toReversed()) {
    countRestarts(summary.restarts, container);
    const { waiting, terminated, running: runs } = container.state ?? {};
    if (waiting?.reason) summary.reason = waiting.reason;
    else if (terminated !== undefined) {
      summary.reason = endReason(terminated);
      if (terminated.exitCode !== 0) errorReason = summary.reason;
    } else if (container.ready && runs !== undefined) {
      running = true;
      summary.ready++;
    }
  }
  if (summary.reason !== 'Completed') return;
  // One container has ended well, but the pod goes on.
  if (running && isTrue(status?.conditions, 'Ready')) summary.reason = 'Running';
  else if (errorReason !== '') summary.reason = errorReason;
  else if (running) summary.reason = 'NotReady';
}

function finalReason({ metadata, status }: Pod, reason: string): string {
  if (metadata?.deletionTimestamp === undefined) return reason;
  if (status?.reason === 'NodeLost') return 'Unknown';
  return status?.phase === 'Succeeded' || status?.phase === 'Failed' ? reason : 'Terminating';
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter(({ conditionType }) => isTrue(status?.conditions, conditionType)).length}/${gates.length}`;
}

/** Conditions of the row itself: a pod that is over. Clients may hide such rows. */
export function podRowConditions({ status }: Pod): readonly unknown[] | undefined {
  if (status?.phase === 'Succeeded') {
    return [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }];
  }
  if (status?.phase !== 'Failed') return undefined;
  return [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }];
}
