/** The status of the Node object as this node sees it, and the patch that writes it. Pure. */
import { formatQuantity, quantityOf } from '#kube';
import type { ContainerImage, NodeCondition, NodeStatus } from '#kube/types';
import type { Identity } from '../registration/profile.ts';
import type { MachineInfo, MachineLoad } from './machine.ts';

export interface StatusInput {
  readonly identity: Pick<Identity, 'operatingSystem' | 'architecture'>;
  readonly info: MachineInfo;
  readonly load: MachineLoad;
  readonly conditions: readonly NodeCondition[];
  readonly images: readonly ContainerImage[];
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
  readonly maxPods: number;
  /** wasmlet's own. */
  readonly version: string;
}

/** The Kubernetes release whose node contract this node keeps. Its own version stands behind the plus. */
export const KUBERNETES_VERSION = 'v1.35.4';

/** Kept free for the machine itself: the kubelet's hard eviction threshold of memory. */
const RESERVED_MEMORY = 100 * 1024 * 1024;
/** Source: kubelet `nodeStatusMaxImages`. */
const MAX_IMAGES = 50;

/** The kubelet's default, and the least here. */
const LEAST_PODS = 110;
/** Mappings of one process (vm.max_map_count) end before this many guests of one namespace do. */
const MOST_PODS = 12_000;
/** What a pod is reckoned at where nobody says how many may come: itself, and as much linear memory as small guests touch. */
const POD_BYTES = 2 * 1024 * 1024;

/** How many pods a machine takes by default: one for each 2 MiB of its memory, from 110 to 12,000. */
export function podsFor({ memoryBytes }: Pick<MachineInfo, 'memoryBytes'>): number {
  return Math.min(MOST_PODS, Math.max(LEAST_PODS, Math.floor(memoryBytes / POD_BYTES)));
}

/** Names of the RuntimeClass handlers; see docs/names.md. */
export const RUNTIME_HANDLERS = ['wasmlet', 'wasmlet-isolated', 'wasmlet-batch'] as const;

export function nodeStatusOf(input: StatusInput): NodeStatus {
  const { identity, info, load, conditions, images, address, hostname, port, maxPods, version } = input;
  const shared = {
    cpu: String(info.cores),
    'ephemeral-storage': formatBytes(load.diskTotal),
    pods: String(maxPods),
  };
  return {
    addresses: [
      { type: 'InternalIP', address },
      { type: 'Hostname', address: hostname },
    ],
    capacity: { ...shared, memory: formatBytes(info.memoryBytes) },
    allocatable: { ...shared, memory: formatBytes(Math.max(0, info.memoryBytes - RESERVED_MEMORY)) },
    conditions: [...conditions],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    images: images.slice(0, MAX_IMAGES),
    nodeInfo: {
      machineID: info.machineID,
      systemUUID: info.systemUUID,
      bootID: info.bootID,
      kernelVersion: info.kernelVersion,
      osImage: info.osImage,
      containerRuntimeVersion: `wasmlet://${version}`,
      kubeletVersion: `${KUBERNETES_VERSION}+wasmlet.${version}`,
      kubeProxyVersion: '',
      operatingSystem: identity.operatingSystem,
      architecture: identity.architecture,
    },
    runtimeHandlers: ['', ...RUNTIME_HANDLERS].map((name) => ({
      name,
      features: { recursiveReadOnlyMounts: false, userNamespaces: false },
    })),
  };
}

/** Problems that a status shows by itself: all four resources are needed for Ready. */
export function problemsOf(info: MachineInfo, load: MachineLoad): string[] {
  const missing = [
    ...(info.cores > 0 ? [] : ['CPU']),
    ...(info.memoryBytes > 0 ? [] : ['memory']),
    ...(load.diskTotal > 0 ? [] : ['ephemeral-storage']),
  ];
  return missing.length === 0 ? [] : [`missing node capacity for resources: ${missing.join(', ')}`];
}

/**
 * A strategic merge patch of the whole of what is ours: conditions merge by type, so that those of others stay;
 * resources merge by name, so that extended resources stay. The order puts Ready last.
 */
export function statusPatch(status: NodeStatus): object {
  const order = (status.conditions ?? []).map(({ type }) => ({ type }));
  return { status: { ...status, '$setElementOrder/conditions': order } };
}

/** Whether two statuses differ in more than the time of the heartbeat. */
export function differs(left: NodeStatus, right: NodeStatus): boolean {
  return comparable(left) !== comparable(right);
}

function comparable(status: NodeStatus): string {
  const conditions = status.conditions?.map(({ lastHeartbeatTime: _, ...rest }) => rest);
  return JSON.stringify({ ...status, conditions });
}

function formatBytes(bytes: number): string {
  return formatQuantity(quantityOf(BigInt(Math.floor(bytes / 1024) * 1024), 'BinarySI'));
}
