/**
 * The one table of what the embedded API serves. Routing, discovery, OpenAPI, authorization reviews and docs/api.md are
 * made from it: adding a kind is a row here, plus its hook in `strategy/` where it is more than stored data.
 * Source of names and verbs: Kubernetes 1.35.4, `api/discovery`.
 */
export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';
export type PatchFlavour = 'json' | 'merge' | 'strategic' | 'apply';

export interface Subresource {
  readonly name: string;
  readonly kind: string;
  /** Group and version of the kind where it is not the resource's own. */
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly Verb[];
  /** Schema of what is sent, where it is not the resource's own. */
  readonly schema?: string;
}

export interface KindRow {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  readonly patchTypes: readonly PatchFlavour[];
  /** Name of the definition in `#kube/schema`. */
  readonly schema: string;
  /** Which collection of the store holds it: two API groups may show the same objects. Absent for reviews, which are answered and not kept. */
  readonly storage?: string;
  /** Which spec changes count in metadata.generation; false where the kind has none. */
  readonly generation: boolean;
  /** Who may, besides the administrators, in words for docs/api.md. The rules are in `access/`. */
  readonly who: string;
}

const ALL: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const CHANGE: readonly Verb[] = ['get', 'patch', 'update'];
const CREATE: readonly Verb[] = ['create'];
const PATCHES: readonly PatchFlavour[] = ['json', 'merge', 'strategic', 'apply'];
const ADMIN = 'administrators only';

type Short = Pick<KindRow, 'kind' | 'plural' | 'schema'> & Partial<KindRow>;

function row(given: Short): KindRow {
  const { group = '', version = 'v1', kind, plural } = given;
  return {
    group,
    version,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: ALL,
    subresources: [],
    patchTypes: PATCHES,
    storage: group === '' ? plural : `${group}/${plural}`,
    generation: false,
    who: ADMIN,
    ...given,
  };
}

/** A question: posted, answered, not kept. */
function review({ storage: _, ...given }: Short): KindRow {
  const { storage: __, ...rest } = row({ namespaced: false, verbs: CREATE, patchTypes: [], who: 'everyone', ...given });
  return rest;
}

function status(kind: string): Subresource {
  return { name: 'status', kind, verbs: CHANGE };
}

const POD_SUBRESOURCES: readonly Subresource[] = [
  { name: 'binding', kind: 'Binding', verbs: CREATE, schema: 'io.k8s.api.core.v1.Binding' },
  { name: 'ephemeralcontainers', kind: 'Pod', verbs: CHANGE },
  {
    name: 'eviction',
    kind: 'Eviction',
    group: 'policy',
    version: 'v1',
    verbs: CREATE,
    schema: 'io.k8s.api.policy.v1.Eviction',
  },
  { name: 'log', kind: 'Pod', verbs: ['get'] },
  { name: 'resize', kind: 'Pod', verbs: CHANGE },
  status('Pod'),
];

const CORE: readonly KindRow[] = [
  row({
    kind: 'ConfigMap',
    plural: 'configmaps',
    shortNames: ['cm'],
    schema: 'io.k8s.api.core.v1.ConfigMap',
    who: 'a node: get, list, watch one that a pod of its names',
  }),
  row({
    kind: 'Event',
    plural: 'events',
    shortNames: ['ev'],
    schema: 'io.k8s.api.core.v1.Event',
    storage: 'events',
    who: 'a node: create, patch, update',
  }),
  row({
    kind: 'Namespace',
    plural: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: [{ name: 'finalize', kind: 'Namespace', verbs: ['update'] }, status('Namespace')],
    schema: 'io.k8s.api.core.v1.Namespace',
  }),
  row({
    kind: 'Node',
    plural: 'nodes',
    shortNames: ['no'],
    namespaced: false,
    subresources: [status('Node')],
    schema: 'io.k8s.api.core.v1.Node',
    who: 'a node: its own',
  }),
  row({
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    subresources: POD_SUBRESOURCES,
    generation: true,
    schema: 'io.k8s.api.core.v1.Pod',
    who: 'a node: get, list, watch, delete and status of those bound to it',
  }),
  row({
    kind: 'Secret',
    plural: 'secrets',
    schema: 'io.k8s.api.core.v1.Secret',
    who: 'a node: get, list, watch one that a pod of its names',
  }),
  row({
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    shortNames: ['sa'],
    subresources: [
      {
        name: 'token',
        kind: 'TokenRequest',
        group: 'authentication.k8s.io',
        version: 'v1',
        verbs: CREATE,
        schema: 'io.k8s.api.authentication.v1.TokenRequest',
      },
    ],
    schema: 'io.k8s.api.core.v1.ServiceAccount',
    who: 'a node: get those of its pods, and tokens bound to its pods',
  }),
];

