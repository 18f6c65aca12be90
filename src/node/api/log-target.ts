/**
 * Whether a container has a log to show, in the kubelet's own words, which kubectl shows to people and programs read.
 * Source: kubelet `pkg/kubelet/server/server.go` getContainerLogs, `pkg/kubelet/kubelet_pods.go` validateContainerLogStatus.
 */
import type { ContainerStatus, Pod } from '#kube/types';
import { type ApiAnswer, textAnswer } from './answers.ts';

export interface LogTarget {
  readonly pod: string;
  readonly container: string;
  readonly previous: boolean;
}

/** The refusal; undefined when there is a log. */
export function logRefusal(found: Pod | undefined, target: LogTarget): ApiAnswer | undefined {
  const { pod, container } = target;
  if (found === undefined) return textAnswer(404, `pod ${quote(pod)} does not exist`);
  const { containers = [], initContainers = [], ephemeralContainers = [] } = found.spec ?? {};
  const all = [...containers, ...initContainers, ...ephemeralContainers];
  if (!all.some(({ name }) => name === container)) {
    return textAnswer(404, `container ${quote(container)} not found in pod ${quote(pod)}`);
  }
  const state = stateRefusal(statusOf(found, container), target);
  return state === undefined ? undefined : textAnswer(400, `${state.replaceAll('\n', ' ')}`);
}

function statusOf({ status }: Pod, container: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = status ?? {};
  const all = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses];
  return all.find(({ name }) => name === container);
}

function stateRefusal(
  status: ContainerStatus | undefined,
  { pod, container, previous }: LogTarget,
): string | undefined {
  const subject = `container ${quote(container)} in pod ${quote(pod)}`;
  if (status === undefined) return `${subject} is not available`;
  const last = status.lastState?.terminated;
  const hasLast = last?.containerID !== undefined && last.containerID !== '';
  if (previous) return hasLast ? undefined : `previous terminated ${subject} not found`;
  const { waiting, running, terminated } = status.state ?? {};
  if (running !== undefined || hasLast) return undefined;
  if (terminated !== undefined) return terminated.containerID ? undefined : `${subject} is terminated`;
  if (last !== undefined) return `${subject} is terminated`;
  if (waiting === undefined) return `${subject} is waiting to start - no logs yet`;
  return `${subject} is waiting to start: ${WAITING[waiting.reason ?? ''] ?? waiting.reason ?? ''}`;
}

const WAITING: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};

/** As Go's %q for the names that a URL can carry. */
function quote(name: string): string {
  return JSON.stringify(name);
}
