/** What a node may. Source: Kubernetes `plugin/pkg/auth/authorizer/node/node_authorizer.go`, `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go` NodeRules. */
import type { FieldRequirement } from '#kube';
import type { Container, PodSpec } from '#kube/types';
import { type Api, PODS, placeOf } from '../rest/api.ts';
import type { Attributes, Decision } from './authorize.ts';

const YES: Decision = { allowed: true, reason: '' };
const READ = ['get', 'list', 'watch'];
const CHANGE = ['update', 'patch'];

function no(reason: string): Decision {
  return { allowed: false, reason };
}

type Rule = (api: Api, node: string, attributes: Attributes) => Decision;

const RULES: Readonly<Record<string, Rule>> = {
  pods: podRule,
  nodes: nodeRule,
  secrets: referenceRule,
  configmaps: referenceRule,
  serviceaccounts: accountRule,
  events: (_api, _node, { verb }) => verbs(verb, ['create', ...CHANGE]),
  'coordination.k8s.io/leases': leaseRule,
  'certificates.k8s.io/certificatesigningrequests': (_api, _node, { verb, subresource }) =>
    subresource === '' ? verbs(verb, ['create', ...READ]) : no(''),
  'events.k8s.io/events': (_api, _node, { verb }) => verbs(verb, ['create', ...CHANGE]),
  'node.k8s.io/runtimeclasses': (_api, _node, { verb }) => verbs(verb, READ),
  'authentication.k8s.io/tokenreviews': (_api, _node, { verb }) => verbs(verb, ['create']),
  'authorization.k8s.io/subjectaccessreviews': (_api, _node, { verb }) => verbs(verb, ['create']),
  'authorization.k8s.io/localsubjectaccessreviews': (_api, _node, { verb }) => verbs(verb, ['create']),
  services: (_api, _node, { verb }) => verbs(verb, READ),
};

export function nodeMay(api: Api, node: string, attributes: Attributes): Decision {
  const { group, resource } = attributes;
  const rule = RULES[group === '' ? resource : `${group}/${resource}`];
  return rule === undefined ? no('') : rule(api, node, attributes);
}

function verbs(verb: string, allowed: readonly string[]): Decision {
  return allowed.includes(verb) ? YES : no('');
}

function isFor(fields: readonly FieldRequirement[], field: string, value: string): boolean {
  return fields.some((one) => one.field === field && one.equal && one.value === value);
}

function podRule(api: Api, node: string, { verb, subresource, namespace, name, fields }: Attributes): Decision {
  if (subresource === 'status') return CHANGE.includes(verb) ? own() : no('');
  if (subresource === 'eviction') return verb === 'create' ? own() : no('');
  if (subresource !== '') return no('');
  if (verb === 'create') return YES;
  if (verb === 'list' || verb === 'watch') {
    if (isFor(fields, 'spec.nodeName', node)) return YES;
    return no('can only list/watch pods with spec.nodeName field selector');
  }
  return verb === 'get' || verb === 'delete' ? own() : no('');

  /** Whether the pod is bound to this node; one that is gone is told as not found. */
  function own(): Decision {
    const pod = api.store.get(placeOf({ kind: PODS, namespace, name }));
    if (pod === undefined || (pod.value['spec'] as PodSpec | undefined)?.nodeName === node) return YES;
    return no(`no relationship found between node '${node}' and this object`);
  }
}

function nodeRule(_api: Api, node: string, { verb, subresource, name, fields }: Attributes): Decision {
  if (subresource !== '' && subresource !== 'status') return no('');
  if (verb === 'create') return subresource === '' ? YES : no('');
  if (verb === 'list' || verb === 'watch') {
    return isFor(fields, 'metadata.name', node)
      ? YES
      : no(`node '${node}' cannot read all nodes, only its own Node object`);
  }
  if (!['get', ...CHANGE].includes(verb)) return no('');
  return name === node ? YES : no(`node '${node}' cannot ${verb} other nodes, only its own Node object`);
}

function leaseRule(_api: Api, node: string, { verb, namespace, name }: Attributes): Decision {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(verb))
    return no('can only get, create, update, patch, or delete a node lease');
  if (namespace !== 'kube-node-lease') return no('can only access leases in the "kube-node-lease" system namespace');
  return verb === 'create' || name === node
    ? YES
    : no('can only access node lease with the same name as the requesting node');
}

/** One secret or configMap by its name, when a pod of this node names it. */
function referenceRule(
  api: Api,
  node: string,
  { verb, resource, subresource, namespace, name, fields }: Attributes,
): Decision {
  const asked =
    name !== '' ? name : (fields.find(({ field, equal }) => field === 'metadata.name' && equal)?.value ?? '');
  if (!READ.includes(verb) || subresource !== '') return no('can only read resources of this type');
  if (asked === '' || namespace === '') return no('can only read namespaced object of this type');
  for (const spec of podsOn(api, node, namespace)) {
    const names = resource === 'secrets' ? secretsOf(spec) : configMapsOf(spec);
    if (names.has(asked)) return YES;
  }
  return no(`no relationship found between node '${node}' and this object`);
}

function accountRule(api: Api, node: string, { verb, subresource, namespace, name }: Attributes): Decision {
  const right = subresource === 'token' ? verb === 'create' : subresource === '' && verb === 'get';
  if (!right) return no('can only get service accounts and create tokens for individual service accounts');
  for (const spec of podsOn(api, node, namespace)) if (spec.serviceAccountName === name) return YES;
  return no(`no relationship found between node '${node}' and this object`);
}

export function* podsOn(api: Api, node: string, namespace: string): Iterable<PodSpec> {
  for (const { value } of api.store.each('pods', namespace)) {
    const spec = value['spec'] as PodSpec;
    if (spec.nodeName === node) yield spec;
  }
}

function containersOf(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...((spec.ephemeralContainers ?? []) as Container[])];
}

function secretsOf(spec: PodSpec): Set<string | undefined> {
  const names: (string | undefined)[] = (spec.imagePullSecrets ?? []).map(({ name }) => name);
  for (const { env, envFrom } of containersOf(spec)) {
    names.push(
      ...(env ?? []).map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
      ...(envFrom ?? []).map(({ secretRef }) => secretRef?.name),
    );
  }
  for (const { secret, projected } of spec.volumes ?? []) {
    names.push(secret?.secretName, ...(projected?.sources ?? []).map((source) => source.secret?.name));
  }
  return new Set(names);
}

function configMapsOf(spec: PodSpec): Set<string | undefined> {
  const names: (string | undefined)[] = [];
  for (const { env, envFrom } of containersOf(spec)) {
    names.push(
      ...(env ?? []).map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
      ...(envFrom ?? []).map(({ configMapRef }) => configMapRef?.name),
    );
  }
  for (const { configMap, projected } of spec.volumes ?? []) {
    names.push(configMap?.name, ...(projected?.sources ?? []).map((source) => source.configMap?.name));
  }
  return new Set(names);
}
