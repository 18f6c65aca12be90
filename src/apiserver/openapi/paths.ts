/**
 * The paths of a kind with their operations. kubectl reads from these which kinds take `dryRun` and `fieldValidation`, and
 * finds a kind's schema by `x-kubernetes-group-version-kind`. Source: `api/openapi-spec` of Kubernetes.
 */
import { apiVersionOf, type KindRow, type PatchFlavour, type Subresource, type Verb } from '../kinds.ts';
import { type Dialect, referenceTo, type Schema } from './schemas.ts';

export const PATCH_TYPES: Readonly<Record<PatchFlavour, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

export const SHARED_SCHEMAS = [`${META}Patch`, `${META}Status`, `${META}DeleteOptions`, `${META}WatchEvent`];

type Parameter = readonly [name: string, type: 'string' | 'boolean' | 'integer', description: string];

const DRY_RUN: Parameter = [
  'dryRun',
  'string',
  'When present, indicates that modifications should not be persisted. Valid values are: - All: all dry run stages will be processed',
];
const MANAGER: Parameter = [
  'fieldManager',
  'string',
  'A name associated with the actor or entity that is making these changes. Required for apply requests.',
];
const VALIDATION: Parameter = [
  'fieldValidation',
  'string',
  'How to handle objects that contain unknown or duplicate fields: Ignore, Warn (the default) or Strict.',
];
const FORCE: Parameter = ['force', 'boolean', 'Take over fields that other managers own. Only for apply requests.'];
const GRACE: Parameter = [
  'gracePeriodSeconds',
  'integer',
  'The duration in seconds before the object should be deleted.',
];
const PROPAGATION: Parameter = [
  'propagationPolicy',
  'string',
  'Whether and how garbage collection will be performed: Orphan, Background or Foreground.',
];
const LIST: readonly Parameter[] = [
  ['allowWatchBookmarks', 'boolean', 'Requests watch events with type "BOOKMARK".'],
  ['continue', 'string', 'The token of the next page.'],
  ['fieldSelector', 'string', 'Restricts the list of returned objects by their fields.'],
  ['labelSelector', 'string', 'Restricts the list of returned objects by their labels.'],
  ['limit', 'integer', 'The maximum number of objects of one answer.'],
  ['resourceVersion', 'string', 'The version that the answer may be served from.'],
  ['resourceVersionMatch', 'string', 'How resourceVersion is applied: Exact or NotOlderThan.'],
  ['sendInitialEvents', 'boolean', 'A watch begins with the objects that are there.'],
  ['timeoutSeconds', 'integer', 'Limits the duration of the call.'],
  ['watch', 'boolean', 'Watch for changes instead of listing.'],
];

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly action: string;
  readonly parameters: readonly Parameter[];
  readonly sends?: 'object' | 'patch' | 'options';
  readonly answers: 'object' | 'list' | 'status';
}

const OPERATIONS: Readonly<Partial<Record<Verb, Operation>>> = {
  list: { method: 'get', action: 'list', parameters: LIST, answers: 'list' },
  create: {
    method: 'post',
    action: 'post',
    parameters: [DRY_RUN, MANAGER, VALIDATION],
    sends: 'object',
    answers: 'object',
  },
  deletecollection: {
    method: 'delete',
    action: 'deletecollection',
    parameters: [...LIST.slice(1, 7), DRY_RUN, GRACE, PROPAGATION],
    sends: 'options',
    answers: 'status',
  },
  get: { method: 'get', action: 'get', parameters: [], answers: 'object' },
  update: {
    method: 'put',
    action: 'put',
    parameters: [DRY_RUN, MANAGER, VALIDATION],
    sends: 'object',
    answers: 'object',
  },
  patch: {
    method: 'patch',
    action: 'patch',
    parameters: [DRY_RUN, MANAGER, VALIDATION, FORCE],
    sends: 'patch',
    answers: 'object',
  },
  delete: {
    method: 'delete',
    action: 'delete',
    parameters: [DRY_RUN, GRACE, PROPAGATION],
    sends: 'options',
    answers: 'status',
  },
};

const COLLECTION: readonly Verb[] = ['list', 'create', 'deletecollection'];
const SINGLE: readonly Verb[] = ['get', 'update', 'patch', 'delete'];

