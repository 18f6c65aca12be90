/** TokenRequest. Source: `pkg/registry/core/serviceaccount/storage/token.go`; the node's part `plugin/pkg/admission/noderestriction`. */
import { toTime } from '#kube';
import type { AuthenticationTokenRequest, PodSpec } from '#kube/types';
import { nodeNameOf, type User } from '../access/user.ts';
import { type Api, NODES, type ObjectAddress, PODS, placeOf, SECRETS } from '../rest/api.ts';
import { conflict, forbidden, invalid, notFound } from '../status.ts';
import type { ApiObject } from '../surface.ts';
import { ISSUER, type ObjectIdentity, type TokenFacts } from '../tokens/authority.ts';

const SHORTEST = 600;
const LONGEST = 2 ** 32;
/** What is not asked for, but may be granted at most: a day. */
const GRANTED = 86_400;
const KIND = { group: 'authentication.k8s.io', kind: 'TokenRequest' };

export function requestToken(
  api: Api,
  address: ObjectAddress,
  { object, user }: { object: ApiObject; user: User },
): ApiObject {
  const entry = api.store.get(placeOf(address));
  if (entry === undefined) throw notFound(address.kind, address.name);
  const { spec } = object as unknown as AuthenticationTokenRequest;
  const seconds = spec?.expirationSeconds ?? 3600;
  if (seconds < SHORTEST || seconds > LONGEST) {
    const message = `Invalid value: ${seconds}: may not specify a duration less than 10 minutes`;
    throw invalid(KIND, '', [{ field: 'spec.expirationSeconds', reason: 'FieldValueInvalid', message }]);
  }
  const audiences = (spec?.audiences ?? []).length === 0 ? [ISSUER] : spec.audiences;
  const bound = boundTo(api, address, spec?.boundObjectRef);
  const node = nodeNameOf(user);
  if (node !== undefined) mustBeForOwnPod(api, address, { node, bound, audiences, entry });
  const expires = Math.floor(api.clock.now() / 1000) + Math.min(seconds, GRANTED);
  const account = { name: address.name, uid: entry.value.metadata.uid ?? '' };
  const facts: TokenFacts = { namespace: address.namespace, account, ...bound, audiences, expires };
  const status = { token: api.authority.sign(facts, api.clock.now()), expirationTimestamp: toTime(expires * 1000) };
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: address.name, namespace: address.namespace, creationTimestamp: toTime(api.clock.now()) },
    spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: spec?.boundObjectRef ?? null },
    status,
  };
}

interface Bound {
  readonly pod?: ObjectIdentity;
  readonly secret?: ObjectIdentity;
  readonly node?: { readonly name: string; readonly uid?: string | undefined };
}

function boundTo(
  api: Api,
  { namespace }: ObjectAddress,
  ref: AuthenticationTokenRequest['spec']['boundObjectRef'],
): Bound {
  if (ref === undefined || ref === null) return {};
  const kinds = { Pod: PODS, Secret: SECRETS, Node: NODES } as const;
  const kind = kinds[ref.kind as keyof typeof kinds];
  if (kind === undefined) {
    const message = `Invalid value: ${JSON.stringify(ref.kind)}: cannot bind token to object of type ${ref.kind}`;
    throw invalid(KIND, '', [{ field: 'spec.boundObjectRef.kind', reason: 'FieldValueInvalid', message }]);
  }
  const name = ref.name ?? '';
  const entry = api.store.get(placeOf({ kind, namespace, name }));
  if (entry === undefined) throw notFound(kind, name);
  const uid = entry.value.metadata.uid ?? '';
  if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== uid) {
    const why = `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict(kind, name, why);
  }
  if (kind === NODES) return { node: { name, uid } };
  if (kind === SECRETS) return { secret: { name, uid } };
  const nodeName = (entry.value['spec'] as PodSpec).nodeName;
  if (nodeName === undefined) return { pod: { name, uid } };
  const nodeUid = api.store.get(placeOf({ kind: NODES, namespace: '', name: nodeName }))?.value.metadata.uid;
  return { pod: { name, uid }, node: { name: nodeName, ...(nodeUid === undefined ? {} : { uid: nodeUid }) } };
}

interface NodeAsk {
  readonly node: string;
  readonly bound: Bound;
  readonly audiences: readonly string[];
  readonly entry: { readonly name: string };
}

function mustBeForOwnPod(api: Api, address: ObjectAddress, { node, bound, audiences }: NodeAsk): void {
  const refuse = (why: string) => forbidden(address.kind, address.name, why);
  if (bound.pod === undefined) throw refuse(`node requested token not bound to a pod`);
  const pod = api.store.get(placeOf({ kind: PODS, namespace: address.namespace, name: bound.pod.name }))?.value;
  const spec = pod?.['spec'] as PodSpec | undefined;
  if (spec?.nodeName !== node) throw refuse(`node requested token bound to a pod scheduled on a different node`);
  if (spec.serviceAccountName !== address.name)
    throw refuse('node requested token for another service account than the pod uses');
  const asked = audiences.length === 1 ? audiences[0] : undefined;
  const own = (spec.volumes ?? [])
    .flatMap(({ projected }) => projected?.sources ?? [])
    .flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []);
  const known = new Set(own.map(({ audience }) => audience ?? ISSUER));
  if (asked === undefined || !known.has(asked))
    throw refuse(
      `audience ${JSON.stringify(asked ?? '')} not found in pod spec volume, ${JSON.stringify(address.name)} is not authorized to request tokens for this audience`,
    );
}
