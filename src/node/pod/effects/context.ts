/** What every effect is given. An effect carries out one kind of action and answers what is known afterwards. */
import type { Container, Pod } from '#kube/types';
import type { WorkloadImage } from '#oci';
import type { WorkloadId } from '#runtime';
import type { NodeFacts, ObjectSource } from '../../volume/contract.ts';
import type { Volumes } from '../../volume/mod.ts';
import { type ContainerKind, type ContainerObserved, NEVER_SEEN, type Observed } from '../decide/observed.ts';
import type { Requests } from '../decide/resources.ts';
import type { PodManagerDependencies } from '../dependencies.ts';
import type { PodPlaces } from '../places.ts';

export interface EffectContext {
  /** With the resources that it was granted. */
  readonly pod: Pod;
  /** With those that are asked for. */
  readonly desired: Pod;
  readonly observed: Observed;
  readonly places: PodPlaces;
  readonly dependencies: PodManagerDependencies;
  readonly volumes: Volumes;
  readonly objects: ObjectSource;
  /** Images of the next tries, by container. */
  readonly images: Map<string, WorkloadImage>;
  /** Aborted when the pod is to end. */
  readonly signal: AbortSignal;
  /** What the node's other pods were granted. */
  readonly taken: () => Requests;
  /** How many times network or volumes failed in a row. */
  readonly failures: number;
}

/** What changes in what is known; the worker puts it over the old. */
export type Change = Partial<Observed>;

export function seenOf({ observed }: EffectContext, container: string): ContainerObserved {
  return observed.containers.get(container) ?? NEVER_SEEN;
}

export function withContainer({ observed }: EffectContext, name: string, change: ContainerObserved): Change {
  const containers = new Map(observed.containers);
  containers.set(name, { ...containers.get(name), ...change });
  return { containers };
}

export function containerOf(
  { pod }: EffectContext,
  { kind, container }: { kind: ContainerKind; container: string },
): Container {
  const found = pod.spec?.[kind]?.find(({ name }) => name === container);
  if (found === undefined) throw new TypeError(`no container '${container}' in the pod`);
  return found;
}

export function idOf({ pod }: EffectContext, container: string, attempt: number): WorkloadId {
  return { podUid: pod.metadata?.uid ?? '', container, attempt };
}

export function factsOf({ observed, dependencies }: EffectContext): NodeFacts {
  return { hostIPs: observed.hostIPs, podIPs: observed.podIPs, allocatable: dependencies.allocatable?.() ?? {} };
}

export function tell(
  { pod, dependencies }: EffectContext,
  event: {
    type: 'Normal' | 'Warning';
    reason: string;
    message: string;
    at?: { kind: ContainerKind; container: string };
  },
): void {
  const { type, reason, message, at } = event;
  const fieldPath = at === undefined ? undefined : `spec.${at.kind}{${at.container}}`;
  dependencies.events.record(pod, { type, reason, message, ...(fieldPath === undefined ? {} : { fieldPath }) });
}
