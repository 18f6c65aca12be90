/** What every namespace has: the service account `default` and the CA that pods check the API server with. */
import { SELF } from '../access/user.ts';
import {
  type Api,
  CONFIG_MAPS,
  createObject,
  modifyObject,
  NAMESPACES,
  placeOf,
  SERVICE_ACCOUNTS,
} from '../rest/mod.ts';
import type { ApiObject } from '../surface.ts';

export const ROOT_CA = 'kube-root-ca.crt';
const ROOT_CA_WORDS =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or ' +
  'kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

const OWN = { user: SELF, dryRun: false, fieldManager: undefined, fieldValidation: 'Ignore', warnings: [] } as const;

/** Makes what is missing and mends the CA. */
export function furnishNamespace(api: Api, namespace: string): void {
  const entry = api.store.get(placeOf({ kind: NAMESPACES, namespace: '', name: namespace }));
  if (entry === undefined || entry.value.metadata.deletionTimestamp !== undefined) return;
  const account = { kind: SERVICE_ACCOUNTS, namespace, name: 'default' };
  if (api.store.get(placeOf(account)) === undefined) {
    const object: ApiObject = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
    createObject(api, { ...account, name: '' }, { ...OWN, object });
  }
  furnishRootCa(api, namespace);
}

function furnishRootCa(api: Api, namespace: string): void {
  const address = { kind: CONFIG_MAPS, namespace, name: ROOT_CA };
  const data = { 'ca.crt': api.ca };
  const there = api.store.get(placeOf(address));
  if (there === undefined) {
    const metadata = { name: ROOT_CA, annotations: { 'kubernetes.io/description': ROOT_CA_WORDS } };
    const object: ApiObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
    createObject(api, { ...address, name: '' }, { ...OWN, object });
    return;
  }
  if ((there.value['data'] as Record<string, string> | undefined)?.['ca.crt'] === api.ca) return;
  modifyObject(api, address, (object) => {
    object['data'] = data;
    return true;
  });
}
