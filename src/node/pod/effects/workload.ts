/** A pod's container as the runtime's workload: the one place where Kubernetes' words become the contract's. */
import { dirname, join } from 'node:path';
import { isNotFound, milliValueOf, parseQuantity, wholeValueOf } from '#kube';
import type { Container, Pod } from '#kube/types';
import type { WorkloadImage } from '#oci';
import {
  type Limits,
  type Listener,
  type Mount,
  POSIX_CAPABILITY,
  parseCapabilities,
  type WorkloadSpec,
} from '#runtime';
import { systemLinksFor } from '../../log/system-links.ts';
import { link, treeOf, volumeMounts } from '../../volume/mod.ts';
import type { Action } from '../decide/plan.ts';
import { environmentOf, invocationOf, type NamedObjects, referencesOf } from '../env.ts';
import { podError } from '../errors.ts';
import { serviceVariables } from '../service-env.ts';
import { containerOf, type EffectContext, factsOf, idOf } from './context.ts';
import { isolationOf } from './runtime-class.ts';

/** Row in docs/names.md. */
const GRACE = 'wasmlet.dev/grace';
const CAPABILITIES = 'wasmlet.dev/capabilities';
const DEFAULT_TERMINATION_LOG = '/dev/termination-log';

interface Input {
  readonly action: Extract<Action, { do: 'create' }>;
  readonly image: WorkloadImage;
  readonly listeners: readonly Listener[];
}

export async function workloadOf(context: EffectContext, { action, image, listeners }: Input): Promise<WorkloadSpec> {
  const { pod, places } = context;
  const { namespace = '', name: podName = '', annotations = {} } = pod.metadata ?? {};
  const container = containerOf(context, action);
  const env = environmentOf({
    pod,
    container,
    facts: factsOf(context),
    services: services(context),
    image,
    ...(await objectsOf(context, container)),
  });
  const { args, entrypoint, workingDir } = invocationOf(container, { image, env });
  const mounts = await volumeMounts({ pod, container, places, env });
  return {
    id: idOf(context, container.name, action.attempt),
    placement: { tenant: namespace, isolation: isolationOf(context.observed.handler ?? '') },
    label: `${namespace}/${podName}/${container.name}`,
    module: { digest: image.moduleDigest, path: image.modulePath },
    entrypoint,
    args,
    env: [...env],
    workingDir,
    mounts: [...mounts, ...(await terminationLog(context, container, mounts))],
    listeners,
    limits: limitsOf(container),
    logPath: await logPath(context, { container: container.name, attempt: action.attempt }),
    onTerm: onTermOf(annotations[GRACE]),
    ...posixOf(pod, container),
  };
}

function onTermOf(text = 'false'): WorkloadSpec['onTerm'] {
  if (text === 'true') return 'grace';
  if (text === 'false') return 'default';
  throw podError('POD_CONFIG_INVALID', `the annotation ${GRACE} is '${text.slice(0, 100)}'; it may be true or false`);
}

/** What the pod grants its modules. */
export function capabilitiesOf({ metadata }: Pod): ReadonlySet<string> {
  return parseCapabilities(metadata?.annotations?.[CAPABILITIES]);
}

/** The identity is shown to the guest and decides nothing outside of it; without one it is that of containers. */
function posixOf(pod: Pod, { securityContext }: Container): Pick<WorkloadSpec, 'posix'> {
  if (!capabilitiesOf(pod).has(POSIX_CAPABILITY)) return {};
  const shared = pod.spec?.securityContext;
  const hostname = pod.spec?.hostname ?? pod.metadata?.name ?? '';
  return {
    posix: {
      uid: securityContext?.runAsUser ?? shared?.runAsUser ?? 0,
      gid: securityContext?.runAsGroup ?? shared?.runAsGroup ?? 0,
      groups: shared?.supplementalGroups ?? [],
      hostname: hostname.slice(0, 63),
    },
  };
}

function services({ pod, dependencies }: EffectContext): Map<string, string> {
  const known = dependencies.services === undefined ? [] : dependencies.services();
  if (known === undefined) {
    throw podError('POD_CONFIG_INVALID', 'services have not yet been read at least once, cannot construct envvars');
  }
  const namespace = pod.metadata?.namespace ?? '';
  const { apiAddress } = dependencies;
  return serviceVariables(known, { namespace, enableServiceLinks: pod.spec?.enableServiceLinks ?? true, apiAddress });
}

async function objectsOf({ pod, objects }: EffectContext, container: Container): Promise<NamedObjects> {
  const wanted = referencesOf(container);
  const namespace = pod.metadata?.namespace ?? '';
  return {
    configMaps: await byName(wanted.configMaps, (name) => objects.configMap(namespace, name)),
    secrets: await byName(wanted.secrets, (name) => objects.secret(namespace, name)),
  };
}

async function byName<T>(
  names: ReadonlySet<string>,
  get: (name: string) => Promise<T>,
): Promise<Map<string, T | undefined>> {
  const found = new Map<string, T | undefined>();
  for (const name of names) {
    try {
      found.set(name, await get(name));
    } catch (error) {
      if (!isNotFound(error)) throw podError('POD_CONFIG_INVALID', `cannot read "${name}"`, { cause: error });
      found.set(name, undefined);
    }
  }
  return found;
}

/** A file of its own for each container, unless the container mounts over it. */
async function terminationLog(
  { places }: EffectContext,
  container: Container,
  mounts: readonly Mount[],
): Promise<Mount[]> {
  const guestPath = container.terminationMessagePath || DEFAULT_TERMINATION_LOG;
  if (!guestPath.startsWith('/') || guestPath.includes('\0') || mounts.some((mount) => mount.guestPath === guestPath))
    return [];
  const hostPath = terminationFile(places.container(container.name));
  const tree = await treeOf(places);
  tree.makeFolder(dirname(hostPath));
  tree.writeFile(hostPath, { content: '', mode: 0o666 });
  return [{ guestPath, hostPath, readOnly: false }];
}

export function terminationFile(folder: string): string {
  return join(folder, 'termination-log');
}

async function logPath(
  context: EffectContext,
  { container, attempt }: { container: string; attempt: number },
): Promise<string> {
  const { places } = context;
  const path = places.log(container, attempt);
  (await treeOf(places)).makeFolder(dirname(path));
  await link(places.logsLink, places.logs);
  const { namespace = '', name = '' } = context.pod.metadata ?? {};
  const id = idOf(context, container, attempt);
  await systemLinksFor(context.dependencies.dataDir)?.add({ id, namespace, pod: name, path, folder: places.logs });
  return path;
}

export function limitsOf({ resources }: Container): Limits {
  const { memory, cpu } = resources?.limits ?? {};
  // None is the least share, as the kernel has it.
  const request = resources?.requests?.['cpu'] ?? cpu ?? '0';
  return {
    memoryBytes: memory === undefined ? undefined : wholeValueOf(parseQuantity(memory)),
    cpuMillis: cpu === undefined ? undefined : milliValueOf(parseQuantity(cpu)),
    // Source: kubelet cm/helpers_linux.go MilliCPUToShares.
    cpuShares: Math.max(2, Math.floor((milliValueOf(parseQuantity(request)) * 1024) / 1000)),
  };
}
