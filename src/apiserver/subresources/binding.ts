import type { Binding, PodCondition, PodSpec, PodStatus } from '#kube/types';
import { type Api, modifyObject, nowOf, type ObjectAddress, placeOf } from '../rest/mod.ts';
import { badRequest, conflict, notFound } from '../status.ts';
import type { ApiObject } from '../surface.ts';

/** A pod gets its node, once. Source: `pkg/registry/core/pod/storage/storage.go` assignPod. */
export function bindPod(api: Api, address: ObjectAddress, binding: ApiObject): void {
  const { target } = binding as unknown as Binding;
  const { uid } = binding.metadata;
  if ((target?.name ?? '') === '') throw badRequest('Binding: target.name: Required value');
  if ((target.kind ?? 'Node') !== 'Node' && target.kind !== '')
    throw badRequest(
      `Binding: target.kind: Unsupported value: ${JSON.stringify(target.kind)}: supported values: "Node", "<empty>"`,
    );
  const entry = api.store.get(placeOf(address));
  if (entry === undefined) throw notFound(address.kind, address.name);
  const { metadata } = entry.value;
  if (uid !== undefined && uid !== '' && uid !== metadata.uid) {
    throw conflict(
      address.kind,
      address.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`,
    );
  }
  const bound = (entry.value['spec'] as PodSpec).nodeName ?? '';
  const binder = { group: '', plural: 'pods/binding' };
  if (metadata.deletionTimestamp !== undefined)
    throw conflict(binder, address.name, `pod ${address.name} is being deleted, cannot be assigned to a host`);
  if (bound !== '')
    throw conflict(binder, address.name, `pod ${address.name} is already assigned to node ${JSON.stringify(bound)}`);
  modifyObject(api, address, (pod) => {
    (pod['spec'] as PodSpec).nodeName = target.name ?? '';
    pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
    if (Object.keys(pod.metadata.annotations).length === 0) delete pod.metadata.annotations;
    setScheduled(pod, { status: 'True', now: nowOf(api) });
    return true;
  });
}

interface Scheduled {
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
  readonly now: string;
}

/** False when the condition is already so. */
export function setScheduled(pod: ApiObject, { status, reason, message, now }: Scheduled): boolean {
  const podStatus = (pod['status'] ?? {}) as PodStatus;
  const before = podStatus.conditions?.find(({ type }) => type === 'PodScheduled');
  if (before?.status === status && before.reason === reason && before.message === message) return false;
  const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
  const condition: PodCondition = { type: 'PodScheduled', status, lastTransitionTime };
  if (reason !== undefined) condition.reason = reason;
  if (message !== undefined) condition.message = message;
  const others = (podStatus.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  pod['status'] = { ...podStatus, conditions: [...others, condition] };
  return true;
}
