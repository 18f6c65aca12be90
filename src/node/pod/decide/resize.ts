/**
 * Resources that change while a pod runs. Three states of each container, as the kubelet has them: what is asked for (the spec), what was
 * granted (`allocated`), and what the runtime was told (`actuated`). First the whole pod is granted its change, or waits with
 * PodResizePending; then each running container gets it, in place or by a restart as its resizePolicy says. Pure.
 * Source: kubelet `allocation/allocation_manager.go` handlePodResourcesResize, `kuberuntime_manager.go` computePodResizeAction.
 */
import { milliValueOf, parseQuantity, wholeValueOf } from '#kube';
import type { Container, Pod, PodCondition } from '#kube/types';
import type { ContainerKind, ContainerObserved, Observed } from './observed.ts';
import type { Action } from './plan.ts';
import { allocatedPod, isSame, isSameAmount, RESIZABLE, type Requests, requestsOf, resizableOf } from './resources.ts';
import { KILL_AGAIN } from './termination.ts';

export const PENDING = 'PodResizePending';
export const IN_PROGRESS = 'PodResizeInProgress';

/** What is known of a pod's change. */
export interface Resize {
  /** It cannot be granted: `until` says when that is looked at again, if ever. */
  readonly pending?:
    | {
        readonly reason: 'Deferred' | 'Infeasible';
        readonly message: string;
        readonly generation: number | undefined;
        readonly until?: number | undefined;
      }
    | undefined;
  /** It was granted by this generation of the pod, and is on its way. */
  readonly progress?:
    | {
        readonly generation: number | undefined;
        readonly reason?: 'Error' | undefined;
        readonly message?: string | undefined;
      }
    | undefined;
}

interface Times {
  readonly now: number;
  /** When to look again. */
  readonly waits: number[];
}

/** Whether what is asked for has to be held against what there is. */
export function planAllocation(pod: Pod, observed: Observed, { now, waits }: Times): Action | undefined {
  const pending = observed.resize?.pending;
  // Nothing stands still in a pod that has no container yet: it is made with what its spec says then.
  if (allocatedPod(pod, observed) === pod) return pending === undefined ? undefined : { do: 'allocate' };
  if (pending === undefined || pending.generation !== pod.metadata?.generation) return { do: 'allocate' };
  if (pending.until === undefined) return undefined;
  if (now >= pending.until) return { do: 'allocate' };
  waits.push(pending.until);
  return undefined;
}

export type Allocation =
  | { readonly fits: true }
  | { readonly fits: false; readonly reason: 'Deferred' | 'Infeasible'; readonly message: string };

/** `taken` is what the other pods were granted. Source of the words: `allocation_manager.go` canResizePod, lifecycle `predicate.go`. */
export function allocationOf(
  pod: Pod,
  { allocatable, taken }: { readonly allocatable: Readonly<Record<string, string | number>>; readonly taken: Requests },
): Allocation {
  const { cpuMillis: cpu, memoryBytes: memory } = requestsOf(pod);
  const most = {
    cpu: allocatable['cpu'] === undefined ? undefined : milliValueOf(parseQuantity(allocatable['cpu'])),
    memory: allocatable['memory'] === undefined ? undefined : wholeValueOf(parseQuantity(allocatable['memory'])),
  };
  for (const [name, requested, capacity = Infinity] of [
    ['memory', memory, most.memory],
    ['cpu', cpu, most.cpu],
  ] as const) {
    if (requested <= capacity) continue;
    const message = `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${capacity}`;
    return { fits: false, reason: 'Infeasible', message };
  }
  for (const [name, requested, used, capacity = Infinity] of [
    ['cpu', cpu, taken.cpuMillis, most.cpu],
    ['memory', memory, taken.memoryBytes, most.memory],
  ] as const) {
    if (requested === 0 || requested + used <= capacity) continue;
    const message = `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
    return { fits: false, reason: 'Deferred', message };
  }
  return { fits: true };
}

interface Running {
  readonly kind: ContainerKind;
  readonly seen: ContainerObserved;
  readonly graceSeconds: number;
}

/** The next thing to do for a running container that has not what it was granted. */
export function resizeStep(
  container: Container,
  { kind, seen, graceSeconds, now, waits }: Running & Times,
): Action | undefined {
  const { instance, resizeAt } = seen;
  if (instance === undefined || !isBehind(seen)) return undefined;
  const at = { kind, container: container.name, attempt: instance.attempt };
  if (needsRestart(container, seen)) return killStep(at, { seen, graceSeconds, now, waits });
  if (resizeAt === undefined || now >= resizeAt) return { do: 'resize', ...at };
  waits.push(resizeAt);
  return undefined;
}

/** A running container was granted something else than it has. */
function isBehind({ instance, allocated, actuated }: ContainerObserved): boolean {
  if (instance?.state !== 'running' || allocated === undefined || actuated === undefined) return false;
  return !isSame(allocated, actuated);
}

function needsRestart({ resizePolicy = [] }: Container, { allocated = {}, actuated = {} }: ContainerObserved): boolean {
  return RESIZABLE.some(
    (name) =>
      !isSameAmount(allocated, actuated, name) &&
      resizePolicy.some(
        ({ resourceName, restartPolicy }) => resourceName === name && restartPolicy === 'RestartContainer',
      ),
  );
}

function killStep(
  at: { readonly kind: ContainerKind; readonly container: string; readonly attempt: number },
  { seen: { termAt, killAt }, graceSeconds, now, waits }: Omit<Running, 'kind'> & Times,
): Action | undefined {
  if (termAt === undefined) return { do: 'kill', ...at, signal: 'SIGTERM' };
  const next = killAt === undefined ? termAt + graceSeconds * 1000 : killAt + KILL_AGAIN;
  if (now >= next) return { do: 'kill', ...at, signal: 'SIGKILL' };
  waits.push(next);
  return undefined;
}

/** Whether a container still has to get what it was granted. */
export function isResizing(pod: Pod, { containers }: Pick<Observed, 'containers'>): boolean {
  return resizableOf(pod).some(({ name }) => isBehind(containers.get(name) ?? {}));
}

/** Source: `status_manager.go` updatedPodResizeCondition. */
export function resizeConditions(
  pod: Pod,
  observed: Observed,
): (Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'> & { observedGeneration?: number })[] {
  const { pending, progress } = observed.resize ?? {};
  if (observed.lifecycle === 'terminated') return [];
  return [
    ...(pending === undefined ? [] : [condition(PENDING, pending)]),
    ...(progress === undefined || !isResizing(pod, observed) ? [] : [condition(IN_PROGRESS, progress)]),
  ];
}

function condition(
  type: string,
  {
    reason,
    message,
    generation,
  }: { reason?: string | undefined; message?: string | undefined; generation?: number | undefined },
) {
  return {
    type,
    status: 'True',
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}
