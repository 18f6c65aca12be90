/** What holds for a new pod. Source: `pkg/apis/core/validation/validation.go` (ValidatePodSpec). */
import type { Container, Pod, PodSpec, Toleration } from '#kube/types';
import { type ContainerContext, validateContainer, validateProbe } from './container.ts';
import type { FieldErrors } from './field-errors.ts';
import { validateLabels } from './metadata.ts';
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from './names.ts';
import { validateVolumes } from './volumes.ts';

const MAX_INT32 = 2 ** 31 - 1;

export function validatePod(errors: FieldErrors, pod: Pod): void {
  const spec = pod.spec ?? ({} as PodSpec);
  const volumes = validateVolumes(errors, spec.volumes ?? [], 'spec.volumes');
  const context = { errors, volumes };
  validateContainers(context, spec);
  validateChoices(errors, spec);
  validateLabels(errors, spec.nodeSelector ?? {}, 'spec.nodeSelector');
  validateNames(errors, spec);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > MAX_INT32)) {
    errors.invalid('spec.activeDeadlineSeconds', deadline, `must be between 1 and ${MAX_INT32}, inclusive`);
  }
  validateTolerations(errors, spec.tolerations ?? [], 'spec.tolerations');
}

function validateChoices(errors: FieldErrors, spec: PodSpec): void {
  errors.choice('spec.restartPolicy', spec.restartPolicy, ['Always', 'OnFailure', 'Never']);
  errors.choice('spec.dnsPolicy', spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']);
  const preemption = spec.preemptionPolicy;
  if (preemption !== undefined && preemption !== 'PreemptLowerPriority' && preemption !== 'Never') {
    errors.notSupported('spec.preemptionPolicy', preemption, ['PreemptLowerPriority', 'Never']);
  }
  const os = spec.os?.name;
  if (os !== undefined && os !== 'linux' && os !== 'windows') errors.notSupported('spec.os', os, ['linux', 'windows']);
}

function validateNames(errors: FieldErrors, spec: PodSpec): void {
  const names = [
    ['serviceAccountName', spec.serviceAccountName, dnsSubdomain],
    ['nodeName', spec.nodeName, dnsSubdomain],
    ['hostname', spec.hostname, dnsLabel],
    ['subdomain', spec.subdomain, dnsLabel],
    ['priorityClassName', spec.priorityClassName, dnsSubdomain],
    ['runtimeClassName', spec.runtimeClassName, dnsSubdomain],
  ] as const;
  for (const [field, value, rule] of names) if (value) errors.invalidFor(`spec.${field}`, value, rule(value));
}

function validateContainers(context: ContainerContext, spec: PodSpec): void {
  const { errors } = context;
  const names = new Set<string>();
  if ((spec.containers ?? []).length === 0) errors.required('spec.containers');
  for (const [index, container] of (spec.containers ?? []).entries()) {
    const field = `spec.containers[${index}]`;
    validateContainer(context, container, field);
    claimName(errors, names, { container, field });
    validateRegular(errors, container, field);
  }
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const field = `spec.initContainers[${index}]`;
    validateContainer(context, container, field);
    validateInit(errors, container, field);
    claimName(errors, names, { container, field });
  }
  validateHostPorts(errors, spec);
}

function claimName(
  errors: FieldErrors,
  names: Set<string>,
  { container, field }: { container: Container; field: string },
): void {
  if (names.has(container.name)) errors.duplicate(`${field}.name`, container.name);
  else if (container.name) names.add(container.name);
}

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];

function validateRegular(errors: FieldErrors, container: Container, field: string): void {
  validateLifecycle(errors, container, field);
  validateProbe(errors, container.livenessProbe, { field: `${field}.livenessProbe`, once: true });
  validateProbe(errors, container.readinessProbe, { field: `${field}.readinessProbe`, once: false });
  if (container.readinessProbe?.terminationGracePeriodSeconds !== undefined) {
    const grace = container.readinessProbe.terminationGracePeriodSeconds;
    errors.invalid(
      `${field}.readinessProbe.terminationGracePeriodSeconds`,
      grace,
      'must not be set for readinessProbes',
    );
  }
  validateProbe(errors, container.startupProbe, { field: `${field}.startupProbe`, once: true });
  const policy = container.restartPolicy;
  if (policy !== undefined && !RESTART_POLICIES.includes(policy)) {
    errors.notSupported(`${field}.restartPolicy`, policy, RESTART_POLICIES);
  }
}

function validateLifecycle(errors: FieldErrors, { lifecycle }: Container, field: string): void {
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler = lifecycle?.[hook];
    if (handler === undefined) continue;
    const given = (['exec', 'httpGet', 'tcpSocket', 'sleep'] as const).filter((key) => handler[key] !== undefined);
    const at = `${field}.lifecycle.${hook}`;
    for (const extra of given.slice(1)) errors.forbidden(`${at}.${extra}`, 'may not specify more than 1 handler type');
    if (given.length === 0) errors.required(at, 'must specify a handler type');
  }
}

const INIT_WORDS = 'may not be set for init containers without restartPolicy=Always';

function validateInit(errors: FieldErrors, container: Container, field: string): void {
  if (container.restartPolicy === 'Always') {
    validateRegular(errors, container, field);
    return;
  }
  const policy = container.restartPolicy;
  if (policy !== undefined && !RESTART_POLICIES.includes(policy)) {
    errors.notSupported(`${field}.restartPolicy`, policy, RESTART_POLICIES);
  }
  for (const key of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (container[key] !== undefined) errors.forbidden(`${field}.${key}`, INIT_WORDS);
  }
}

function validateHostPorts(errors: FieldErrors, spec: PodSpec): void {
  const taken = new Set<string>();
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [place, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue;
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) errors.duplicate(`spec.containers[${index}].ports[${place}].hostPort`, key);
      taken.add(key);
    }
  }
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateTolerations(errors: FieldErrors, tolerations: readonly Toleration[], field: string): void {
  for (const [
    index,
    { key = '', operator = '', value = '', effect = '', tolerationSeconds },
  ] of tolerations.entries()) {
    const at = `${field}[${index}]`;
    if (key !== '') errors.invalidFor(`${at}.key`, key, qualifiedName(key));
    if (key === '' && operator !== 'Exists') {
      errors.invalid(
        `${at}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    if (operator === '' || operator === 'Equal') {
      const wrong = labelValue(value);
      if (wrong.length > 0) errors.invalid(`${at}.operator`, value, wrong.join(';'));
    } else if (operator === 'Exists') {
      if (value !== '') errors.invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'");
    } else errors.notSupported(`${at}.operator`, operator, ['Equal', 'Exists']);
    if (effect !== '' && !EFFECTS.includes(effect)) errors.notSupported(`${at}.effect`, effect, EFFECTS);
  }
}
