/** What a node may write about itself and its pods, beyond which verbs it has. Source: `plugin/pkg/admission/noderestriction/admission.go`. */
import { isDeepStrictEqual } from 'node:util';
import type { CertificateSigningRequestSpec, PodSpec } from '#kube/types';
import { nodeNameOf, type User } from '../access/user.ts';
import type { KindRow } from '../kinds.ts';
import type { Api } from '../rest/api.ts';
import { forbidden } from '../status.ts';
import type { ApiObject } from '../surface.ts';
import type { Update } from './mod.ts';

const KUBELET_LABELS = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
const KUBELET_PREFIXES = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

interface NodeWrite {
  readonly kind: KindRow;
  readonly object: ApiObject;
  readonly user: User;
}

export function restrictNodeCreate(_api: Api, { kind, object, user }: NodeWrite): void {
  const node = nodeNameOf(user) ?? '';
  const name = object.metadata.name ?? '';
  if (kind.storage === 'nodes') {
    if (name !== node) refuse(kind, name, `node ${q(node)} is not allowed to modify node ${q(name)}`);
    mustBeAllowedLabels(kind, { node, name, changed: Object.keys(object.metadata.labels ?? {}) });
    if ((object.metadata.ownerReferences ?? []).length > 0)
      refuse(kind, name, `node ${q(node)} cannot set ownerReferences`);
  }
  if (kind.storage === 'pods') mustBeMirror(kind, { object, node });
  if (kind.plural === 'leases') mustBeOwnLease(kind, { object, node });
  if (kind.plural === 'certificatesigningrequests') mustBeOwnRequest(kind, { object, node });
}

export function restrictNodeUpdate(_api: Api, { kind, subresource, object, old, user }: Update): void {
  const node = nodeNameOf(user) ?? '';
  const name = object.metadata.name ?? '';
  if (kind.plural === 'leases') mustBeOwnLease(kind, { object, node });
  if (kind.storage === 'pods') {
    const bound = (old['spec'] as PodSpec | undefined)?.nodeName;
    if (subresource?.name !== 'status') refuse(kind, name, `node ${q(node)} can only update pod status`);
    if (bound !== node)
      refuse(kind, name, `node ${q(node)} can only update pod status for pods with spec.nodeName set to itself`);
    if (!isDeepStrictEqual(object.metadata.labels ?? {}, old.metadata.labels ?? {})) {
      refuse(kind, name, `node ${q(node)} cannot update labels through pod status`);
    }
  }
  if (kind.storage === 'nodes') {
    if (name !== node) refuse(kind, name, `node ${q(node)} is not allowed to modify node ${q(name)}`);
    const taints = (value: ApiObject) => (value['spec'] as { taints?: unknown } | undefined)?.taints ?? [];
    if (!isDeepStrictEqual(taints(object), taints(old)))
      refuse(kind, name, `node ${q(node)} is not allowed to modify taints`);
    const owners = (value: ApiObject) => value.metadata.ownerReferences ?? [];
    if (!isDeepStrictEqual(owners(object), owners(old)))
      refuse(kind, name, `node ${q(node)} is not allowed to modify ownerReferences`);
    mustBeAllowedLabels(kind, { node, name, changed: changedLabels(object, old) });
  }
}

function changedLabels(object: ApiObject, old: ApiObject): string[] {
  const now = object.metadata.labels ?? {};
  const before = old.metadata.labels ?? {};
  return [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((key) => now[key] !== before[key]);
}

function mustBeAllowedLabels(
  kind: KindRow,
  { node, name, changed }: { node: string; name: string; changed: string[] },
): void {
  const wrong = changed.filter((key) => !mayLabel(key)).sort();
  if (wrong.length > 0) refuse(kind, name, `node ${q(node)} is not allowed to modify labels: ${wrong.join(', ')}`);
}

function mayLabel(key: string): boolean {
  const [prefix = '', rest] = key.split('/');
  if (rest === undefined || !/(^|\.)(kubernetes|k8s)\.io$/.test(prefix)) return true;
  if (KUBELET_LABELS.has(key)) return true;
  return KUBELET_PREFIXES.some((allowed) => prefix === allowed || prefix.endsWith(`.${allowed}`));
}

function mustBeMirror(kind: KindRow, { object, node }: { object: ApiObject; node: string }): void {
  const name = object.metadata.name ?? '';
  const mirror = object.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
  if (!mirror)
    refuse(
      kind,
      name,
      `pod does not have "kubernetes.io/config.mirror" annotation, node ${q(node)} can only create mirror pods`,
    );
  const bound = (object['spec'] as PodSpec | undefined)?.nodeName;
  if (bound !== node) refuse(kind, name, `node ${q(node)} can only create pods with spec.nodeName set to itself`);
  const owners = object.metadata.ownerReferences ?? [];
  const [owner] = owners;
  if (owners.length !== 1 || owner?.kind !== 'Node' || owner.name !== node || owner.controller !== true) {
    refuse(kind, name, `node ${q(node)} can only create pods with an owner reference set to itself`);
  }
}

function mustBeOwnLease(kind: KindRow, { object, node }: { object: ApiObject; node: string }): void {
  const { name = '', namespace } = object.metadata;
  if (namespace !== 'kube-node-lease')
    refuse(kind, name, `can only access leases in the "kube-node-lease" system namespace`);
  if (name !== node) refuse(kind, name, `can only access node lease with the same name as the requesting node`);
}

/** The subject itself is read before signing, see controllers/certificates.ts. */
function mustBeOwnRequest(kind: KindRow, { object, node }: { object: ApiObject; node: string }): void {
  const spec = object['spec'] as CertificateSigningRequestSpec;
  const signers = ['kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving'];
  if (!signers.includes(spec.signerName))
    refuse(kind, object.metadata.name ?? '', `node ${q(node)} may not ask this signer`);
}

function refuse(kind: KindRow, name: string, why: string): never {
  throw forbidden(kind, name, why);
}

function q(text: string): string {
  return JSON.stringify(text);
}
