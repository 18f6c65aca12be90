/** What a new cluster has: its namespaces, the system's priority classes, our runtime classes. Missing ones are made at each start. */
import { SELF } from '../access/user.ts';
import type { KindRow } from '../kinds.ts';
import { type Api, createObject, NAMESPACES, PRIORITY_CLASSES, placeOf, RUNTIME_CLASSES } from '../rest/mod.ts';
import type { ApiObject } from '../surface.ts';
import { furnishNamespace } from './namespace-furniture.ts';

const NAMESPACE_NAMES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
const RUNTIME_CLASS_NAMES = ['wasmlet', 'wasmlet-isolated', 'wasmlet-batch'];

const PRIORITIES = [
  [
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ],
  [
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ],
] as const;

export function bootstrapObjects(api: Api): void {
  for (const name of NAMESPACE_NAMES) ensure(api, NAMESPACES, { metadata: { name } });
  for (const { name } of api.store.list('namespaces')) furnishNamespace(api, name);
  for (const [name, value, description] of PRIORITIES)
    ensure(api, PRIORITY_CLASSES, { metadata: { name }, value, description });
  for (const name of RUNTIME_CLASS_NAMES) ensure(api, RUNTIME_CLASSES, { metadata: { name }, handler: name });
}

function ensure(api: Api, kind: KindRow, fields: Pick<ApiObject, 'metadata'> & Record<string, unknown>): void {
  const address = { kind, namespace: '', name: fields.metadata.name ?? '' };
  if (api.store.get(placeOf(address)) !== undefined) return;
  const object: ApiObject = { kind: kind.kind, apiVersion: kind.group === '' ? 'v1' : `${kind.group}/v1`, ...fields };
  const own = { user: SELF, dryRun: false, fieldManager: undefined, fieldValidation: 'Ignore', warnings: [] } as const;
  createObject(api, { ...address, name: '' }, { ...own, object });
}
