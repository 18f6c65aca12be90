/**
 * Who may do what. Administrators (`system:masters`) all; a node what the node authorizer allows; a bootstrap token what a signing
 * request needs; everybody who is known discovery and questions about themselves; nobody anything else. Deny by default.
 */
import type { FieldRequirement } from '#kube';
import type { Api } from '../rest/api.ts';
import { nodeMay } from './node-rules.ts';
import { nodeNameOf, type User } from './user.ts';

export interface Attributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** Of list, watch and deletecollection. */
  readonly fields: readonly FieldRequirement[];
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

export const ALLOWED: Decision = { allowed: true, reason: '' };
const NO_OPINION: Decision = { allowed: false, reason: '' };

const SELF_REVIEWS = new Set(['selfsubjectreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews']);
const REVIEW_GROUPS = new Set(['authentication.k8s.io', 'authorization.k8s.io']);

export function authorize(api: Api, user: User, attributes: Attributes): Decision {
  if (user.groups.includes('system:masters')) return ALLOWED;
  const { group, resource, verb } = attributes;
  const known = user.groups.includes('system:authenticated');
  if (known && REVIEW_GROUPS.has(group) && SELF_REVIEWS.has(resource) && verb === 'create') return ALLOWED;
  const node = nodeNameOf(user);
  if (node !== undefined) return nodeMay(api, node, attributes);
  if (
    user.groups.includes('system:bootstrappers') &&
    resource === 'certificatesigningrequests' &&
    attributes.subresource === ''
  ) {
    return ['create', 'get', 'list', 'watch'].includes(verb) ? ALLOWED : NO_OPINION;
  }
  return NO_OPINION;
}

const PUBLIC = ['/healthz', '/livez', '/readyz'];
const DISCOVERY = [
  '/api',
  '/apis',
  '/openapi',
  '/version',
  '/.well-known/openid-configuration',
  '/openid/v1/jwks',
  ...PUBLIC,
];

export function authorizePath(user: User, { verb, path }: { verb: string; path: string }): Decision {
  if (user.groups.includes('system:masters')) return ALLOWED;
  const under = (roots: readonly string[]) => roots.some((root) => path === root || path.startsWith(`${root}/`));
  if (verb !== 'get') return NO_OPINION;
  if (isPublicPath(path)) return ALLOWED;
  return user.groups.includes('system:authenticated') && under(DISCOVERY) ? ALLOWED : NO_OPINION;
}

/** What is answered to anybody. */
export function isPublicPath(path: string): boolean {
  return PUBLIC.some((root) => path === root || path.startsWith(`${root}/`));
}

/** `User "x" cannot list resource "pods" in API group "" in the namespace "default"`. Source: apiserver `pkg/endpoints/handlers/responsewriters/errors.go`. */
export function refusalWords(
  user: User,
  { verb, group, resource, subresource, namespace }: Attributes,
  reason: string,
): string {
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const words = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
  return reason === '' ? words : `${words}: ${reason}`;
}
