import type { KindRow } from '../kinds.ts';
import { type Api, NAMESPACES, placeOf } from '../rest/api.ts';
import { forbidden, notFound } from '../status.ts';
import type { ApiObject } from '../surface.ts';

/** Source: apiserver `pkg/admission/plugin/namespace/lifecycle/admission.go`. */
export function mustBeLiveNamespace(api: Api, kind: KindRow, object: ApiObject): void {
  if (!kind.namespaced) return;
  const namespace = object.metadata.namespace ?? '';
  const entry = api.store.get(placeOf({ kind: NAMESPACES, namespace: '', name: namespace }));
  if (entry === undefined) throw notFound(NAMESPACES, namespace);
  if (entry.value.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const error = forbidden(kind, object.metadata.name ?? '', why);
  const message = `namespace ${namespace} is being terminated`;
  error.status.details = {
    ...error.status.details,
    causes: [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }],
  };
  throw error;
}
