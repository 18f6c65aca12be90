/** What holds for every object's metadata. Source: apimachinery `pkg/api/validation/objectmeta.go`. */
import type { ObjectMeta, OwnerReference } from '#kube/types';
import type { KindRow } from '../kinds.ts';
import type { FieldErrors } from './field-errors.ts';
import { dnsLabel, dnsSubdomain, labelValue, type NameRule, pathSegment, prefixOf, qualifiedName } from './names.ts';

const IMMUTABLE = 'field is immutable';
/** Source: apimachinery `validation.TotalAnnotationSizeLimitB`. */
const ANNOTATIONS_LIMIT = 256 * 1024;
/** Finalizers without a domain that Kubernetes itself uses. */
const STANDARD_FINALIZERS = ['kubernetes', 'orphan', 'foregroundDeletion'];

const NAME_RULES: Readonly<Record<string, NameRule>> = {
  Namespace: dnsLabel,
  CertificateSigningRequest: pathSegment,
  Event: pathSegment,
};

export function validateMetadata(errors: FieldErrors, kind: KindRow, metadata: ObjectMeta): void {
  const rule = NAME_RULES[kind.kind] ?? dnsSubdomain;
  const { name = '', generateName = '', namespace = '' } = metadata;
  if (generateName !== '') errors.invalidFor('metadata.generateName', generateName, prefixOf(rule)(generateName));
  if (name === '') errors.required('metadata.name', 'name or generateName is required');
  else errors.invalidFor('metadata.name', name, rule(name));
  if (kind.namespaced && namespace === '') errors.required('metadata.namespace');
  else if (kind.namespaced) errors.invalidFor('metadata.namespace', namespace, dnsLabel(namespace));
  else if (namespace !== '') errors.forbidden('metadata.namespace', 'not allowed on this type');
  validateCommon(errors, metadata);
  for (const finalizer of metadata.finalizers ?? []) validateFinalizer(errors, finalizer);
}

function validateCommon(errors: FieldErrors, metadata: ObjectMeta): void {
  validateLabels(errors, metadata.labels ?? {}, 'metadata.labels');
  let size = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    errors.invalidFor('metadata.annotations', key, qualifiedName(key.toLowerCase()));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > ANNOTATIONS_LIMIT) errors.tooLong('metadata.annotations', ANNOTATIONS_LIMIT);
  validateOwners(errors, metadata.ownerReferences ?? []);
}

export function validateLabels(errors: FieldErrors, labels: Readonly<Record<string, string>>, field: string): void {
  for (const [key, value] of Object.entries(labels)) {
    errors.invalidFor(field, key, qualifiedName(key));
    errors.invalidFor(field, value, labelValue(value));
  }
}

function validateOwners(errors: FieldErrors, owners: readonly OwnerReference[]): void {
  const field = 'metadata.ownerReferences';
  let controller: string | undefined;
  for (const owner of owners) {
    if (owner.apiVersion === '' || owner.apiVersion.endsWith('/')) {
      errors.invalid(`${field}.apiVersion`, owner.apiVersion, 'version must not be empty');
    }
    for (const key of ['kind', 'name', 'uid'] as const) {
      if (owner[key] === '') errors.invalid(`${field}.${key}`, '', 'must not be empty');
    }
    const ownerName = `${owner.kind}/${owner.name}`;
    if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
      errors.invalid(field, owner, '/v1, Kind=Event is disallowed from being an owner');
    }
    if (owner.controller !== true) continue;
    if (controller === undefined) controller = ownerName;
    else {
      const both = `${controller} and ${ownerName}`;
      errors.invalid(
        field,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${both}`,
      );
    }
  }
}

function validateFinalizer(errors: FieldErrors, finalizer: string): void {
  const field = 'metadata.finalizers';
  errors.invalidFor(field, finalizer, qualifiedName(finalizer));
  if (!finalizer.includes('/') && !STANDARD_FINALIZERS.includes(finalizer)) {
    errors.invalid(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified');
  }
}

const IMMUTABLE_FIELDS = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

export function validateMetadataUpdate(errors: FieldErrors, metadata: ObjectMeta, old: ObjectMeta): void {
  if (old.deletionTimestamp !== undefined) {
    const added = (metadata.finalizers ?? []).filter((finalizer) => !(old.finalizers ?? []).includes(finalizer)).sort();
    if (added.length > 0) {
      const list = `[]string{${added.map((finalizer) => JSON.stringify(finalizer)).join(', ')}}`;
      const words = 'no new finalizers can be added if the object is being deleted, found new finalizers';
      errors.forbidden('metadata.finalizers', `${words} ${list}`);
    }
  }
  for (const field of IMMUTABLE_FIELDS) {
    if (metadata[field] !== old[field]) errors.invalid(`metadata.${field}`, metadata[field] ?? null, IMMUTABLE);
  }
  validateCommon(errors, metadata);
}
