/** Who a request is from: a client certificate of our CA, or a bearer token. Source: apiserver `pkg/authentication`. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { fromTime } from '#kube';
import type { Secret } from '#kube/types';
import { type Api, NODES, PODS, placeOf, SECRETS, SERVICE_ACCOUNTS } from '../rest/api.ts';
import { ISSUER, type TokenFacts } from '../tokens/authority.ts';
import type { User } from './user.ts';

const AUTHENTICATED = 'system:authenticated';

export interface TokenUser {
  readonly user: User;
  readonly audiences: readonly string[];
}

/** CN is the name, O are the groups. */
export function userOfCertificate({
  commonName,
  organizations,
}: {
  commonName: string;
  organizations: readonly string[];
}): User | undefined {
  if (commonName === '') return undefined;
  return { name: commonName, groups: [...organizations, AUTHENTICATED] };
}

/** Undefined: nobody we know. `audiences`: which of them the token must be for; the API server itself without. */
export function userOfToken(api: Api, token: string, audiences: readonly string[] = [ISSUER]): TokenUser | undefined {
  const wanted = audiences.length === 0 ? [ISSUER] : audiences;
  if (/^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(token)) {
    const user = bootstrapUser(api, token);
    return user === undefined || !wanted.includes(ISSUER) ? undefined : { user, audiences: [ISSUER] };
  }
  const facts = api.authority.read(token, api.clock.now());
  if (facts === undefined || !stillBound(api, facts)) return undefined;
  const meant = facts.audiences.filter((audience) => wanted.includes(audience));
  return meant.length === 0 ? undefined : { user: accountUser(facts), audiences: meant };
}

function accountUser({ namespace, account, pod, node }: TokenFacts): User {
  const podExtra =
    pod === undefined
      ? {}
      : { 'authentication.kubernetes.io/pod-name': [pod.name], 'authentication.kubernetes.io/pod-uid': [pod.uid] };
  const nodeExtra = node === undefined ? {} : { 'authentication.kubernetes.io/node-name': [node.name] };
  return {
    name: `system:serviceaccount:${namespace}:${account.name}`,
    uid: account.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, AUTHENTICATED],
    extra: { ...podExtra, ...nodeExtra },
  };
}

/** The account, and what the token is bound to, are still the ones it was made for. */
function stillBound(api: Api, { namespace, account, pod, secret, node }: TokenFacts): boolean {
  const bound = [
    [SERVICE_ACCOUNTS, account],
    [PODS, pod],
    [SECRETS, secret],
  ] as const;
  for (const [kind, identity] of bound) {
    if (identity === undefined) continue;
    const entry = api.store.get(placeOf({ kind, namespace, name: identity.name }));
    if (entry?.value.metadata.uid !== identity.uid) return false;
  }
  if (pod !== undefined || node?.uid === undefined) return true;
  return api.store.get(placeOf({ kind: NODES, namespace: '', name: node.name }))?.value.metadata.uid === node.uid;
}

/** `id.secret`, kept in a Secret of kube-system. Source: `plugin/pkg/auth/authenticator/token/bootstrap`. */
function bootstrapUser(api: Api, token: string): User | undefined {
  const [id = '', secret = ''] = token.split('.');
  const entry = api.store.get(placeOf({ kind: SECRETS, namespace: 'kube-system', name: `bootstrap-token-${id}` }));
  const kept = entry?.value as unknown as Secret | undefined;
  if (kept?.type !== 'bootstrap.kubernetes.io/token' || entry?.value.metadata.deletionTimestamp !== undefined)
    return undefined;
  const read = (key: string) => Buffer.from(kept.data?.[key] ?? '', 'base64').toString('utf8');
  if (read('token-id') !== id || !sameSecret(read('token-secret'), secret)) return undefined;
  if (read('usage-bootstrap-authentication') !== 'true') return undefined;
  const expiration = read('expiration');
  if (expiration !== '' && (fromTime(expiration) ?? 0) <= api.clock.now()) return undefined;
  const extra = read('auth-extra-groups')
    .split(',')
    .filter((group) => /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(group));
  return { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...extra, AUTHENTICATED] };
}

function sameSecret(left: string, right: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(left), hash(right));
}
