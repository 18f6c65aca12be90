import type { PodSpec, PriorityClass } from '#kube/types';
import { type Api, PRIORITY_CLASSES, placeOf } from '../rest/api.ts';
import { forbidden } from '../status.ts';
import type { ApiObject } from '../surface.ts';

/** Source: `plugin/pkg/admission/priority/admission.go`. */
export function resolvePriority(api: Api, pod: ApiObject): void {
  const spec = pod['spec'] as PodSpec;
  const name = spec.priorityClassName ?? '';
  const found = name === '' ? defaultClass(api) : classNamed(api, name);
  if (name !== '' && found === undefined) {
    throw forbidden(
      { group: '', plural: 'pods' },
      pod.metadata.name ?? '',
      `no PriorityClass with name ${name} was found`,
    );
  }
  const value = found?.value ?? 0;
  if (spec.priority !== undefined && spec.priority !== value) {
    const why = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
    throw forbidden({ group: '', plural: 'pods' }, pod.metadata.name ?? '', why);
  }
  if (found?.metadata?.name !== undefined) spec.priorityClassName = found.metadata.name;
  spec.priority = value;
  spec.preemptionPolicy ??= found?.preemptionPolicy ?? 'PreemptLowerPriority';
}

function classNamed(api: Api, name: string): PriorityClass | undefined {
  const entry = api.store.get(placeOf({ kind: PRIORITY_CLASSES, namespace: '', name }));
  return entry?.value as PriorityClass | undefined;
}

function defaultClass(api: Api): PriorityClass | undefined {
  const all = api.store.list(PRIORITY_CLASSES.storage ?? '').map(({ value }) => value as unknown as PriorityClass);
  return all.filter(({ globalDefault }) => globalDefault === true).sort((left, right) => left.value - right.value)[0];
}
