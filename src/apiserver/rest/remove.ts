/**
 * DELETE: grace, preconditions, finalizers, propagation. Source: apiserver `pkg/registry/rest/delete.go` BeforeDelete,
 * `pkg/registry/generic/registry/store.go`, `pkg/registry/core/pod/strategy.go` CheckGracefulDelete.
 */
import { toTime } from '#kube';
import type { DeleteOptions, NamespaceSpec, NamespaceStatus, PodSpec, PodStatus } from '#kube/types';
import { type KindRow, resourceName } from '../kinds.ts';
import { badRequest, conflict, invalid, notFound } from '../status.ts';
import { strategyOf } from '../strategy/mod.ts';
import type { ApiObject } from '../surface.ts';
import { type Api, type Deleted, NAMESPACES, type ObjectAddress, placeOf } from './api.ts';
import { fromStored, toStored } from './codec.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

export interface RemoveOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** The options of the body and of the query (the body wins), checked. */
export function removeOptionsOf(body: DeleteOptions, query: URLSearchParams): RemoveOptions {
  const grace = body.gracePeriodSeconds ?? numberOf(query.get('gracePeriodSeconds'));
  const orphan = body.orphanDependents;
  const policy = body.propagationPolicy ?? query.get('propagationPolicy') ?? undefined;
  if (policy !== undefined && !['Orphan', 'Background', 'Foreground'].includes(policy)) {
    const supported = '"Foreground", "Background", "Orphan", "nil"';
    const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: ${supported}`;
    throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', [
      { field: 'propagationPolicy', reason: 'FieldValueNotSupported', message },
    ]);
  }
  return {
    gracePeriodSeconds: grace,
    preconditions: body.preconditions,
    propagationPolicy: policy ?? (orphan === undefined ? undefined : orphan ? 'Orphan' : 'Background'),
  };
}

function numberOf(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw badRequest(`gracePeriodSeconds: ${JSON.stringify(text)} is not a number of seconds`);
  return value;
}

export function removeObject(api: Api, address: ObjectAddress, options: RemoveOptions): Deleted {
  const { kind, name } = address;
  const entry = api.store.get(placeOf(address));
  if (entry === undefined) throw notFound(kind, name);
  const object = fromStored(kind, entry);
  mustHold(address, object, options);
  const before = object.metadata.deletionTimestamp !== undefined;
  const grace = kind.storage === 'pods' ? podGrace(object, options) : 0;
  const finalizers = finalizersAfter(object, options);
  const pending = kind.storage === NAMESPACES.storage && hasContentFinalizer(object);
  if (
    before &&
    !shortens(object, grace) &&
    sameList(finalizers, object.metadata.finalizers ?? []) &&
    (grace > 0 || finalizers.length > 0 || pending)
  ) {
    return { object, gone: false };
  }
  if (finalizers.length > 0) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
  const gone = grace === 0 && finalizers.length === 0 && !pending;
  mark(api, object, { grace, before });
  if (gone) return finish(api, address, { object, dryRun: options.dryRun === true });
  if (pending) object['status'] = { ...(object['status'] as NamespaceStatus), phase: 'Terminating' };
  const stored = toStored(kind, object);
  if (options.dryRun !== true) api.store.put(placeOf(address), stored);
  return { object: stored, gone: false };
}

function mustHold({ kind, name }: ObjectAddress, { metadata }: ApiObject, { preconditions }: RemoveOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`;
    throw conflict({ ...kind, plural: kind.kind }, name, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
    throw conflict({ ...kind, plural: kind.kind }, name, why);
  }
}

/** Nobody has to be waited for when no node has the pod, or all of it has ended. */
function podGrace(pod: ApiObject, { gracePeriodSeconds }: RemoveOptions): number {
  const spec = pod['spec'] as PodSpec | undefined;
  const status = pod['status'] as PodStatus | undefined;
  const wanted = gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 30;
  const running = (spec?.nodeName ?? '') !== '' && status?.phase !== 'Failed' && status?.phase !== 'Succeeded';
  if (!running) return 0;
  return wanted < 0 ? 1 : wanted;
}

function finalizersAfter({ metadata }: ApiObject, { propagationPolicy }: RemoveOptions): string[] {
  const others = (metadata.finalizers ?? []).filter((name) => name !== ORPHAN && name !== FOREGROUND);
  if (propagationPolicy === 'Orphan') return [...others, ORPHAN];
  if (propagationPolicy === 'Foreground') return [...others, FOREGROUND];
  return propagationPolicy === undefined ? [...(metadata.finalizers ?? [])] : others;
}

function hasContentFinalizer(object: ApiObject): boolean {
  return ((object['spec'] as NamespaceSpec | undefined)?.finalizers ?? []).length > 0;
}

/** Grace may only become less. */
function shortens({ metadata }: ApiObject, grace: number): boolean {
  return grace < (metadata.deletionGracePeriodSeconds ?? 0);
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((value, at) => value === right[at]);
}

function mark(api: Api, { metadata }: ApiObject, { grace, before }: { grace: number; before: boolean }): void {
  metadata.deletionTimestamp = toTime(api.clock.now() + grace * 1000);
  metadata.deletionGracePeriodSeconds = grace;
  if (!before && metadata.generation !== undefined) metadata.generation += 1;
}

function finish(api: Api, address: ObjectAddress, { object, dryRun }: { object: ApiObject; dryRun: boolean }): Deleted {
  const { kind, name } = address;
  const last = toStored(kind, object);
  if (!dryRun) api.store.remove(placeOf(address), last);
  if (strategyOf(kind).returnsDeleted === true) return { object: last, gone: true };
  return { status: deletedStatus(kind, { name, uid: object.metadata.uid }) };
}

function deletedStatus(kind: KindRow, { name, uid }: { name: string; uid: string | undefined }) {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name,
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.plural,
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

export function describeRemoval({ kind, namespace, name }: ObjectAddress): string {
  return `${resourceName(kind)} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}
