/** `containerStatuses[]` of one container. Source: kubelet `kubelet_pods.go` convertToAPIContainerStatuses. */
import { toTime } from '#kube';
import type { Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod } from '#kube/types';
import type { ContainerKind, ContainerObserved, ExitedInstance } from './observed.ts';
import { NEVER_SEEN } from './observed.ts';
import { isSidecar, restarts } from './restart.ts';

/** `wasmlet://<key>`: the runtime's name for this try of the container. */
export function containerId(pod: Pod, container: string, attempt: number): string {
  return `wasmlet://${pod.metadata?.uid ?? ''}/${container}/${attempt}`;
}

export function containerStatus(
  pod: Pod,
  container: Container,
  { kind, seen = NEVER_SEEN, ended }: { kind: ContainerKind; seen?: ContainerObserved | undefined; ended: boolean },
): ContainerStatus {
  const { instance, last, image } = seen;
  const state = stateOf(pod, container, { kind, seen, ended });
  const shownLast = state.waiting !== undefined && instance?.state === 'exited' ? instance : last;
  const running = state.running !== undefined;
  // What was granted, and while it runs what it has.
  const resources = (running ? seen.actuated : undefined) ?? container.resources;
  return {
    name: container.name,
    image: image?.reference ?? container.image ?? '',
    imageID: image?.id ?? '',
    ...(instance === undefined ? {} : { containerID: containerId(pod, container.name, instance.attempt) }),
    restartCount: instance?.attempt ?? 0,
    ready: isReady(container, { kind, state }),
    started: running,
    state,
    lastState: shownLast === undefined ? {} : { terminated: terminated(pod, container.name, shownLast) },
    ...(instance === undefined || resources === undefined ? {} : { resources, ...allocated(container) }),
    ...(container.volumeMounts === undefined ? {} : { volumeMounts: container.volumeMounts.map(mountStatus) }),
  };
}

function stateOf(
  pod: Pod,
  container: Container,
  { kind, seen, ended }: { kind: ContainerKind; seen: ContainerObserved; ended: boolean },
): ContainerState {
  const { instance, waiting } = seen;
  if (instance?.state === 'running') return { running: { startedAt: toTime(instance.startedAt) } };
  const goesOn = instance?.state !== 'exited' || restarts(pod, container, { kind, exitCode: instance.exitCode });
  if (waiting !== undefined && goesOn && !(ended && instance?.state === 'exited')) {
    return { waiting: { reason: waiting.reason, message: waiting.message } };
  }
  if (instance?.state === 'exited') return { terminated: terminated(pod, container.name, instance) };
  const initializing = (pod.spec?.initContainers ?? []).length > 0;
  return { waiting: { reason: initializing ? 'PodInitializing' : 'ContainerCreating' } };
}

function terminated(pod: Pod, name: string, exit: ExitedInstance): ContainerStateTerminated {
  return {
    containerID: containerId(pod, name, exit.attempt),
    exitCode: exit.exitCode,
    reason: exit.reason,
    ...(exit.message === undefined ? {} : { message: exit.message }),
    ...(exit.signal === undefined ? {} : { signal: exit.signal }),
    ...(exit.startedAt === undefined ? {} : { startedAt: toTime(exit.startedAt) }),
    finishedAt: toTime(exit.finishedAt),
  };
}

/** Without probes a running container is ready, and a plain init container once it has succeeded. */
function isReady(container: Container, { kind, state }: { kind: ContainerKind; state: ContainerState }): boolean {
  if (kind === 'initContainers' && !isSidecar(container)) return state.terminated?.exitCode === 0;
  return state.running !== undefined;
}

function allocated({ resources }: Container) {
  return resources?.requests === undefined ? {} : { allocatedResources: resources.requests };
}

function mountStatus({ name, mountPath, readOnly }: { name: string; mountPath: string; readOnly?: boolean }) {
  return readOnly === true ? { name, mountPath, readOnly, recursiveReadOnly: 'Disabled' } : { name, mountPath };
}
