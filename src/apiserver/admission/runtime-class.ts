import { isDeepStrictEqual } from 'node:util';
import type { PodSpec, RuntimeClass } from '#kube/types';
import { type Api, placeOf, RUNTIME_CLASSES } from '../rest/api.ts';
import { forbidden } from '../status.ts';
import type { ApiObject } from '../surface.ts';

const PODS = { group: '', plural: 'pods' };

/** Overhead, node selector and tolerations of the class. Source: `plugin/pkg/admission/runtimeclass/admission.go`. */
export function applyRuntimeClass(api: Api, pod: ApiObject): void {
  const spec = pod['spec'] as PodSpec;
  const name = spec.runtimeClassName;
  const podName = pod.metadata.name ?? '';
  if (name === undefined) {
    if (spec.overhead === undefined) return;
    throw forbidden(
      PODS,
      podName,
      'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    );
  }
  const entry = api.store.get(placeOf({ kind: RUNTIME_CLASSES, namespace: '', name }));
  if (entry === undefined)
    throw forbidden(PODS, podName, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  const { overhead, scheduling } = entry.value as unknown as RuntimeClass;
  applyOverhead(spec, { podName, overhead: overhead?.podFixed });
  for (const [key, value] of Object.entries(scheduling?.nodeSelector ?? {})) {
    if (spec.nodeSelector?.[key] !== undefined && spec.nodeSelector[key] !== value) {
      throw forbidden(
        PODS,
        podName,
        `pod rejected: conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${spec.nodeSelector[key]}`,
      );
    }
    spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
  }
  for (const toleration of scheduling?.tolerations ?? []) {
    const known = (spec.tolerations ?? []).some((own) => isDeepStrictEqual(own, toleration));
    if (!known) spec.tolerations = [...(spec.tolerations ?? []), { ...toleration }];
  }
}

function applyOverhead(spec: PodSpec, { podName, overhead }: { podName: string; overhead: PodSpec['overhead'] }): void {
  if (spec.overhead !== undefined && !isDeepStrictEqual(spec.overhead, overhead)) {
    throw forbidden(PODS, podName, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  }
  if (overhead !== undefined) spec.overhead = { ...overhead };
}
