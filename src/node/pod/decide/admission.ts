/**
 * What this node cannot honour in a pod, found before anything is made for it. Three kinds: `rejected` (the pod fails,
 * as the kubelet's admission has it), `sandbox` (it stays Pending, tried again), `notices` (it runs, and an event says
 * what is left out). Volumes of unknown type are refused where they are mounted (`volume/`).
 */
import type { Container, Pod } from '#kube/types';

export interface Findings {
  readonly rejected?: { readonly reason: string; readonly message: string } | undefined;
  readonly sandbox?: string | undefined;
  readonly notices: readonly string[];
}

type Check<T> = readonly [words: string, left: (value: T) => boolean];

const CONTAINER_CHECKS: readonly Check<Container>[] = [
  ['livenessProbe', ({ livenessProbe }) => livenessProbe !== undefined],
  ['readinessProbe', ({ readinessProbe }) => readinessProbe !== undefined],
  ['startupProbe', ({ startupProbe }) => startupProbe !== undefined],
  ['lifecycle', ({ lifecycle }) => lifecycle?.postStart !== undefined || lifecycle?.preStop !== undefined],
  ['stdin', ({ stdin }) => stdin === true],
  ['tty', ({ tty }) => tty === true],
  [
    'ports with a protocol other than TCP',
    ({ ports = [] }) => ports.some(({ protocol = 'TCP' }) => protocol !== 'TCP'),
  ],
  ['securityContext.capabilities.add', ({ securityContext }) => (securityContext?.capabilities?.add ?? []).length > 0],
  ['securityContext.privileged', ({ securityContext }) => securityContext?.privileged === true],
];

const POD_CHECKS: readonly Check<NonNullable<Pod['spec']>>[] = [
  ['hostPID', ({ hostPID }) => hostPID === true],
  ['hostIPC', ({ hostIPC }) => hostIPC === true],
  ['shareProcessNamespace', ({ shareProcessNamespace }) => shareProcessNamespace === true],
  ['dnsConfig', ({ dnsConfig }) => dnsConfig !== undefined],
  ['securityContext.fsGroup', ({ securityContext }) => securityContext?.fsGroup !== undefined],
  ['volumes.emptyDir.medium', ({ volumes = [] }) => volumes.some(({ emptyDir }) => (emptyDir?.medium ?? '') !== '')],
  [
    'volumes.emptyDir.sizeLimit',
    ({ volumes = [] }) => volumes.some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined),
  ],
  ['ephemeralContainers', ({ ephemeralContainers = [] }) => ephemeralContainers.length > 0],
];

export function admit(pod: Pod): Findings {
  const { spec } = pod;
  if (spec === undefined) return { notices: [] };
  return { rejected: rejection(spec), sandbox: sandboxProblem(spec), notices: notices(spec) };
}

function rejection(spec: NonNullable<Pod['spec']>): Findings['rejected'] {
  const os = spec.os?.name;
  if (os === 'windows') {
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  }
  const [sysctl] = spec.securityContext?.sysctls ?? [];
  if (sysctl !== undefined) {
    return { reason: 'SysctlForbidden', message: `forbidden sysctl: "${sysctl.name}" not allowlisted` };
  }
  return undefined;
}

function sandboxProblem(spec: NonNullable<Pod['spec']>): string | undefined {
  if ((spec.resourceClaims ?? []).length > 0)
    return 'resource claims (spec.resourceClaims) are not prepared by this node';
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    if ((container.volumeDevices ?? []).length > 0) {
      return `container "${container.name}" asks for block devices (volumeDevices), which a WebAssembly guest cannot open`;
    }
  }
  return undefined;
}

function notices(spec: NonNullable<Pod['spec']>): string[] {
  const found = POD_CHECKS.filter(([, left]) => left(spec)).map(([words]) => `spec.${words}`);
  for (const kind of ['initContainers', 'containers'] as const) {
    for (const container of spec[kind] ?? []) {
      for (const [words, left] of CONTAINER_CHECKS) {
        if (left(container)) found.push(`spec.${kind}{${container.name}}.${words}`);
      }
    }
  }
  return found;
}
