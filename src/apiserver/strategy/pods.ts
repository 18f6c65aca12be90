import { parseQuantity } from '#kube';
import type { Container, PodSpec, PodStatus } from '#kube/types';
import { restore } from '../rest/restore.ts';
import type { ApiObject } from '../surface.ts';
import type { Strategy } from './mod.ts';

/** Source: `pkg/registry/core/pod/strategy.go`. */
export const pods: Strategy = {
  statusApart: true,
  returnsDeleted: true,
  prepareCreate(pod) {
    const status: PodStatus = { phase: 'Pending', qosClass: qosClassOf(pod['spec'] as PodSpec | undefined) };
    pod['status'] = status;
  },
  subresources: {
    status(pod, old) {
      const status = (pod['status'] ?? {}) as PodStatus;
      const before = old['status'] as PodStatus | undefined;
      status.qosClass ??= before?.qosClass ?? 'BestEffort';
      pod['status'] = status;
      restore(pod, old, 'spec');
      keepIdentity(pod, old);
    },
    ephemeralcontainers(pod, old) {
      const wanted = (pod['spec'] as PodSpec | undefined)?.ephemeralContainers;
      takeSpec(pod, old, (spec) => {
        if (wanted !== undefined) spec.ephemeralContainers = wanted;
      });
    },
    resize(pod, old) {
      const wanted = (pod['spec'] ?? {}) as Partial<PodSpec>;
      takeSpec(pod, old, (spec) => {
        const { containers, initContainers } = spec;
        spec.containers = resized(wanted.containers, containers);
        if (initContainers !== undefined || wanted.initContainers !== undefined)
          spec.initContainers = resized(wanted.initContainers, initContainers);
      });
    },
  },
};

/** Resources alone are taken; containers that are not the same are left for validation to refuse. */
function resized(wanted: readonly Container[] = [], old: readonly Container[] = []): Container[] {
  const isSame = wanted.length === old.length && wanted.every(({ name }, index) => name === old[index]?.name);
  if (!isSame) return [...wanted];
  return old.map((container, index) => {
    const { resources, resizePolicy } = wanted[index] ?? container;
    return { ...container, ...(resources && { resources }), ...(resizePolicy && { resizePolicy }) };
  });
}

function takeSpec(pod: ApiObject, old: ApiObject, change: (spec: PodSpec) => void): void {
  const spec = structuredClone(old['spec']) as PodSpec;
  change(spec);
  pod['spec'] = spec;
  restore(pod, old, 'status');
  keepIdentity(pod, old);
}

function keepIdentity(pod: ApiObject, old: ApiObject): void {
  const { ownerReferences, finalizers } = old.metadata;
  if (ownerReferences === undefined) delete pod.metadata.ownerReferences;
  else pod.metadata.ownerReferences = ownerReferences;
  if (finalizers === undefined) delete pod.metadata.finalizers;
  else pod.metadata.finalizers = finalizers;
}

/** Source: `pkg/apis/core/v1/helper/qos/qos.go` ComputePodQOS. */
export function qosClassOf(spec: PodSpec | undefined): string {
  const containers: readonly Container[] = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const kinds = containers.map(classOfContainer);
  if (kinds.every((kind) => kind === 'BestEffort')) return 'BestEffort';
  return kinds.every((kind) => kind === 'Guaranteed') ? 'Guaranteed' : 'Burstable';
}

function classOfContainer({ resources }: Container): string {
  const limits = compute(resources?.limits);
  const requests = { ...limits, ...compute(resources?.requests) };
  if (Object.keys(requests).length === 0) return 'BestEffort';
  const exact = ['cpu', 'memory'].every((name) => limits[name] !== undefined && limits[name] === requests[name]);
  return exact ? 'Guaranteed' : 'Burstable';
}

function compute(list: Readonly<Record<string, string | number>> | undefined): Record<string, bigint> {
  const found: Record<string, bigint> = {};
  for (const name of ['cpu', 'memory']) {
    const nanos = list?.[name] === undefined ? 0n : nanosOf(list[name]);
    if (nanos > 0n) found[name] = nanos;
  }
  return found;
}

/** A quantity that validation will refuse counts as nothing here. */
function nanosOf(text: string | number): bigint {
  try {
    return parseQuantity(text).nanos;
  } catch {
    return 0n;
  }
}
