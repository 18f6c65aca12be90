/** Questions that are answered and not kept: who am I, may I, whose token is this. Source: `pkg/registry/{authentication,authorization}`. */
import type { ResourceAttributes, SubjectAccessReviewSpec, TokenReviewSpec } from '#kube/types';
import { userOfToken } from '../access/authenticate.ts';
import { authorize, authorizePath, type Decision } from '../access/authorize.ts';
import { nodeNameOf, type User } from '../access/user.ts';
import { KINDS, type KindRow } from '../kinds.ts';
import { type Api, nowOf } from '../rest/api.ts';
import { badRequest, invalid } from '../status.ts';
import type { ApiObject } from '../surface.ts';

interface Question {
  readonly kind: KindRow;
  readonly namespace: string;
  readonly object: ApiObject;
  readonly user: User;
}

type Answerer = (api: Api, question: Question) => object;

const ANSWERERS: Readonly<Record<string, Answerer>> = {
  SelfSubjectReview: (_api, { user }) => ({ userInfo: infoOf(user) }),
  TokenReview: reviewToken,
  SelfSubjectAccessReview: (api, { object, user, kind }) =>
    statusOf(reviewAccess(api, { kind, spec: specOf(object), user })),
  SubjectAccessReview: (api, { object, kind }) =>
    statusOf(reviewAccess(api, { kind, spec: specOf(object), user: subjectOf(specOf(object), kind) })),
  LocalSubjectAccessReview: reviewLocal,
  SelfSubjectRulesReview: (_api, { user }) => rulesOf(user),
};

export function answerReview(api: Api, question: Question): ApiObject {
  const { kind, object } = question;
  const answer = ANSWERERS[kind.kind];
  if (answer === undefined) throw badRequest(`${kind.kind} is not a review`);
  const { metadata, ...rest } = object;
  const spec = rest['spec'];
  return {
    kind: kind.kind,
    apiVersion: `${kind.group}/${kind.version}`,
    metadata: { ...metadata, creationTimestamp: nowOf(api) },
    ...(spec === undefined ? {} : { spec }),
    status: answer(api, question),
  };
}

function specOf(object: ApiObject): SubjectAccessReviewSpec {
  return (object['spec'] ?? {}) as SubjectAccessReviewSpec;
}

function infoOf({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid === undefined ? {} : { uid }), groups, ...(extra === undefined ? {} : { extra }) };
}

function reviewToken(api: Api, { object }: Question): object {
  const spec = (object['spec'] ?? {}) as TokenReviewSpec;
  if ((spec.token ?? '') === '') throw badRequest('token is required for TokenReview in authentication');
  const found = userOfToken(api, spec.token ?? '', spec.audiences ?? []);
  if (found === undefined) return { user: {}, error: '[invalid bearer token, token lookup failed]' };
  return { authenticated: true, user: infoOf(found.user), audiences: found.audiences };
}

function subjectOf(spec: SubjectAccessReviewSpec, kind: KindRow): User {
  if ((spec.user ?? '') === '' && (spec.groups ?? []).length === 0) {
    const message = `Invalid value: "": at least one of user or group must be specified`;
    throw invalid(kind, '', [{ field: 'spec.user', reason: 'FieldValueInvalid', message }]);
  }
  return { name: spec.user ?? '', groups: spec.groups ?? [], ...(spec.uid === undefined ? {} : { uid: spec.uid }) };
}

interface Access {
  readonly kind: KindRow;
  readonly spec: SubjectAccessReviewSpec;
  readonly user: User;
}

function reviewAccess(api: Api, { kind, spec, user }: Access): Decision {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if ((resource === undefined) === (path === undefined)) {
    const message = 'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified';
    throw invalid(kind, '', [{ field: 'spec.resourceAttributes', reason: 'FieldValueInvalid', message }]);
  }
  if (path !== undefined) return authorizePath(user, { verb: path.verb ?? '', path: path.path ?? '' });
  return authorize(api, user, attributesOf(resource ?? {}));
}

function attributesOf({
  verb = '',
  group = '',
  resource = '',
  subresource = '',
  namespace = '',
  name = '',
  fieldSelector,
}: ResourceAttributes) {
  const fields = (fieldSelector?.requirements ?? [])
    .filter(({ operator, values }) => operator === 'In' && values?.length === 1)
    .map(({ key, values }) => ({ field: key, equal: true, value: values?.[0] ?? '' }));
  return { verb, group, resource, subresource, namespace, name, fields };
}

function reviewLocal(api: Api, { object, kind, namespace }: Question): object {
  const spec = specOf(object);
  if (spec.resourceAttributes?.namespace !== namespace) {
    throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  }
  return statusOf(reviewAccess(api, { kind, spec, user: subjectOf(spec, kind) }));
}

function statusOf({ allowed, reason }: Decision): object {
  return { allowed, ...(reason === '' ? {} : { reason }) };
}

/** What is said is true; for a node more may be allowed, by what its pods name. */
function rulesOf(user: User): object {
  const all = user.groups.includes('system:masters');
  const self = KINDS.filter(({ kind }) => kind.startsWith('SelfSubject'));
  const selfRules = self.map(({ group, plural }) => ({ verbs: ['create'], apiGroups: [group], resources: [plural] }));
  const everything = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
  const paths = [
    '/api',
    '/api/*',
    '/apis',
    '/apis/*',
    '/healthz',
    '/livez',
    '/openapi',
    '/openapi/*',
    '/readyz',
    '/version',
    '/version/',
  ];
  return {
    resourceRules: all ? [...everything, ...selfRules] : selfRules,
    nonResourceRules: [
      ...(all ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : []),
      { verbs: ['get'], nonResourceURLs: paths },
    ],
    incomplete: nodeNameOf(user) !== undefined,
    ...(nodeNameOf(user) === undefined
      ? {}
      : { evaluationError: 'node authorizer does not support user rule resolution' }),
  };
}
