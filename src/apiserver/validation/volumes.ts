/** What holds for a pod's volumes. Source: `pkg/apis/core/validation/validation.go` (ValidateVolumes). */
import { compareQuantities } from '#kube/schema';
import type { KeyToPath, ProjectedVolumeSource, Volume } from '#kube/types';
import { validateDescending } from './container.ts';
import { FieldErrors } from './field-errors.ts';
import { dnsLabel } from './names.ts';

/** The names of the volumes that are right: mounts may refer to those. */
export function validateVolumes(errors: FieldErrors, volumes: readonly Volume[], field: string): Set<string> {
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${field}[${index}]`;
    const own = new FieldErrors();
    validateSource(own, volume, at);
    if (!volume.name) own.required(`${at}.name`);
    else own.invalidFor(`${at}.name`, volume.name, dnsLabel(volume.name));
    if (names.has(volume.name)) own.duplicate(`${at}.name`, volume.name);
    if (own.list.length === 0) names.add(volume.name);
    errors.list.push(...own.list);
  }
  return names;
}

function validateSource(errors: FieldErrors, volume: Volume, field: string): void {
  const { name: _, ...sources } = volume;
  const given = Object.keys(sources).filter((key) => sources[key as keyof typeof sources] !== undefined);
  if (given.length === 0) errors.required(field, 'must specify a volume type');
  for (const extra of given.slice(1)) errors.forbidden(`${field}.${extra}`, 'may not specify more than 1 volume type');
  const [first] = given;
  if (first !== undefined) validateDetails(errors, volume, { first, field: `${field}.${first}` });
}

function validateDetails(
  errors: FieldErrors,
  volume: Volume,
  { first, field }: { first: string; field: string },
): void {
  const { emptyDir, hostPath, secret, configMap, persistentVolumeClaim, downwardAPI, projected } = volume;
  if (first === 'emptyDir' && emptyDir?.sizeLimit !== undefined && compareQuantities(emptyDir.sizeLimit, '0') < 0) {
    errors.forbidden(`${field}.sizeLimit`, 'SizeLimit field must be a valid resource quantity');
  }
  if (first === 'hostPath' && !hostPath?.path) errors.required(`${field}.path`);
  if (first === 'hostPath' && hostPath?.path?.split('/').includes('..')) {
    errors.invalid(`${field}.path`, hostPath.path, "must not contain '..'");
  }
  if (first === 'secret') {
    if (!secret?.secretName) errors.required(`${field}.secretName`);
    validateFiles(errors, { mode: secret?.defaultMode, items: secret?.items, field });
  }
  if (first === 'configMap') {
    if (!configMap?.name) errors.required(`${field}.name`);
    validateFiles(errors, { mode: configMap?.defaultMode, items: configMap?.items, field });
  }
  if (first === 'persistentVolumeClaim' && !persistentVolumeClaim?.claimName) errors.required(`${field}.claimName`);
  if (first === 'downwardAPI') {
    validateMode(errors, downwardAPI?.defaultMode, `${field}.defaultMode`);
    for (const item of downwardAPI?.items ?? []) {
      if (!item.path) errors.required(`${field}.path`);
      else validateDescending(errors, item.path, `${field}.path`);
      if (item.fieldRef === undefined && item.resourceFieldRef === undefined) {
        errors.required(field, 'one of fieldRef and resourceFieldRef is required');
      }
    }
  }
  if (first === 'projected') validateProjected(errors, projected ?? {}, field);
}

function validateMode(errors: FieldErrors, mode: number | undefined, field: string): void {
  if (mode !== undefined && (mode > 0o777 || mode < 0)) {
    errors.invalid(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive');
  }
}

interface Files {
  readonly mode?: number | undefined;
  readonly items: readonly KeyToPath[] | undefined;
  readonly field: string;
}

function validateFiles(errors: FieldErrors, { mode, items = [], field }: Files): void {
  validateMode(errors, mode, `${field}.defaultMode`);
  for (const [index, item] of items.entries()) {
    const at = `${field}.items[${index}]`;
    if (!item.key) errors.required(`${at}.key`);
    if (!item.path) errors.required(`${at}.path`);
    else validateDescending(errors, item.path, `${at}.path`);
    validateMode(errors, item.mode, `${at}.mode`);
  }
}

const PROJECTIONS = [
  'secret',
  'configMap',
  'downwardAPI',
  'serviceAccountToken',
  'clusterTrustBundle',
  'podCertificate',
] as const;

function validateProjected(
  errors: FieldErrors,
  { defaultMode, sources = [] }: ProjectedVolumeSource,
  field: string,
): void {
  validateMode(errors, defaultMode, `${field}.defaultMode`);
  for (const [index, source] of sources.entries()) {
    const at = `${field}.sources[${index}]`;
    const given = PROJECTIONS.filter((key) => source[key] !== undefined);
    for (const extra of given.slice(1)) errors.forbidden(`${at}.${extra}`, 'may not specify more than 1 volume type');
    for (const key of ['secret', 'configMap'] as const) {
      if (source[key] === undefined) continue;
      if (!source[key].name) errors.required(`${at}.${key}.name`);
      validateFiles(errors, { items: source[key].items, field: `${at}.${key}` });
    }
    const token = source.serviceAccountToken;
    if (token === undefined) continue;
    const seconds = token.expirationSeconds ?? 3600;
    const place = `${at}.serviceAccountToken`;
    if (seconds < 600)
      errors.invalid(`${place}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes');
    if (seconds > 2 ** 32)
      errors.invalid(`${place}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds');
    if (!token.path) errors.required(`${place}.path`);
    else validateDescending(errors, token.path, `${place}.path`);
  }
}
