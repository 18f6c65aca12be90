/** Which files hold the output that somebody asks for, and whether there can be more. Words of the kubelet's API. */
import type { LogRequest } from '../contract.ts';
import { nodeError } from '../errors.ts';
import type { LogFiles } from '../log/mod.ts';
import { isAlive } from './decide/observed.ts';
import type { PodWorker } from './worker.ts';

/** Throws NODE_POD_UNKNOWN, NODE_CONTAINER_UNKNOWN or NODE_LOG_UNAVAILABLE. */
export function podLogs(
  worker: PodWorker | undefined,
  { namespace, pod: name, container, previous }: LogRequest,
): LogFiles {
  if (worker === undefined) throw nodeError('NODE_POD_UNKNOWN', `pod "${name}" not found in namespace "${namespace}"`);
  const { pod, places } = worker;
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  if (!all.some((one) => one.name === container)) {
    throw nodeError('NODE_CONTAINER_UNKNOWN', `container "${container}" not found in pod "${name}"`);
  }
  const seen = () => worker.observed.containers.get(container);
  const attempt = previous ? seen()?.last?.attempt : seen()?.instance?.attempt;
  if (attempt === undefined) throw missing(worker, { name, container, previous });
  return {
    root: places.tenant,
    path: places.log(container, attempt),
    isLive: () => {
      const now = seen();
      return now?.instance?.attempt === attempt && isAlive(now);
    },
  };
}

/** Source: kubelet `kubelet_pods.go` validateContainerLogStatus. */
function missing(
  { observed }: PodWorker,
  { name, container, previous }: { name: string; container: string; previous: boolean },
) {
  if (previous) {
    return nodeError('NODE_LOG_UNAVAILABLE', `previous terminated container "${container}" in pod "${name}" not found`);
  }
  const { initContainerStatuses = [], containerStatuses = [] } = observed.previous;
  const waiting = [...initContainerStatuses, ...containerStatuses].find((one) => one.name === container)?.state
    ?.waiting;
  return nodeError(
    'NODE_LOG_UNAVAILABLE',
    `container "${container}" in pod "${name}" is waiting to start: ${words(waiting?.reason)}`,
  );
}

function words(reason = 'ContainerCreating'): string {
  if (reason === 'ErrImagePull') return "image can't be pulled";
  if (reason === 'ImagePullBackOff') return 'trying and failing to pull image';
  return reason;
}
