/**
 * Which names the node shows: labels, taints, annotations, operating system and architecture. Pure.
 *
 * `krustlet` is the default: pods that were written for Krustlet keep working, and DaemonSets that select
 * `kubernetes.io/os: linux` (kube-proxy, network plugins), which no WebAssembly node can run, stay away.
 * `conformance` shows the machine's own, as a kubelet does. See docs/decisions/0009-node-identity.md.
 */
import type { Node as NodeObject, Taint } from '#kube/types';
import type { Arch, NodeOptions, Profile } from '../contract.ts';

export interface Identity {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** As in `status.nodeInfo`. */
  readonly operatingSystem: string;
  readonly architecture: string;
}

type Choice = Pick<NodeOptions, 'name' | 'profile' | 'arch' | 'labels' | 'taints' | 'hostname'>;

const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export function identityOf(options: Choice, machineArch: string = process.arch): Identity {
  const { name, profile = 'krustlet', arch = 'wasm32-wasi', hostname = name } = options;
  const own = profile === 'krustlet' ? krustlet(arch) : conformance(GO_ARCH[machineArch] ?? machineArch);
  return {
    ...own,
    labels: { 'kubernetes.io/hostname': hostname, ...own.labels, ...options.labels },
    annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true', ...own.annotations },
    taints: options.taints ?? own.taints,
  };
}

/** Source: Krustlet 1.0 alpha, `crates/kubelet/src/node/mod.rs`. */
function krustlet(arch: Arch): Identity {
  return {
    labels: { ...platformLabels(arch, arch), type: 'krustlet' },
    annotations: { 'node.alpha.kubernetes.io/ttl': '0' },
    taints: archTaints(arch),
    operatingSystem: 'linux',
    architecture: 'wasm-wasi',
  };
}

function conformance(arch: string): Identity {
  return {
    labels: platformLabels('linux', arch),
    annotations: {},
    taints: [],
    operatingSystem: 'linux',
    architecture: arch,
  };
}

/** Both must be tolerated: NoSchedule keeps pods away, NoExecute removes those that came before the taint. */
export function archTaints(arch: Arch): Taint[] {
  return (['NoSchedule', 'NoExecute'] as const).map((effect) => ({ key: 'kubernetes.io/arch', value: arch, effect }));
}

function platformLabels(os: string, arch: string): Record<string, string> {
  return {
    'kubernetes.io/os': os,
    'kubernetes.io/arch': arch,
    'beta.kubernetes.io/os': os,
    'beta.kubernetes.io/arch': arch,
  };
}

/** The object that registers the node; status is filled in by the caller. */
export function nodeObjectOf(name: string, identity: Identity): NodeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { ...identity.labels }, annotations: { ...identity.annotations } },
    ...(identity.taints.length === 0 ? {} : { spec: { taints: [...identity.taints] } }),
  };
}

/**
 * What an existing Node needs to be ours: a merge patch, or nothing. Taints are left alone: a node may not change them
 * (NodeRestriction), and an administrator may have. Labels of others stay; only those that the node sets itself follow.
 */
export function adoptionPatch(existing: NodeObject, identity: Identity): object | undefined {
  const labels = differing(existing.metadata?.labels, identity.labels);
  const annotations = differing(existing.metadata?.annotations, identity.annotations);
  if (labels === undefined && annotations === undefined) return undefined;
  return {
    metadata: { ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) },
  };
}

function differing(
  have: Readonly<Record<string, string>> | undefined,
  want: Readonly<Record<string, string>>,
): Record<string, string> | undefined {
  const entries = Object.entries(want).filter(([key, value]) => have?.[key] !== value);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** `key=value:Effect`, `key:Effect`, comma separated, as `--register-with-taints` of the kubelet. Undefined: not one. */
export function parseTaints(text: string): Taint[] | undefined {
  const taints: Taint[] = [];
  for (const part of text.split(',').filter((word) => word !== '')) {
    const match = /^([\w./-]+)(?:=([\w.-]*))?:(\w+)$/.exec(part);
    const [, key = '', value, effect = ''] = match ?? [];
    if (match === null || !EFFECTS.includes(effect)) return undefined;
    taints.push({ key, ...(value === undefined || value === '' ? {} : { value }), effect });
  }
  return taints;
}

/** The name of the profile and architecture that a word on the command line means. */
export function isArch(word: string): word is Arch {
  return word === 'wasm32-wasi' || word === 'wasm32-wagi';
}

export function isProfile(word: string): word is Profile {
  return word === 'krustlet' || word === 'conformance';
}
