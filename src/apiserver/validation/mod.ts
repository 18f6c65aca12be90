/**
 * Requests' bodies as objects, their defaults, and what is wrong with them. Called by the core's `rest/` for every write.
 * The words are the real API server's, because people and programs search for them.
 */
import {
  applyDefaults,
  decodeJson,
  definitionNamed,
  definitionNameOf,
  type GroupVersionKind,
  roundTrip,
  validateStructure,
} from '#kube/schema';
import type { Pod } from '#kube/types';
import { apiVersionOf, type KindRow } from '../kinds.ts';
import { badRequest } from '../status.ts';
import type { ApiObject, Decoded, Endpoint, FieldValidation } from '../surface.ts';
import { FieldErrors } from './field-errors.ts';
import { validateMetadata, validateMetadataUpdate } from './metadata.ts';
import { CREATE_RULES, UPDATE_RULES } from './other-kinds.ts';
import { validatePod } from './pod.ts';
import { validatePodResize } from './pod-resize.ts';
import { validatePodStatus, validatePodUpdate } from './pod-update.ts';
import { invalidFields } from './problems.ts';
import { foldStringData } from './secret-data.ts';

export { foldStringData } from './secret-data.ts';

export function decode(
  endpoint: Endpoint,
  body: unknown,
  { fieldValidation, text }: { fieldValidation: FieldValidation; text?: string },
): Decoded {
  const expected = expectedKind(endpoint);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    const what = Array.isArray(body) ? 'array' : body === null ? 'null' : typeof body;
    throw badRequest(
      `the object provided is unrecognized (must be of type ${expected.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  checkType(expected, body as Record<string, unknown>);
  const duplicates = text === undefined || fieldValidation === 'Ignore' ? [] : duplicatesIn(text);
  const report = validateStructure(expected, body, { duplicates });
  const prefix = `${expected.kind} in version ${JSON.stringify(expected.version)} cannot be handled as a ${expected.kind}`;
  if (report.error !== undefined) throw badRequest(`${prefix}: ${report.error}`);
  if (fieldValidation === 'Strict' && report.strict.length > 0) {
    throw badRequest(`${prefix}: strict decoding error: ${report.strict.join(', ')}`);
  }
  const { apiVersion: _, kind: __, ...rest } = roundTrip(expected, body) as Record<string, unknown>;
  const object = { kind: expected.kind, apiVersion: apiVersionOf(expected), ...rest } as ApiObject;
  object.metadata ??= {};
  foldStringData(object);
  keepReset(body, object);
  return { object, warnings: fieldValidation === 'Warn' ? report.strict : [] };
}

/** An empty list of managers asks to forget them all, so it must outlive the types, which leave empty lists out. */
export function keepReset(sent: object, object: ApiObject): void {
  const { metadata } = sent as { metadata?: { managedFields?: unknown } | null };
  const { managedFields } = metadata ?? {};
  const [only] = Array.isArray(managedFields) ? (managedFields as unknown[]) : [];
  const empty = typeof only === 'object' && only !== null && Object.keys(only).length === 0;
  if (Array.isArray(managedFields) && (managedFields.length === 0 || (managedFields.length === 1 && empty))) {
    object.metadata.managedFields = [];
  }
}

/** The kind of what is sent: a subresource may have one of its own. */
function expectedKind({ kind, subresource }: Endpoint): GroupVersionKind {
  const [own] =
    subresource?.schema === undefined
      ? []
      : (definitionNamed(subresource.schema)['x-kubernetes-group-version-kind'] ?? []);
  if (subresource === undefined || own === undefined) return kind;
  return { group: own.group, version: own.version, kind: subresource.kind };
}

function checkType(expected: GroupVersionKind, body: Record<string, unknown>): void {
  const apiVersion = String(body['apiVersion'] || apiVersionOf(expected));
  const kind = String(body['kind'] || expected.kind);
  if (kind === expected.kind && apiVersion === apiVersionOf(expected)) return;
  const [first = '', second] = apiVersion.split('/');
  const given = second === undefined ? { group: '', version: first, kind } : { group: first, version: second, kind };
  if (kind === expected.kind && definitionNameOf(given) !== undefined) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(expected)})`,
    );
  }
  const known = definitionNameOf(given) === undefined ? 'registered' : 'handled here';
  const why = `no kind ${JSON.stringify(kind)} is ${known} for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`;
  throw badRequest(
    `${kind} in version ${JSON.stringify(given.version)} cannot be handled as a ${expected.kind}: ${why}`,
  );
}

function duplicatesIn(text: string): readonly string[] {
  try {
    return decodeJson(text).duplicates;
  } catch {
    // YAML: its parser has refused or warned already.
    return [];
  }
}

export function defaultObject(kind: KindRow, object: ApiObject): void {
  applyDefaults(kind, object);
}

export function validateCreate({ kind, subresource }: Endpoint, object: ApiObject): void {
  const errors = new FieldErrors();
  if (subresource?.schema === undefined) validateMetadata(errors, kind, object.metadata);
  const name = subresource?.kind ?? kind.kind;
  if (name === 'Pod') validatePod(errors, object as Pod);
  else CREATE_RULES[name]?.(errors, object);
  refuse({ ...kind, kind: name }, object, errors);
}

export function validateUpdate({ kind, subresource }: Endpoint, object: ApiObject, old: ApiObject): void {
  const errors = new FieldErrors();
  validateMetadataUpdate(errors, object.metadata, old.metadata);
  if (kind.kind === 'Pod') {
    if (subresource === undefined) validatePodUpdate(errors, object as Pod, old as Pod);
    else if (subresource.name === 'status') validatePodStatus(errors, object as Pod, old as Pod);
    else if (subresource.name === 'resize') validatePodResize(errors, object as Pod, old as Pod);
  } else if (subresource === undefined) UPDATE_RULES[kind.kind]?.(errors, object, old);
  refuse(kind, object, errors);
}

function refuse(kind: { group: string; kind: string }, object: ApiObject, errors: FieldErrors): void {
  if (errors.list.length > 0) throw invalidFields(kind, object.metadata.name ?? '', errors.list);
}
