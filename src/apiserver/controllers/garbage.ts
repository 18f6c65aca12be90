/** What belongs to something goes with it. Source: Kubernetes `pkg/controller/garbagecollector`, `pkg/controller/podgc`. */
import type { OwnerReference, PodSpec } from '#kube/types';
import { apiVersionOf, KINDS, type KindRow } from '../kinds.ts';
import { modifyObject, NODES, type ObjectAddress, placeOf, removeObject } from '../rest/mod.ts';
import type { Entry } from '../store/collection.ts';
import type { StartController } from './mod.ts';
import { eachKey, Reconciler } from './reconciler.ts';

const STORED = [
  ...new Map(KINDS.filter(({ storage }) => storage !== undefined).map((kind) => [kind.storage, kind])).values(),
];
const OWNABLE = STORED.filter(({ storage }) => storage !== 'events');
const FINALIZERS = { foreground: 'foregroundDeletion', orphan: 'orphan' };

export const startGarbageCollection: StartController = ({ api, signal }) => {
  const { store } = api;
  const queue = new Reconciler(api, { name: 'garbage', signal, work: eachKey(reconcile) });

  /** Keys are `owner UID` (it is gone) or `at STORAGE NAMESPACE NAME` (look at it). */
  function reconcile(key: string): void {
    const [what, ...rest] = key.split(' ');
    if (what === 'owner') {
      ownerGone(rest[0] ?? '');
      return;
    }
    const [storage = '', namespace = '', name = ''] = rest;
    const kind = OWNABLE.find((one) => one.storage === storage);
    if (kind !== undefined) look({ kind, namespace, name });
  }

  /** What names an owner, by the owner's UID; also what has named it once and does not any more. */
  const named = new Map<string, Map<string, ObjectAddress>>();

  function index(kind: KindRow, { namespace, name, value }: Entry): void {
    for (const { uid } of value.metadata.ownerReferences ?? []) {
      const dependents = named.get(uid) ?? new Map<string, ObjectAddress>();
      named.set(uid, dependents.set(`${kind.storage} ${namespace} ${name}`, { kind, namespace, name }));
    }
  }

  function dependentsOf(uid: string): ObjectAddress[] {
    return [...(named.get(uid)?.values() ?? [])].filter((address) =>
      store.get(placeOf(address))?.value.metadata.ownerReferences?.some((owner) => owner.uid === uid),
    );
  }

  function ownerGone(uid: string): void {
    for (const dependent of dependentsOf(uid)) look(dependent);
    for (const dependent of dependentsOf(uid)) disown(dependent, uid);
    if (dependentsOf(uid).length === 0) named.delete(uid);
  }

  function disown(address: ObjectAddress, uid: string): void {
    modifyObject(api, address, ({ metadata }) => {
      metadata.ownerReferences = (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
      if (metadata.ownerReferences.length === 0) delete metadata.ownerReferences;
      return metadata.deletionTimestamp === undefined;
    });
  }

  function look(address: ObjectAddress): void {
    const entry = store.get(placeOf(address));
    if (entry === undefined) return;
    const { metadata } = entry.value;
    const owners = metadata.ownerReferences ?? [];
    if (metadata.deletionTimestamp !== undefined) finishDeletion(address, entry);
    else if (owners.length > 0 && owners.every((owner) => isGone(owner, entry.namespace))) {
      removeObject(api, address, { propagationPolicy: 'Background', preconditions: { uid: metadata.uid } });
    }
  }

  /** An owner of a kind that is not served here is nobody that we could miss. */
  function isGone({ apiVersion, kind, name, uid }: OwnerReference, namespace: string): boolean {
    const row = OWNABLE.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);
    if (row === undefined) return false;
    return store.get(placeOf({ kind: row, namespace, name }))?.value.metadata.uid !== uid;
  }

  function finishDeletion(address: ObjectAddress, { value }: Entry): void {
    const { finalizers = [], uid = '' } = value.metadata;
    const dependents = finalizers.length > 0 ? dependentsOf(uid) : [];
    if (finalizers.includes(FINALIZERS.orphan)) {
      for (const dependent of dependents) disown(dependent, uid);
      dropFinalizer(address, FINALIZERS.orphan);
    } else if (finalizers.includes(FINALIZERS.foreground)) {
      if (dependents.length === 0) dropFinalizer(address, FINALIZERS.foreground);
      for (const dependent of dependents) {
        const there = store.get(placeOf(dependent));
        if (there?.value.metadata.deletionTimestamp === undefined)
          removeObject(api, dependent, { propagationPolicy: 'Foreground' });
      }
    }
  }

  function dropFinalizer(address: ObjectAddress, name: string): void {
    modifyObject(api, address, ({ metadata }) => {
      metadata.finalizers = (metadata.finalizers ?? []).filter((one) => one !== name);
      if (metadata.finalizers.length === 0) delete metadata.finalizers;
      return true;
    });
  }

  function podsOfLostNode(node: string): void {
    for (const { namespace, name, value } of store.list('pods')) {
      if (
        (value['spec'] as PodSpec).nodeName !== node ||
        store.get(placeOf({ kind: NODES, namespace: '', name: node }))
      )
        continue;
      const kind = STORED.find(({ storage }) => storage === 'pods') as KindRow;
      removeObject(api, { kind, namespace, name }, { gracePeriodSeconds: 0 });
    }
  }

  function watched(kind: KindRow, { entry, type }: { entry: Entry; type: string }): void {
    const { metadata } = entry.value;
    if (type !== 'DELETED') index(kind, entry);
    if (type === 'DELETED') {
      queue.push(`owner ${metadata.uid}`);
      for (const owner of metadata.ownerReferences ?? []) pushOwner(owner, entry.namespace);
      if (kind.storage === 'nodes') queueMicrotask(() => podsOfLostNode(entry.name));
    } else if (
      metadata.ownerReferences !== undefined ||
      (metadata.deletionTimestamp !== undefined && metadata.finalizers !== undefined)
    ) {
      queue.push(`at ${kind.storage} ${entry.namespace} ${entry.name}`);
    }
  }

  /** An owner that waits for its dependents looks again when one is gone. */
  function pushOwner({ apiVersion, kind, name }: OwnerReference, namespace: string): void {
    const row = OWNABLE.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);
    if (row !== undefined) queue.push(`at ${row.storage} ${row.namespaced ? namespace : ''} ${name}`);
  }

  for (const kind of OWNABLE) {
    store.subscribe(kind.storage ?? '', (change) => watched(kind, change));
    for (const entry of store.list(kind.storage ?? '')) watched(kind, { entry, type: 'ADDED' });
  }
  return queue;
};