export function pathsOf(kind: KindRow, dialect: Dialect): Record<string, Schema> {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const base = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`;
  const paths: Record<string, Schema> = {
    [base]: item(kind, { verbs: pick(kind.verbs, COLLECTION), named: false, dialect }),
  };
  const single = pick(kind.verbs, SINGLE);
  if (single.length > 0) paths[`${base}/{name}`] = item(kind, { verbs: single, named: true, dialect });
  for (const subresource of kind.subresources) {
    paths[`${base}/{name}/${subresource.name}`] = item(kind, {
      verbs: subresource.verbs,
      named: true,
      subresource,
      dialect,
    });
  }
  if (kind.namespaced && kind.verbs.includes('list')) {
    paths[`${root}/${kind.plural}`] = item({ ...kind, namespaced: false }, { verbs: ['list'], named: false, dialect });
  }
  return paths;
}

function pick(verbs: readonly Verb[], from: readonly Verb[]): Verb[] {
  return from.filter((verb) => verbs.includes(verb));
}

interface Item {
  readonly verbs: readonly Verb[];
  readonly named: boolean;
  readonly subresource?: Subresource;
  readonly dialect: Dialect;
}

function item(kind: KindRow, { verbs, named, subresource, dialect }: Item): Schema {
  const operations = verbs.flatMap((verb) => {
    const operation = OPERATIONS[verb];
    return operation === undefined
      ? []
      : [[operation.method, operationOf(kind, { verb, operation, subresource, dialect })] as const];
  });
  const place = [
    ...(named ? [`name of the ${kind.kind}`] : []),
    ...(kind.namespaced ? ['object name and auth scope'] : []),
  ];
  const names = [...(named ? ['name'] : []), ...(kind.namespaced ? ['namespace'] : [])];
  const parameters = names.map((name, index) => ({
    name,
    in: 'path',
    description: place[index],
    required: true,
    ...typed('string', dialect),
  }));
  return { ...Object.fromEntries(operations), ...(parameters.length === 0 ? {} : { parameters }) };
}

function typed(type: string, dialect: Dialect): Schema {
  return dialect === 'v3' ? { schema: { type, uniqueItems: true } } : { type, uniqueItems: true };
}

interface Described {
  readonly verb: Verb;
  readonly operation: Operation;
  readonly subresource: Subresource | undefined;
  readonly dialect: Dialect;
}

function operationOf(kind: KindRow, { verb, operation, subresource, dialect }: Described): Schema {
  const { group, version } = { group: subresource?.group ?? kind.group, version: subresource?.version ?? kind.version };
  const schema = subresource?.schema ?? kind.schema;
  const parameters = operation.parameters.map(([name, type, description]) => ({
    name,
    in: 'query',
    description,
    ...typed(type, dialect),
  }));
  const answers = { object: schema, list: `${kind.schema}List`, status: `${META}Status` }[operation.answers];
  return {
    description: `${verb} ${kind.kind}${subresource === undefined ? '' : ` ${subresource.name}`}`,
    operationId: operationId(kind, { verb, subresource }),
    tags: [apiVersionOf(kind).replaceAll('/', '_')],
    parameters: dialect === 'v3' ? parameters : [...parameters, ...bodyParameter(operation, schema)],
    ...(dialect === 'v3' ? bodyV3(kind, operation, schema) : bodyV2(kind, operation)),
    responses: { 200: answer(answers, dialect), 401: { description: 'Unauthorized' } },
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': { group, version, kind: subresource?.kind ?? kind.kind },
  };
}

function operationId(
  kind: KindRow,
  { verb, subresource }: { verb: Verb; subresource: Subresource | undefined },
): string {
  const words = [
    verb,
    kind.group === '' ? 'core' : kind.group,
    kind.version,
    kind.namespaced ? 'namespaced' : '',
    kind.kind,
    subresource?.name ?? '',
  ];
  const parts = words
    .join('.')
    .split(/[.\-/]/)
    .filter((word) => word !== '');
  return parts.map((word, index) => (index === 0 ? word : word[0]?.toUpperCase() + word.slice(1))).join('');
}

function sentSchema({ sends }: Operation, schema: string): string {
  if (sends === 'patch') return `${META}Patch`;
  return sends === 'options' ? `${META}DeleteOptions` : schema;
}

function bodyV3(kind: KindRow, operation: Operation, schema: string): Schema {
  if (operation.sends === undefined) return {};
  const content = { schema: referenceTo(sentSchema(operation, schema), 'v3') };
  const types = operation.sends === 'patch' ? kind.patchTypes.map((type) => PATCH_TYPES[type]) : ['*/*'];
  const body = { content: Object.fromEntries(types.map((type) => [type, content])) };
  return { requestBody: operation.sends === 'options' ? body : { ...body, required: true } };
}

function bodyV2(kind: KindRow, { sends }: Operation): Schema {
  return {
    consumes: sends === 'patch' ? kind.patchTypes.map((type) => PATCH_TYPES[type]) : ['*/*'],
    produces: ['application/json'],
    schemes: ['https'],
  };
}

function bodyParameter(operation: Operation, schema: string): Schema[] {
  if (operation.sends === undefined) return [];
  const required = operation.sends === 'options' ? {} : { required: true };
  return [{ name: 'body', in: 'body', ...required, schema: referenceTo(sentSchema(operation, schema), 'v2') }];
}

function answer(schema: string, dialect: Dialect): Schema {
  const reference = referenceTo(schema, dialect);
  return dialect === 'v3'
    ? { description: 'OK', content: { 'application/json': { schema: reference } } }
    : { description: 'OK', schema: reference };
}
