import type { Resource } from './client.ts';

function resource(group: string, version: string, plural: string, kind: string, namespaced: boolean): Resource {
  return { group, version, plural, kind, namespaced };
}

export const PODS = resource('', 'v1', 'pods', 'Pod', true);
export const NODES = resource('', 'v1', 'nodes', 'Node', false);
export const NAMESPACES = resource('', 'v1', 'namespaces', 'Namespace', false);
export const EVENTS = resource('', 'v1', 'events', 'Event', true);
export const CONFIG_MAPS = resource('', 'v1', 'configmaps', 'ConfigMap', true);
export const SECRETS = resource('', 'v1', 'secrets', 'Secret', true);
export const SERVICE_ACCOUNTS = resource('', 'v1', 'serviceaccounts', 'ServiceAccount', true);
export const SERVICES = resource('', 'v1', 'services', 'Service', true);
export const LEASES = resource('coordination.k8s.io', 'v1', 'leases', 'Lease', true);
export const RUNTIME_CLASSES = resource('node.k8s.io', 'v1', 'runtimeclasses', 'RuntimeClass', false);
export const CERTIFICATE_SIGNING_REQUESTS = resource(
  'certificates.k8s.io',
  'v1',
  'certificatesigningrequests',
  'CertificateSigningRequest',
  false,
);
export const TOKEN_REVIEWS = resource('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview', false);
export const SUBJECT_ACCESS_REVIEWS = resource(
  'authorization.k8s.io',
  'v1',
  'subjectaccessreviews',
  'SubjectAccessReview',
  false,
);
export const SELF_SUBJECT_ACCESS_REVIEWS = resource(
  'authorization.k8s.io',
  'v1',
  'selfsubjectaccessreviews',
  'SelfSubjectAccessReview',
  false,
);

/** The path of a collection or an object. Names are encoded, so that no name reaches another path. */
export function pathOf(
  { group, version, plural, namespaced }: Resource,
  {
    namespace,
    name,
    subresource,
  }: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined } = {},
): string {
  const parts = group === '' ? ['api', version] : ['apis', group, version];
  if (namespaced && namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(plural);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}
