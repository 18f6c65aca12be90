/**
 * What may change in a pod. Source: `pkg/apis/core/validation/validation.go` (ValidatePodUpdate, ValidatePodStatusUpdate).
 * One deviation: addresses of 127.0.0.0/8 are pod addresses here, because a standalone node has no others.
 */
import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { ContainerStatus, Pod, PodSpec, Toleration } from '#kube/types';
import type { FieldErrors } from './field-errors.ts';
import { validatePod } from './pod.ts';

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

export function validatePodUpdate(errors: FieldErrors, pod: Pod, old: Pod): void {
  const spec = pod.spec ?? ({} as PodSpec);
  const before = old.spec ?? ({} as PodSpec);
  validatePod(errors, pod);
  for (const key of ['containers', 'initContainers'] as const) {
    if ((spec[key] ?? []).length === (before[key] ?? []).length) continue;
    errors.forbidden(`spec.${key}`, 'pod updates may not add or remove containers');
    return;
  }
  validateDeadline(errors, spec, before);
  validateAddedTolerations(errors, spec.tolerations ?? [], before.tolerations ?? []);
  const compared = withUpdatable(spec, before);
  if (isDeepStrictEqual(compared, withUpdatable(before, before))) return;
  const changed = differingKeys(compared, before).map((key) => `  spec.${key}`);
  errors.forbidden('spec', `pod updates may not change fields other than ${UPDATABLE}\n${changed.join('\n')}\n`);
}

/** The spec with everything that may change as it was. */
function withUpdatable(spec: PodSpec, before: PodSpec): PodSpec {
  const withImages = (key: 'containers' | 'initContainers') =>
    (spec[key] ?? []).map((container, index) => ({ ...container, image: before[key]?.[index]?.image ?? '' }));
  const grace = spec.terminationGracePeriodSeconds;
  const relaxed = (before.terminationGracePeriodSeconds ?? 0) < 0 && grace === 1;
  return JSON.parse(
    JSON.stringify({
      ...spec,
      containers: withImages('containers'),
      initContainers: withImages('initContainers'),
      activeDeadlineSeconds: before.activeDeadlineSeconds,
      tolerations: before.tolerations,
      schedulingGates: before.schedulingGates,
      terminationGracePeriodSeconds: relaxed ? before.terminationGracePeriodSeconds : grace,
    }),
  ) as PodSpec;
}

function differingKeys(spec: PodSpec, before: PodSpec): string[] {
  const left = spec as unknown as Record<string, unknown>;
  const right = withUpdatable(before, before) as unknown as Record<string, unknown>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].filter(
    (key) => !isDeepStrictEqual(left[key], right[key]),
  );
}

function validateDeadline(
  errors: FieldErrors,
  { activeDeadlineSeconds: now }: PodSpec,
  { activeDeadlineSeconds: was }: PodSpec,
): void {
  const field = 'spec.activeDeadlineSeconds';
  if (now === undefined) {
    if (was !== undefined) errors.invalid(field, null, 'must not update from a positive integer to nil value');
  } else if (now < 0) errors.invalid(field, now, 'must be between 0 and 2147483647, inclusive');
  else if (was !== undefined && was < now) errors.invalid(field, now, 'must be less than or equal to previous value');
}

function validateAddedTolerations(
  errors: FieldErrors,
  now: readonly Toleration[],
  before: readonly Toleration[],
): void {
  const same = (a: Toleration, b: Toleration): boolean =>
    isDeepStrictEqual({ ...a, tolerationSeconds: 0 }, { ...b, tolerationSeconds: 0 });
  if (before.every((old) => now.some((toleration) => same(old, toleration)))) return;
  errors.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds');
}

export function validatePodStatus(errors: FieldErrors, pod: Pod, old: Pod): void {
  const { status = {} } = pod;
  if (status.nominatedNodeName && old.spec?.nodeName && status.nominatedNodeName !== old.status?.nominatedNodeName) {
    errors.forbidden('status.nominatedNodeName', 'may not be set on pods that are already bound to a node');
  }
  const quality = old.status?.qosClass;
  if (quality && status.qosClass !== quality)
    errors.invalid('status.qosClass', status.qosClass ?? '', 'field is immutable');
  validateTransitions(errors, pod, { old, list: 'containerStatuses' });
  validateTransitions(errors, pod, { old, list: 'initContainerStatuses' });
  validateAddresses(
    errors,
    (status.podIPs ?? []).map(({ ip }) => ip ?? ''),
    'status.podIPs',
  );
  validateAddresses(
    errors,
    (status.hostIPs ?? []).map(({ ip }) => ip ?? ''),
    'status.hostIPs',
  );
}

interface Transition {
  readonly old: Pod;
  readonly list: 'containerStatuses' | 'initContainerStatuses';
}

/** A container that ended and is not to be started again stays ended. */
function validateTransitions(errors: FieldErrors, pod: Pod, { old, list }: Transition): void {
  const now = new Map((pod.status?.[list] ?? []).map((status) => [status.name, status]));
  for (const [index, before] of (old.status?.[list] ?? []).entries()) {
    const next = now.get(before.name);
    if (before.state?.terminated === undefined || next === undefined || next.state?.terminated !== undefined) continue;
    if (mayRestart(old, before, list)) continue;
    errors.forbidden(`status.${list}[${index}].state`, 'may not be transitioned to non-terminated state');
  }
}

function mayRestart({ spec }: Pod, status: ContainerStatus, list: Transition['list']): boolean {
  const containers = (list === 'containerStatuses' ? spec?.containers : spec?.initContainers) ?? [];
  const container = containers.find(({ name }) => name === status.name);
  const policy = container?.restartPolicy ?? spec?.restartPolicy ?? 'Always';
  if (policy === 'Always') return true;
  const failed = status.state?.terminated?.exitCode !== 0;
  return failed && (policy === 'OnFailure' || (container?.restartPolicyRules ?? []).length > 0);
}

function validateAddresses(errors: FieldErrors, addresses: readonly string[], field: string): void {
  for (const [index, address] of addresses.entries()) {
    if (isIP(address) === 0)
      errors.invalid(`${field}[${index}]`, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  }
  if (addresses.length > 2) errors.invalid(field, addresses, 'may specify no more than one IP for each IP family');
  else if (addresses.length === 2 && isIP(addresses[0] ?? '') === isIP(addresses[1] ?? '')) {
    errors.invalid(field, addresses, 'may specify no more than one IP for each IP family');
  }
}