const CERTIFICATES: readonly KindRow[] = [
  row({
    group: 'certificates.k8s.io',
    kind: 'CertificateSigningRequest',
    plural: 'certificatesigningrequests',
    shortNames: ['csr'],
    namespaced: false,
    subresources: [
      { name: 'approval', kind: 'CertificateSigningRequest', verbs: CHANGE },
      status('CertificateSigningRequest'),
    ],
    schema: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
    who: 'a node or a bootstrap token: create, get, list, watch',
  }),
];

const OTHERS: readonly KindRow[] = [
  row({
    group: 'coordination.k8s.io',
    kind: 'Lease',
    plural: 'leases',
    schema: 'io.k8s.api.coordination.v1.Lease',
    who: 'a node: its own in kube-node-lease',
  }),
  row({
    group: 'events.k8s.io',
    kind: 'Event',
    plural: 'events',
    shortNames: ['ev'],
    schema: 'io.k8s.api.events.v1.Event',
    storage: 'events',
    who: 'a node: create, patch, update',
  }),
  row({
    group: 'node.k8s.io',
    kind: 'RuntimeClass',
    plural: 'runtimeclasses',
    namespaced: false,
    schema: 'io.k8s.api.node.v1.RuntimeClass',
    who: 'a node: get, list, watch',
  }),
  row({
    group: 'scheduling.k8s.io',
    kind: 'PriorityClass',
    plural: 'priorityclasses',
    shortNames: ['pc'],
    namespaced: false,
    generation: true,
    schema: 'io.k8s.api.scheduling.v1.PriorityClass',
  }),
];

const AUTHENTICATION = 'authentication.k8s.io';
const AUTHORIZATION = 'authorization.k8s.io';

const REVIEWS: readonly KindRow[] = [
  review({
    group: AUTHENTICATION,
    kind: 'SelfSubjectReview',
    plural: 'selfsubjectreviews',
    schema: 'io.k8s.api.authentication.v1.SelfSubjectReview',
  }),
  review({
    group: AUTHENTICATION,
    kind: 'TokenReview',
    plural: 'tokenreviews',
    schema: 'io.k8s.api.authentication.v1.TokenReview',
    who: 'a node',
  }),
  review({
    group: AUTHORIZATION,
    kind: 'LocalSubjectAccessReview',
    plural: 'localsubjectaccessreviews',
    namespaced: true,
    schema: 'io.k8s.api.authorization.v1.LocalSubjectAccessReview',
    who: 'a node',
  }),
  review({
    group: AUTHORIZATION,
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
    schema: 'io.k8s.api.authorization.v1.SelfSubjectAccessReview',
  }),
  review({
    group: AUTHORIZATION,
    kind: 'SelfSubjectRulesReview',
    plural: 'selfsubjectrulesreviews',
    schema: 'io.k8s.api.authorization.v1.SelfSubjectRulesReview',
  }),
  review({
    group: AUTHORIZATION,
    kind: 'SubjectAccessReview',
    plural: 'subjectaccessreviews',
    schema: 'io.k8s.api.authorization.v1.SubjectAccessReview',
    who: 'a node',
  }),
];

export const KINDS: readonly KindRow[] = [...CORE, ...REVIEWS, ...CERTIFICATES, ...OTHERS];

const BY_PATH = new Map(KINDS.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]));

export function kindByPath(group: string, version: string, plural: string): KindRow | undefined {
  return BY_PATH.get(`${group}/${version}/${plural}`);
}

/** `v1`, `events.k8s.io/v1`. */
export function apiVersionOf({ group, version }: Pick<KindRow, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** How a resource is named in messages: `pods`, `leases.coordination.k8s.io`. */
export function resourceName({ group, plural }: Pick<KindRow, 'group' | 'plural'>): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** How a kind is named in messages of invalid objects: `Pod`, `Lease.coordination.k8s.io`. */
export function qualifiedKind({ group, kind }: Pick<KindRow, 'group' | 'kind'>): string {
  return group === '' ? kind : `${kind}.${group}`;
}
