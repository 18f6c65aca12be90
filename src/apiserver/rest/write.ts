/**
 * Create, update and patch of one object, the one way for clients and for the server's own controllers. All of it runs in one turn of
 * the event loop: the object cannot change between the read and the write. Source: apiserver `pkg/registry/generic/registry/store.go`,
 * `pkg/registry/rest/{create,update}.go`.
 */
import { admitCreate, admitUpdate } from '../admission/mod.ts';
import type { PatchFlavour } from '../kinds.ts';
import { alreadyExists, badRequest, conflict, invalid, MODIFIED, notFound, StatusError } from '../status.ts';
import { Entry } from '../store/collection.ts';
import { strategyOf } from '../strategy/mod.ts';
import type { ApiObject, Decoded } from '../surface.ts';
import {
  type Api,
  newUid,
  nowOf,
  type ObjectAddress,
  placeOf,
  randomSuffix,
  type WriteContext,
  type Written,
} from './api.ts';
import { fromStored, toStored } from './codec.ts';
import { restore } from './restore.ts';
import { sameJson } from './same-json.ts';

const NAME_TRIES = 8;

/** Creates; `address.name` is '' or the name on the URL. */
export function createObject(api: Api, address: ObjectAddress, given: Decoded & WriteContext): Written {
  const { kind, namespace } = address;
  const { object, warnings } = given;
  const { metadata } = object;
  if ((metadata.resourceVersion ?? '') !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  setNamespace(object, address);
  prepareMetadata(api, object);
  if (kind.generation) metadata.generation = 1;
  api.surface.defaultObject(kind, object);
  // Before admission: who creates owns what it sent, not what is added.
  if (given.fieldManager !== undefined) {
    api.surface.trackUpdate(object, undefined, { kind, fieldManager: given.fieldManager, now: nowOf(api) });
  }
  strategyOf(kind).prepareCreate?.(object, { api, user: given.user });
  const more = admitCreate(api, { kind, object, user: given.user });
  nameIt(api, { ...address, namespace }, object);
  api.surface.validateCreate({ kind }, object);
  const entry = save(api, { ...address, name: metadata.name ?? '' }, object, given.dryRun);
  if (!given.dryRun) strategyOf(kind).afterCreate?.(entry.value, { api, user: given.user });
  return { entry, created: true, warnings: [...warnings, ...more] };
}

function setNamespace(object: ApiObject, { kind, namespace }: ObjectAddress): void {
  const given = object.metadata.namespace ?? '';
  if (!kind.namespaced) {
    if (given !== '')
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    return;
  }
  if (namespace === '') throw badRequest('an empty namespace may not be set during creation');
  if (given !== '' && given !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  object.metadata.namespace = namespace;
}

function prepareMetadata(api: Api, { metadata }: ApiObject): void {
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  delete metadata.generation;
  metadata.uid = newUid();
  metadata.creationTimestamp = nowOf(api);
}

/** A collision of a generated name is tried again, one of a given name is told. */
function nameIt(api: Api, address: ObjectAddress, { metadata }: ApiObject): void {
  const { kind } = address;
  const base = metadata.generateName ?? '';
  if ((metadata.name ?? '') !== '') {
    if (api.store.get(placeOf({ ...address, name: metadata.name ?? '' })) === undefined) return;
    throw alreadyExists(kind, metadata.name ?? '');
  }
  if (base === '') {
    const message = 'Required value: name or generateName is required';
    throw invalid(kind, '', [{ field: 'metadata.name', reason: 'FieldValueRequired', message }]);
  }
  for (let tried = 0; tried < NAME_TRIES; tried++) {
    metadata.name = base.slice(0, 58) + randomSuffix();
    if (api.store.get(placeOf({ ...address, name: metadata.name })) === undefined) return;
  }
  throw alreadyExists(kind, metadata.name ?? '');
}

function save(api: Api, address: ObjectAddress, object: ApiObject, dryRun: boolean): Entry {
  const stored = toStored(address.kind, object);
  if (!dryRun) return api.store.put(placeOf(address), stored);
  const current = api.store.get(placeOf(address));
  if (current === undefined) delete stored.metadata.resourceVersion;
  else stored.metadata.resourceVersion = String(current.revision);
  return new Entry(placeOf(address), { revision: current?.revision ?? 0, text: JSON.stringify(stored), value: stored });
}

/** PUT: the whole object, to the resource or to a subresource that is a view of it (status, finalize, approval, resize, …). */
export function updateObject(api: Api, address: ObjectAddress, given: Decoded & WriteContext): Written {
  const { kind, name } = address;
  const { object } = given;
  const sent = object.metadata.name ?? '';
  if (sent === '') object.metadata.name = name;
  else if (sent !== name)
    throw badRequest(`the name of the object (${sent}) does not match the name on the URL (${name})`);
  setNamespace(object, address);
  const entry = api.store.get(placeOf(address));
  if (entry === undefined) {
    if (strategyOf(kind).createOnUpdate !== true || address.subresource !== undefined) throw notFound(kind, name);
    return createObject(api, address, given);
  }
  if (strategyOf(kind).unconditionalUpdate === false && (object.metadata.resourceVersion ?? '') === '') {
    const message = 'Invalid value: 0: must be specified for an update';
    throw invalid(kind, name, [{ field: 'metadata.resourceVersion', reason: 'FieldValueInvalid', message }]);
  }
  return replaceObject(api, address, { ...given, entry });
}

export interface PatchGiven extends WriteContext {
  readonly type: PatchFlavour;
  readonly body: unknown;
  readonly force: boolean;
}

export function patchObject(api: Api, address: ObjectAddress, given: PatchGiven): Written {
  const { kind, subresource, name } = address;
  const entry = api.store.get(placeOf(address));
  if (entry === undefined && (given.type !== 'apply' || subresource !== undefined)) throw notFound(kind, name);
  const current = entry === undefined ? undefined : fromStored(kind, entry);
  const { type, body, force, fieldValidation, fieldManager = 'unknown' } = given;
  const now = nowOf(api);
  const patched = api.surface.applyPatch({
    kind,
    subresource,
    type,
    body,
    current,
    fieldManager,
    force,
    fieldValidation,
    now,
  });
  if (entry === undefined) {
    const rest = { ...given, ...patched, fieldManager: undefined };
    return createObject(api, address, rest);
  }
  // What applyPatch tracked stands, a list that was emptied too; a second tracking would cost the same again.
  // A strategic patch leaves what it patches as it is, so no second copy has to be made of that either.
  const old = type === 'strategic' ? current : undefined;
  return replaceObject(api, address, { ...given, ...patched, entry, old, tracked: true });
}

interface Replacement extends Decoded, WriteContext {
  readonly entry: Entry;
  /** A copy of the entry's object, where there is one already. */
  readonly old?: ApiObject | undefined;
  /** managedFields are right already. */
  readonly tracked?: boolean;
}

function replaceObject(api: Api, address: ObjectAddress, given: Replacement): Written {
  const { kind, subresource, name } = address;
  const { object, entry, user } = given;
  const { old = fromStored(kind, entry) } = given;
  mustBeThat(address, object, old);
  keepMetadata(object, old);
  const strategy = strategyOf(kind);
  if (subresource === undefined) {
    if (strategy.statusApart === true) restore(object, old, 'status');
    api.surface.defaultObject(kind, object);
  } else {
    prepareSubresource(api, { address, object, old, user });
  }
  if (given.tracked !== true && given.fieldManager === undefined) keepManagers(object, old);
  if (given.tracked !== true && given.fieldManager !== undefined) {
    const options = { kind, subresource, fieldManager: given.fieldManager, now: nowOf(api) };
    api.surface.trackUpdate(object, old, options);
  }
  if (subresource === undefined) strategy.prepareUpdate?.(object, old, { api, user });
  admitUpdate(api, { kind, subresource, object, old, user });
  // After admission, which puts back what it had added: only what is left of a difference counts.
  if (kind.generation && !sameJson(object['spec'], old['spec'])) {
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
  api.surface.validateUpdate({ kind, subresource }, object, old);
  if (isSame(object, old)) return { entry, created: false, warnings: given.warnings };
  if (mayGo(object) && !given.dryRun)
    return { entry: finishDeletion(api, address, object), created: false, warnings: given.warnings };
  return { entry: save(api, { ...address, name }, object, given.dryRun), created: false, warnings: given.warnings };
}

function mustBeThat({ kind, name }: ObjectAddress, object: ApiObject, old: ApiObject): void {
  const { uid = '', resourceVersion = '' } = object.metadata;
  if (uid !== '' && uid !== old.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`;
    throw conflict(kind, name, why);
  }
  if (resourceVersion !== '' && resourceVersion !== '0' && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(kind, name, MODIFIED);
  }
}

/** What only the server sets. Source: apiserver `pkg/registry/rest/update.go` BeforeUpdate. */
function keepMetadata(object: ApiObject, old: ApiObject): void {
  const { metadata } = object;
  const kept = [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'resourceVersion',
  ] as const;
  for (const key of kept) {
    if (old.metadata[key] === undefined) delete metadata[key];
    else (metadata as Record<string, unknown>)[key] = old.metadata[key];
  }
  delete metadata.selfLink;
}

function keepManagers({ metadata }: ApiObject, old: ApiObject): void {
  metadata.managedFields ??= old.metadata.managedFields ?? [];
  if (metadata.managedFields.length === 0) delete metadata.managedFields;
}

interface Subchange {
  readonly address: ObjectAddress;
  readonly object: ApiObject;
  readonly old: ApiObject;
  readonly user: WriteContext['user'];
}

/** A subresource changes its own part only; everything else is as it was. */
function prepareSubresource(api: Api, { address, object, old, user }: Subchange): void {
  const { kind, subresource } = address;
  const own = strategyOf(kind).subresources?.[subresource?.name ?? ''];
  if (own !== undefined) {
    own(object, old, { api, user });
    return;
  }
  if (subresource?.name !== 'status')
    throw new StatusError(405, 'MethodNotAllowed', `${subresource?.name} cannot be changed`);
  for (const field of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (!['kind', 'apiVersion', 'metadata', 'status'].includes(field)) restore(object, old, field);
  }
  const { ownerReferences, finalizers } = old.metadata;
  if (ownerReferences === undefined) delete object.metadata.ownerReferences;
  else object.metadata.ownerReferences = ownerReferences;
  if (finalizers === undefined) delete object.metadata.finalizers;
  else object.metadata.finalizers = finalizers;
}

/** Whether writing it would change nothing: times of managedFields do not count. */
function isSame(object: ApiObject, old: ApiObject): boolean {
  return sameJson(withoutTimes(object), withoutTimes(old));
}

function withoutTimes(object: ApiObject): object {
  const managedFields = (object.metadata.managedFields ?? []).map((field) => ({ ...field, time: undefined }));
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

/** A deleted object whose last finalizer goes, goes. */
function mayGo({ kind, metadata, ...rest }: ApiObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return false;
  const spec = rest['spec'] as { finalizers?: readonly string[] } | undefined;
  if (kind === 'Namespace' && (spec?.finalizers ?? []).length > 0) return false;
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

function finishDeletion(api: Api, address: ObjectAddress, object: ApiObject): Entry {
  const stored = toStored(address.kind, object);
  const removed = api.store.remove(placeOf(address), stored);
  if (removed === undefined) throw notFound(address.kind, address.name);
  return removed;
}

/** For the server's own controllers: changes what is there by `change`; false when it is gone or `change` says no. */
export function modifyObject(
  api: Api,
  address: ObjectAddress,
  change: (object: ApiObject) => boolean | undefined,
): boolean {
  const entry = api.store.get(placeOf(address));
  if (entry === undefined) return false;
  const object = entry.copy();
  if (change(object) === false) return false;
  if (mayGo(object)) finishDeletion(api, address, object);
  else api.store.put(placeOf(address), toStored(address.kind, object));
  return true;
}
