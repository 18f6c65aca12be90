/**
 * Patches of all four kinds, and who owns which field. Called by the core's `rest/` with the stored object; gives the object
 * that would be stored, before validation. Throws only StatusErrors, whatever the patch holds.
 */
import {
  applyDefaults,
  decodeJson,
  type Field,
  type GroupVersionKind,
  roundTrip,
  validateStructure,
} from '#kube/schema';
import { apiVersionOf } from '../kinds.ts';
import { badRequest, notFound, StatusError } from '../status.ts';
import type { ApiObject, Decoded, Endpoint, PatchRequest } from '../surface.ts';
import { keepReset } from '../validation/mod.ts';
import { invalidFields, plainError } from '../validation/problems.ts';
import { foldStringData } from '../validation/secret-data.ts';
import { FieldSet, setOf } from './field-set.ts';
import { applyJsonPatch } from './json-patch.ts';
import { decodeManagers, encodeManagers, isReset, type Managers } from './managed-fields.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyFields, conflictsBeyond, refuseManagedFields, takeOver, trackWrite, type Write } from './ownership.ts';
import { applyStrategicMergePatch } from './strategic.ts';
import { type Fields, fromEntries, goText, isFields } from './values.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Source: apimachinery `validation.TotalAnnotationSizeLimitB`. */
const ANNOTATIONS_LIMIT = 256 * 1024;

