/** What holds for the kinds other than pods. Source: `validation.go` in each group of `pkg/apis`. */
import { isDeepStrictEqual } from 'node:util';
import type { CertificateSigningRequest, ConfigMap, Lease, Node, RuntimeClass, Secret, Taint } from '#kube/types';
import type { ApiObject } from '../surface.ts';
import type { FieldErrors } from './field-errors.ts';
import { configKey, dnsLabel, labelValue, qualifiedName } from './names.ts';

/** Source: core `MaxSecretSize`. */
const MAX_DATA = 1024 * 1024;
const FROZEN = 'field is immutable when `immutable` is set';

type Create = (errors: FieldErrors, object: ApiObject) => void;
type Update = (errors: FieldErrors, object: ApiObject, old: ApiObject) => void;

export const CREATE_RULES: Readonly<Record<string, Create>> = {
  ConfigMap: validateConfigMap,
  Secret: validateSecret,
  Node: validateNode,
  Lease: validateLease,
  RuntimeClass: (errors, object) => {
    const { handler = '' } = object as unknown as RuntimeClass;
    errors.invalidFor('handler', handler, dnsLabel(handler));
  },
  CertificateSigningRequest: validateRequest,
  Binding: (errors, object) => {
    const target = (object['target'] ?? {}) as { kind?: string; name?: string };
    if (target.kind && target.kind !== 'Node') errors.notSupported('target.kind', target.kind, ['Node', '<empty>']);
    if (!target.name) errors.required('target.name');
  },
};

export const UPDATE_RULES: Readonly<Record<string, Update>> = {
  ConfigMap: (errors, object, old) => {
    validateFrozen(errors, object, { old, fields: ['data', 'binaryData'] });
    validateConfigMap(errors, object);
  },
  Secret: (errors, object, old) => {
    if (object['type'] !== old['type']) errors.invalid('type', object['type'] ?? '', 'field is immutable');
    validateFrozen(errors, object, { old, fields: ['data'] });
    validateSecret(errors, object);
  },
  Node: validateNodeUpdate,
  Lease: validateLease,
  RuntimeClass: (errors, object, old) => immutable(errors, object, { old, field: 'handler' }),
  PriorityClass: (errors, object, old) => {
    if (object['value'] !== old['value']) errors.forbidden('value', 'may not be changed in an update.');
    if (object['preemptionPolicy'] !== old['preemptionPolicy'])
      immutable(errors, object, { old, field: 'preemptionPolicy' });
  },
  CertificateSigningRequest: (errors, object, old) => {
    if (!isDeepStrictEqual(plain(object['spec']), plain(old['spec'])))
      errors.invalid('spec', object['spec'], 'field is immutable');
  },
};

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function immutable(errors: FieldErrors, object: ApiObject, { old, field }: { old: ApiObject; field: string }): void {
  if (!isDeepStrictEqual(object[field], old[field])) errors.invalid(field, object[field] ?? null, 'field is immutable');
}

function validateFrozen(
  errors: FieldErrors,
  object: ApiObject,
  { old, fields }: { old: ApiObject; fields: readonly string[] },
): void {
  if (old['immutable'] !== true) return;
  if (object['immutable'] !== true) errors.forbidden('immutable', FROZEN);
  for (const field of fields) {
    if (!isDeepStrictEqual(plain(object[field] ?? {}), plain(old[field] ?? {}))) errors.forbidden(field, FROZEN);
  }
}

function validateConfigMap(errors: FieldErrors, object: ApiObject): void {
  const { data = {}, binaryData = {} } = object as unknown as ConfigMap;
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.invalidFor(`data[${key}]`, key, configKey(key));
    if (Object.hasOwn(binaryData, key)) errors.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData');
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    errors.invalidFor(`binaryData[${key}]`, key, configKey(key));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > MAX_DATA) errors.tooLong('', MAX_DATA);
}

/** Keys that a type of secret needs. */
const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

