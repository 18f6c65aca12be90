/** A namespace that is deleted empties itself and then goes. Source: Kubernetes `pkg/controller/namespace/deletion`. */
import type { NamespaceSpec } from '#kube/types';
import { KINDS, type KindRow } from '../kinds.ts';
import { modifyObject, NAMESPACES, placeOf, removeObject } from '../rest/mod.ts';
import type { StartController } from './mod.ts';
import { furnishNamespace, ROOT_CA } from './namespace-furniture.ts';
import { eachKey, Reconciler } from './reconciler.ts';

const CONTENT: readonly KindRow[] = uniqueStorages(
  KINDS.filter(({ namespaced, storage }) => namespaced && storage !== undefined),
);

function uniqueStorages(kinds: readonly KindRow[]): KindRow[] {
  return [...new Map(kinds.map((kind) => [kind.storage, kind])).values()];
}

export const startNamespaces: StartController = ({ api, signal }) => {
  const { store } = api;
  const queue = new Reconciler(api, { name: 'namespaces', signal, work: eachKey(reconcile) });

  function reconcile(name: string): void {
    const address = { kind: NAMESPACES, namespace: '', name };
    const namespace = store.get(placeOf(address))?.value;
    if (namespace === undefined) return;
    if (namespace.metadata.deletionTimestamp === undefined) {
      furnishNamespace(api, name);
    } else if (empty(name)) {
      modifyObject(api, address, (object) => {
        const spec = (object['spec'] ?? {}) as NamespaceSpec;
        object['spec'] = { ...spec, finalizers: (spec.finalizers ?? []).filter((one) => one !== 'kubernetes') };
        return true;
      });
    }
  }

  /** Deletes what is there; true when nothing was left. Pods come first, and their events stay until they are gone. */
  function empty(namespace: string): boolean {
    let left = 0;
    for (const kind of CONTENT) {
      for (const entry of store.list(kind.storage ?? '', namespace)) {
        left++;
        if (entry.value.metadata.deletionTimestamp !== undefined) continue;
        removeObject(api, { kind, namespace, name: entry.name }, { propagationPolicy: 'Background' });
      }
    }
    return left === 0 || CONTENT.every((kind) => store.list(kind.storage ?? '', namespace).length === 0);
  }

  store.subscribe('namespaces', ({ entry, type }) => {
    if (type !== 'DELETED') queue.push(entry.name);
  });
  for (const { storage } of CONTENT) {
    store.subscribe(storage ?? '', ({ entry, type }) => {
      const furniture = entry.name === ROOT_CA || (storage === 'serviceaccounts' && entry.name === 'default');
      if (type === 'DELETED' || (furniture && type === 'MODIFIED')) queue.push(entry.namespace);
    });
  }
  for (const { name } of store.list('namespaces')) queue.push(name);
  return queue;
};