export function applyPatch(request: PatchRequest): Decoded {
  try {
    if (request.type === 'apply') return applied(request);
    if (request.current === undefined) throw notFound(request.kind, '');
    return patched(request, request.current);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    // Whatever a patch can do to the code below is the patch's fault, not the server's.
    throw badRequest(`error decoding patch: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function patched(request: PatchRequest, current: ApiObject): Decoded {
  const { type, body, kind, fieldValidation } = request;
  let next: unknown;
  let strict: readonly string[] = [];
  if (type === 'json') ({ value: next, strict } = applyJsonPatch(current, body));
  else if (type === 'merge') next = applyMergePatch(current, body);
  else next = applyStrategicMergePatch(kind, current, body);
  if (!isFields(next)) throw badPatch(next, 'json: cannot unmarshal into Go value');
  const { part, kept } = changedPart(request, { next, current });
  const report = validateStructure(kind, part);
  const shown = (): unknown => (type === 'strategic' ? goText(body) : next);
  if (report.error !== undefined) throw badPatch(shown(), report.error);
  const problems = [...strict, ...report.strict];
  if (fieldValidation === 'Strict' && problems.length > 0) {
    throw badPatch(shown(), `strict decoding error: ${problems.join(', ')}`);
  }
  const typed = throughTypes(kind, part);
  applyDefaults(kind, typed);
  const object = kept.size === 0 ? typed : inOrder(next, { ...typed, ...Object.fromEntries(kept) });
  keepReset(next, object);
  trackUpdate(object, current, request);
  return { object, warnings: fieldValidation === 'Warn' ? problems : [] };
}

/**
 * A patch of a subresource leaves most of the object as it is, down to its identity; that was checked, typed and given its
 * defaults when it was stored. Metadata is always done again, since what follows changes it in place.
 */
function changedPart(
  { subresource, type }: PatchRequest,
  { next, current }: { next: Fields; current: ApiObject },
): { part: Fields; kept: ReadonlyMap<string, unknown> } {
  const kept = new Map<string, unknown>();
  if (subresource === undefined || type !== 'strategic') return { part: next, kept };
  for (const [key, value] of Object.entries(next)) {
    if (key !== 'metadata' && isFields(value) && value === current[key]) kept.set(key, value);
  }
  return { part: fromEntries(Object.entries(next).filter(([key]) => !kept.has(key))), kept };
}

/** The keys in the order of `next`, then the others. */
function inOrder(next: Fields, object: ApiObject): ApiObject {
  const first = Object.keys(next).filter((key) => Object.hasOwn(object, key));
  return { ...fromEntries(first.map((key) => [key, object[key]] as const)), ...object } as ApiObject;
}

/** Source: apiserver `patch.go`: the patched object (of a strategic patch: the patch) is the invalid value. */
function badPatch(value: unknown, detail: string): StatusError {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return invalidFields({ group: '', kind: '' }, '', [
    { field: 'patch', type: 'FieldValueInvalid', value: shown, detail },
  ]);
}

function throughTypes(kind: GroupVersionKind, object: Fields): ApiObject {
  const { apiVersion: _, kind: __, ...rest } = roundTrip(kind, object) as Fields;
  const typed = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...rest };
  foldStringData(typed);
  return typed as ApiObject;
}

/** What Go has before anybody set anything: the other side of a comparison for a new object. */
function emptyObject(kind: GroupVersionKind): Fields {
  return throughTypes(kind, {});
}

function fieldOf({ kind }: Endpoint): Field {
  return { ref: kind.schema };
}

function withoutManagers(object: ApiObject): Fields {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function writeOf(
  request: Endpoint & { fieldManager: string; now: string },
  managers: Managers,
  operation: 'Apply' | 'Update',
): Write {
  const { kind, subresource, fieldManager, now } = request;
  const writer = {
    name: fieldManager === '' ? 'unknown' : fieldManager,
    operation,
    apiVersion: apiVersionOf(kind),
    subresource: subresource?.name,
  };
  return { field: fieldOf(request), managers, writer, ignored: ignoredFields(request), now };
}

/** Fields that an endpoint resets and that so nobody sets there. Source: `GetResetFields` of each `strategy.go`. */
function ignoredFields({ kind, subresource }: Endpoint): FieldSet {
  const own = RESET[kind.kind]?.[subresource?.name ?? ''];
  if (own !== undefined) return setOf(...own);
  const hasStatus = kind.subresources.some(({ name }) => name === 'status');
  if (subresource === undefined) return hasStatus ? setOf(['status']) : new FieldSet();
  return subresource.name === 'status' ? setOf(['spec']) : new FieldSet();
}

/** Kinds whose endpoints reset more or less than `status` at the object and `spec` at its status; '' is the object itself. */
const RESET: Readonly<Record<string, Readonly<Record<string, readonly (readonly string[])[]>>>> = {
  Pod: { status: [['spec'], ['metadata', 'deletionTimestamp'], ['metadata', 'ownerReferences']] },
  CertificateSigningRequest: {
    '': [['spec'], ['status']],
    status: [['spec'], ['status', 'conditions']],
    approval: [['spec'], ['status', 'certificate']],
  },
};

export function trackUpdate(
  object: ApiObject,
  old: ApiObject | undefined,
  options: Endpoint & { fieldManager: string; now: string },
): void {
  const given = object.metadata.managedFields;
  const reset = options.subresource === undefined && isReset(given);
  const sent = options.subresource === undefined ? decodeManagers(given) : undefined;
  const own =
    sent !== undefined && sent.size > 0 ? sent : decodeManagers(old?.metadata.managedFields, { stored: true });
  const managers: Managers = reset ? new Map() : (own ?? new Map());
  delete object.metadata.managedFields;
  // An object that nobody is tracked on stays so: an update would make its writer the owner of everything.
  if (managers.size > 0 || old === undefined) {
    const live = old === undefined ? emptyObject(options.kind) : withoutManagers(old);
    trackWrite(writeOf(options, managers, 'Update'), live, withoutManagers(object));
  }
  const entries = encodeManagers(managers);
  if (entries !== undefined) object.metadata.managedFields = entries;
}

function applied(request: PatchRequest): Decoded {
  const { body, kind, current, force } = request;
  if (!isFields(body))
    throw badRequest('error decoding YAML: json: cannot unmarshal into Go value of type map[string]interface {}');
  const apiVersion = apiVersionOf(kind);
  if (body['apiVersion'] !== apiVersion || body['kind'] !== kind.kind)
    throw badRequest(`invalid object type: ${typeText(body)}`);
  refuseManagedFields(body);
  const managers = current === undefined ? new Map() : decodeManagers(current.metadata.managedFields);
  if (managers === undefined)
    throw plainError('failed to decode managed fields: operation must be `Apply` or `Update`');
  const live = current === undefined ? emptyObject(kind) : withoutManagers(current);
  if (managers.size === 0 && current !== undefined) {
    trackWrite(
      writeOf({ ...request, fieldManager: 'before-first-apply' }, managers, 'Update'),
      emptyObject(kind),
      live,
    );
  }
  const next = resolveConflicts(request, { live, managers, force }) ?? live;
  const report = validateStructure(kind, next);
  if (report.error !== undefined)
    throw plainError(`failed to convert new typed object (${describe(body)}) to object: ${report.error}`);
  const object = throughTypes(kind, next);
  if (request.fieldManager === 'kubectl') syncLastApplied(object, body);
  const entries = encodeManagers(managers);
  if (entries === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = entries;
  return { object, warnings: [] };
}

interface Attempt {
  readonly live: Fields;
  readonly managers: Managers;
  readonly force: boolean;
}

function resolveConflicts(request: PatchRequest, { live, managers, force }: Attempt): Fields | undefined {
  const body = request.body as Fields;
  const before = new Map(managers);
  try {
    return applyFields(writeOf(request, managers, 'Apply'), live, body, { force });
  } catch (error) {
    if (error instanceof StatusError && error.code === 500) {
      throw plainError(`failed to create typed patch object (${describe(body)}): ${error.message}`);
    }
    conflictsBeyond(error, request.fieldManager === 'kubectl' ? allowedByLastApplied(request, live) : undefined);
    managers.clear();
    for (const [identity, manager] of before) managers.set(identity, manager);
    return applyFields(writeOf(request, managers, 'Apply'), live, body, { force: true });
  }
}

/** kubectl's own client-side apply does not stand against its server-side apply. Source: apimachinery `lastappliedmanager.go`. */
function allowedByLastApplied(request: PatchRequest, live: Fields): FieldSet | undefined {
  const text = annotationsOf(live)?.[LAST_APPLIED];
  if (typeof text !== 'string' || text === '') return undefined;
  try {
    const last = decodeJson(text).value;
    if (!isFields(last) || last['apiVersion'] !== apiVersionOf(request.kind)) return undefined;
    return takeOver(fieldOf(request), live, last);
  } catch {
    return undefined;
  }
}

/** Keeps client-side apply's annotation true after kubectl's server-side apply, so that people may go back. */
function syncLastApplied(object: ApiObject, body: Fields): void {
  const annotations = object.metadata.annotations;
  const now = annotations?.[LAST_APPLIED];
  if (annotations === undefined || now === undefined || now === '') return;
  const metadata = isFields(body['metadata']) ? body['metadata'] : {};
  const { [LAST_APPLIED]: _, ...rest } = isFields(metadata['annotations']) ? metadata['annotations'] : {};
  const clean = {
    ...body,
    metadata: { ...metadata, ...(metadata['annotations'] === undefined ? {} : { annotations: rest }) },
  };
  annotations[LAST_APPLIED] = `${JSON.stringify(clean)}\n`;
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (size > ANNOTATIONS_LIMIT) delete annotations[LAST_APPLIED];
}

function annotationsOf(object: Fields): Fields | undefined {
  const metadata = object['metadata'];
  const annotations = isFields(metadata) ? metadata['annotations'] : undefined;
  return isFields(annotations) ? annotations : undefined;
}

/** `/v1, Kind=Pod`, as Go writes a GroupVersionKind. */
function typeText(object: Fields): string {
  const version = String(object['apiVersion'] ?? '');
  const slash = version.includes('/') ? version : `/${version}`;
  return `${slash}, Kind=${String(object['kind'] ?? '')}`;
}

function describe(object: Fields): string {
  const metadata = isFields(object['metadata']) ? object['metadata'] : {};
  return `${String(metadata['namespace'] ?? '')}/${String(metadata['name'] ?? '')}; ${typeText(object)}`;
}