function validateSecret(errors: FieldErrors, object: ApiObject): void {
  const { data = {}, type = '' } = object as unknown as Secret;
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.invalidFor(`data[${key}]`, key, configKey(key));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > MAX_DATA) errors.tooLong('data', MAX_DATA);
  if (type === 'kubernetes.io/service-account-token') {
    const account = 'kubernetes.io/service-account.name';
    if (!object.metadata.annotations?.[account]) errors.required(`metadata.annotations[${account}]`);
  }
  if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined) {
    errors.required('data[username]');
    errors.required('data[password]');
  }
  for (const key of SECRET_KEYS[type] ?? []) {
    if (data[key] === undefined) errors.required(`data[${key}]`);
    else if (key.startsWith('.docker') && !isJsonObject(Buffer.from(data[key], 'base64').toString())) {
      errors.invalid(`data[${key}]`, '<secret contents redacted>', 'invalid character in the JSON text');
    }
  }
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function validateTaints(errors: FieldErrors, taints: readonly Taint[]): void {
  const seen = new Set<string>();
  for (const [index, taint] of taints.entries()) {
    const at = `spec.taints[${index}]`;
    errors.invalidFor(`${at}.key`, taint.key, qualifiedName(taint.key));
    const wrong = labelValue(taint.value ?? '');
    if (wrong.length > 0) errors.invalid(`${at}.value`, taint.value, wrong.join(';'));
    errors.choice(`${at}.effect`, taint.effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']);
    const key = `${taint.key}:${taint.effect}`;
    if (seen.has(key)) {
      errors.duplicate(at, taint);
      const last = errors.list.pop();
      if (last !== undefined) errors.list.push({ ...last, detail: 'taints must be unique by key and effect pair' });
    }
    seen.add(key);
  }
}

function validateNode(errors: FieldErrors, object: ApiObject): void {
  validateTaints(errors, (object as unknown as Node).spec?.taints ?? []);
}

function validateNodeUpdate(errors: FieldErrors, object: ApiObject, old: ApiObject): void {
  const { spec } = object as unknown as Node;
  const before = (old as unknown as Node).spec;
  if ((before?.podCIDRs ?? []).length > 0 && !isDeepStrictEqual(spec?.podCIDRs, before?.podCIDRs)) {
    errors.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
  }
  if (before?.providerID && spec?.providerID !== before.providerID) {
    errors.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid');
  }
  validateTaints(errors, spec?.taints ?? []);
}

function validateLease(errors: FieldErrors, object: ApiObject): void {
  const { spec = {} } = object as unknown as Lease;
  const { leaseDurationSeconds, leaseTransitions } = spec;
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    errors.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0');
  }
  if (leaseTransitions !== undefined && leaseTransitions < 0) {
    errors.invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0');
  }
  if (spec.preferredHolder && !spec.strategy) {
    errors.forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined');
  }
}

function validateRequest(errors: FieldErrors, object: ApiObject): void {
  const { spec } = object as unknown as CertificateSigningRequest;
  const { request = '', usages = [], signerName = '', expirationSeconds } = spec ?? {};
  const pem = Buffer.from(request, 'base64').toString('latin1');
  if (!/-----BEGIN CERTIFICATE REQUEST-----[\s\S]+-----END CERTIFICATE REQUEST-----/.test(pem)) {
    errors.invalid('spec.request', request, 'PEM block type must be CERTIFICATE REQUEST');
  }
  if (usages.length === 0) errors.required('spec.usages');
  if (signerName === '') errors.required('spec.signerName');
  else if (!/^[a-z0-9][-a-z0-9.]*\/.+$/.test(signerName)) {
    errors.invalid(
      'spec.signerName',
      signerName,
      'must be a fully qualified domain and path of the form "example.com/signer-name"',
    );
  }
  if (expirationSeconds !== undefined && expirationSeconds < 600) {
    errors.invalid(
      'spec.expirationSeconds',
      expirationSeconds,
      'may not specify a duration less than 600 seconds (10 minutes)',
    );
  }
}
