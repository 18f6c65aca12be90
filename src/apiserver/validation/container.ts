/** What holds for a container. Source: `pkg/apis/core/validation/validation.go` (validateContainerCommon). */
import { compareQuantities } from '#kube/schema';
import type { Container, ContainerPort, EnvVar, Probe, ResourceRequirements, VolumeMount } from '#kube/types';
import type { FieldErrors } from './field-errors.ts';
import { dnsLabel, envName, portName, portNumber, qualifiedName } from './names.ts';

export interface ContainerContext {
  readonly errors: FieldErrors;
  /** Names of the pod's valid volumes. */
  readonly volumes: ReadonlySet<string>;
}

export function validateContainer({ errors, volumes }: ContainerContext, container: Container, field: string): void {
  if (!container.name) errors.required(`${field}.name`);
  else errors.invalidFor(`${field}.name`, container.name, dnsLabel(container.name));
  if (!container.image) errors.required(`${field}.image`);
  errors.choice(`${field}.terminationMessagePolicy`, container.terminationMessagePolicy, [
    'File',
    'FallbackToLogsOnError',
  ]);
  validatePorts(errors, container.ports ?? [], `${field}.ports`);
  for (const [index, variable] of (container.env ?? []).entries())
    validateEnv(errors, variable, `${field}.env[${index}]`);
  validateEnvFrom(errors, container, `${field}.envFrom`);
  validateMounts(errors, { mounts: container.volumeMounts ?? [], volumes, field: `${field}.volumeMounts` });
  errors.choice(`${field}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']);
  validateResources(errors, container.resources ?? {}, `${field}.resources`);
}

function validatePorts(errors: FieldErrors, ports: readonly ContainerPort[], field: string): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `${field}[${index}]`;
    if (port.name) {
      const wrong = portName(port.name);
      errors.invalidFor(`${at}.name`, port.name, wrong);
      if (wrong.length === 0 && names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    }
    if (!port.containerPort) errors.required(`${at}.containerPort`);
    else errors.invalidFor(`${at}.containerPort`, port.containerPort, portNumber(port.containerPort));
    if (port.hostPort) errors.invalidFor(`${at}.hostPort`, port.hostPort, portNumber(port.hostPort));
    errors.choice(`${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
  }
}

const ENV_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const;
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

function validateEnv(errors: FieldErrors, { name, value, valueFrom }: EnvVar, field: string): void {
  if (!name) errors.required(`${field}.name`);
  else errors.invalidFor(`${field}.name`, name, envName(name));
  if (valueFrom === undefined) return;
  const at = `${field}.valueFrom`;
  const sources = ENV_SOURCES.filter((source) => valueFrom[source] !== undefined);
  if (valueFrom.fieldRef !== undefined) validateFieldRef(errors, valueFrom.fieldRef.fieldPath, `${at}.fieldRef`);
  for (const source of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const reference = valueFrom[source];
    if (reference === undefined) continue;
    if (!reference.name) errors.required(`${at}.${source}.name`);
    if (!reference.key) errors.required(`${at}.${source}.key`);
  }
  if (valueFrom.resourceFieldRef?.resource === '') errors.required(`${at}.resourceFieldRef.resource`);
  if (sources.length === 0) {
    errors.invalid(
      at,
      '',
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
    );
  } else if (value) errors.invalid(at, '', 'may not be specified when `value` is not empty');
  else if (sources.length > 1) errors.invalid(at, '', 'may not have more than one field specified at a time');
}

function validateFieldRef(errors: FieldErrors, path: string, field: string): void {
  if (!path) {
    errors.required(`${field}.fieldPath`);
    return;
  }
  const subscript = /^(.*)\['(.*)'\]$/.exec(path);
  if (subscript === null) {
    if (!ENV_FIELDS.includes(path)) {
      if (/^(metadata|spec|status)\.[A-Za-z.]+$/.test(path))
        errors.notSupported(`${field}.fieldPath`, path, ENV_FIELDS.toSorted());
      else errors.invalid(`${field}.fieldPath`, path, `error converting fieldPath: field label not supported: ${path}`);
    }
    return;
  }
  const [, owner = '', key = ''] = subscript;
  if (owner === 'metadata.labels') errors.invalidFor(field, key, qualifiedName(key));
  else if (owner === 'metadata.annotations') errors.invalidFor(field, key, qualifiedName(key.toLowerCase()));
  else errors.invalid(field, owner, 'does not support subscript');
}

function validateEnvFrom(errors: FieldErrors, { envFrom = [] }: Container, field: string): void {
  for (const [index, source] of envFrom.entries()) {
    const at = `${field}[${index}]`;
    if (source.prefix) errors.invalidFor(`${at}.prefix`, source.prefix, envName(source.prefix));
    const given = (['configMapRef', 'secretRef'] as const).filter((key) => source[key] !== undefined);
    for (const key of given) if (!source[key]?.name) errors.required(`${at}.${key}.name`);
    if (given.length === 0) errors.invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`');
    else if (given.length > 1) errors.invalid(at, '', 'may not have more than one field specified at a time');
  }
}

interface Mounts {
  readonly mounts: readonly VolumeMount[];
  readonly volumes: ReadonlySet<string>;
  readonly field: string;
}

function validateMounts(errors: FieldErrors, { mounts, volumes, field }: Mounts): void {
  const places = new Set<string>();
  for (const [index, { name, mountPath, subPath, subPathExpr }] of mounts.entries()) {
    const at = `${field}[${index}]`;
    if (!name) errors.required(`${at}.name`);
    if (!volumes.has(name)) errors.notFound(`${at}.name`, name);
    if (!mountPath) errors.required(`${at}.mountPath`);
    if (places.has(mountPath)) errors.invalid(`${at}.mountPath`, mountPath, 'must be unique');
    places.add(mountPath);
    if (subPath) validateDescending(errors, subPath, `${field}.subPath`);
    if (!subPathExpr) continue;
    if (subPath) errors.invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive');
    validateDescending(errors, subPathExpr, `${field}.subPathExpr`);
  }
}

/** A path that stays below where it starts. */
export function validateDescending(errors: FieldErrors, path: string, field: string): void {
  if (path.startsWith('/')) errors.invalid(field, path, 'must be a relative path');
  if (path.split('/').includes('..')) errors.invalid(field, path, "must not contain '..'");
}

const PLAIN_RESOURCES = /^(cpu|memory|ephemeral-storage|hugepages-.+)$/;

export function validateResources(
  errors: FieldErrors,
  { limits = {}, requests = {} }: ResourceRequirements,
  field: string,
): void {
  for (const [list, entries] of [
    ['limits', limits],
    ['requests', requests],
  ] as const) {
    for (const [name, quantity] of Object.entries(entries)) {
      const at = `${field}.${list}[${name}]`;
      errors.invalidFor(at, name, qualifiedName(name));
      if (!name.includes('/') && !PLAIN_RESOURCES.test(name)) {
        errors.invalid(at, name, 'must be a standard resource type or fully qualified');
        errors.invalid(at, name, 'must be a standard resource for containers');
      }
      if (compareQuantities(quantity, '0') < 0)
        errors.invalid(at, String(quantity), 'must be greater than or equal to 0');
    }
  }
  for (const [name, quantity] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit === undefined) continue;
    const overcommit = !name.includes('/') && !name.startsWith('hugepages-');
    const order = compareQuantities(quantity, limit);
    if (!overcommit && order !== 0)
      errors.invalid(`${field}.requests`, String(quantity), `must be equal to ${name} limit of ${limit}`);
    else if (order > 0)
      errors.invalid(`${field}.requests`, String(quantity), `must be less than or equal to ${name} limit of ${limit}`);
  }
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc'] as const;

export function validateProbe(
  errors: FieldErrors,
  probe: Probe | undefined,
  { field, once }: { field: string; once: boolean },
): void {
  if (probe === undefined) return;
  const given = HANDLERS.filter((handler) => probe[handler] !== undefined);
  for (const extra of given.slice(1)) errors.forbidden(`${field}.${extra}`, 'may not specify more than 1 handler type');
  if (given.length === 0) errors.required(field, 'must specify a handler type');
  else validateHandler(errors, probe, { field, handler: given[0] });
  for (const key of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    const value = probe[key] ?? 0;
    if (value < 0) errors.invalid(`${field}.${key}`, value, 'must be greater than or equal to 0');
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0)
    errors.invalid(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0');
  if (once && probe.successThreshold !== 1)
    errors.invalid(`${field}.successThreshold`, probe.successThreshold ?? 0, 'must be 1');
}

type Handler = { readonly field: string; readonly handler: (typeof HANDLERS)[number] | undefined };

function validateHandler(
  errors: FieldErrors,
  probe: Pick<Probe, (typeof HANDLERS)[number]>,
  { field, handler }: Handler,
): void {
  const at = `${field}.${handler}`;
  if (handler === 'exec' && (probe.exec?.command ?? []).length === 0) errors.required(`${at}.command`);
  if (handler === 'grpc') errors.invalidFor(`${at}.port`, probe.grpc?.port ?? 0, portNumber(probe.grpc?.port ?? 0));
  if (handler === 'tcpSocket') validatePortOrName(errors, probe.tcpSocket?.port, `${at}.port`);
  if (handler !== 'httpGet') return;
  if (!probe.httpGet?.path) errors.required(`${at}.path`);
  validatePortOrName(errors, probe.httpGet?.port, `${at}.port`);
  const scheme = probe.httpGet?.scheme ?? '';
  if (scheme !== 'HTTP' && scheme !== 'HTTPS') errors.notSupported(`${at}.scheme`, scheme, ['HTTP', 'HTTPS']);
}

function validatePortOrName(errors: FieldErrors, port: number | string | undefined, field: string): void {
  if (typeof port === 'string') errors.invalidFor(field, port, portName(port));
  else errors.invalidFor(field, port ?? 0, portNumber(port ?? 0));
}
