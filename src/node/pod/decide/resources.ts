/** Processor and memory of containers: what was asked for, and what they have. Amounts are compared by value: `1` is `1000m`. */
import { milliValueOf, parseQuantity, wholeValueOf } from '#kube';
import type { Container, Pod, ResourceRequirements } from '#kube/types';
import type { Observed } from './observed.ts';
import { isSidecar } from './restart.ts';

export const RESIZABLE = ['cpu', 'memory'] as const;
export type Resizable = (typeof RESIZABLE)[number];

export interface Requests {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

type Amount = string | number;

export function isSame(a: ResourceRequirements, b: ResourceRequirements): boolean {
  return RESIZABLE.every((name) => isSameAmount(a, b, name));
}

export function isSameAmount(a: ResourceRequirements, b: ResourceRequirements, name: Resizable): boolean {
  return isSameText(a.limits?.[name], b.limits?.[name]) && isSameText(a.requests?.[name], b.requests?.[name]);
}

function isSameText(a: Amount | undefined, b: Amount | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && parseQuantity(a).nanos === parseQuantity(b).nanos;
}

/** Containers whose resources can change while they run. */
export function resizableOf({ spec }: Pod): readonly Container[] {
  return [...(spec?.initContainers ?? []).filter(isSidecar), ...(spec?.containers ?? [])];
}

/** The pod with what its containers were granted in place of what is asked for: what they are made, run and shown with. */
export function allocatedPod(pod: Pod, { containers }: Pick<Observed, 'containers'>): Pod {
  const differs = ({ name, resources = {} }: Container) => {
    const allocated = containers.get(name)?.allocated;
    return allocated !== undefined && !isSame(allocated, resources);
  };
  if (pod.spec === undefined || !resizableOf(pod).some(differs)) return pod;
  const granted = (container: Container): Container =>
    differs(container) ? { ...container, resources: containers.get(container.name)?.allocated ?? {} } : container;
  const { initContainers, ...spec } = pod.spec;
  return {
    ...pod,
    spec: {
      ...spec,
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(granted) }),
      containers: spec.containers.map(granted),
    },
  };
}

/** What a pod has of a node. Source: component-helpers `resource/helpers.go` PodRequests. */
export function requestsOf({ spec }: Pod): Requests {
  let stay = requestsOfAll(spec?.containers ?? []);
  let most = { cpuMillis: 0, memoryBytes: 0 };
  let sidecars = { cpuMillis: 0, memoryBytes: 0 };
  for (const container of spec?.initContainers ?? []) {
    const own = requestsOfAll([container]);
    if (isSidecar(container)) {
      stay = sum(stay, own);
      sidecars = sum(sidecars, own);
    } else most = larger(most, sum(sidecars, own));
  }
  return larger(most, larger(stay, sidecars));
}

function requestsOfAll(containers: readonly Container[]): Requests {
  return containers
    .map(({ resources }) => {
      const cpu = resources?.requests?.['cpu'] ?? resources?.limits?.['cpu'] ?? '0';
      const memory = resources?.requests?.['memory'] ?? resources?.limits?.['memory'] ?? '0';
      return { cpuMillis: milliValueOf(parseQuantity(cpu)), memoryBytes: wholeValueOf(parseQuantity(memory)) };
    })
    .reduce(sum, { cpuMillis: 0, memoryBytes: 0 });
}

export function sum(a: Requests, b: Requests): Requests {
  return { cpuMillis: a.cpuMillis + b.cpuMillis, memoryBytes: a.memoryBytes + b.memoryBytes };
}

function larger(a: Requests, b: Requests): Requests {
  return { cpuMillis: Math.max(a.cpuMillis, b.cpuMillis), memoryBytes: Math.max(a.memoryBytes, b.memoryBytes) };
}
