/**
 * Makes `src/kube/types/*.generated.ts` and `src/kube/schema/schema.generated.json` from the OpenAPI v3
 * documents that Kubernetes publishes in its own Go module (`api/openapi-spec/v3`).
 *
 * Run by hand when the Kubernetes version moves: `node scripts/generate-kube.ts DIR API MACHINERY`: that folder, as
 * `go mod download -json k8s.io/kubernetes@v1.35.4` tells it, and the folders of k8s.io/api and k8s.io/apimachinery.
 * Descriptions, which are most of the bytes, go to a file of their own that only the OpenAPI documents read.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GoField, type GoPackage, readGoPackage } from './go-types.ts';

const DOCUMENTS = [
  'api__v1',
  'apis__coordination.k8s.io__v1',
  'apis__events.k8s.io__v1',
  'apis__authentication.k8s.io__v1',
  'apis__authorization.k8s.io__v1',
  'apis__certificates.k8s.io__v1',
  'apis__node.k8s.io__v1',
  'apis__policy__v1',
  'apis__rbac.authorization.k8s.io__v1',
  'apis__discovery.k8s.io__v1',
  'apis__scheduling.k8s.io__v1',
];

/** Kinds whose closure of referenced definitions is generated. */
const ROOTS = [
  'io.k8s.api.core.v1.{Pod,PodList,Node,NodeList,Namespace,NamespaceList,Event,EventList,ConfigMap,ConfigMapList,Secret,SecretList,ServiceAccount,ServiceAccountList,Service,ServiceList,Endpoints,EndpointsList,Binding,PersistentVolumeClaim}',
  'io.k8s.api.coordination.v1.{Lease,LeaseList}',
  'io.k8s.api.events.v1.{Event,EventList}',
  'io.k8s.api.authentication.v1.{TokenReview,TokenRequest,SelfSubjectReview}',
  'io.k8s.api.authorization.v1.{SubjectAccessReview,SelfSubjectAccessReview,LocalSubjectAccessReview,SelfSubjectRulesReview}',
  'io.k8s.api.certificates.v1.{CertificateSigningRequest,CertificateSigningRequestList}',
  'io.k8s.api.node.v1.{RuntimeClass,RuntimeClassList}',
  'io.k8s.api.policy.v1.{Eviction}',
  'io.k8s.api.rbac.v1.{ClusterRole,ClusterRoleBinding,Role,RoleBinding}',
  'io.k8s.api.discovery.v1.{EndpointSlice,EndpointSliceList}',
  'io.k8s.api.scheduling.v1.{PriorityClass,PriorityClassList}',
  'io.k8s.apimachinery.pkg.apis.meta.v1.{Status,DeleteOptions,APIResourceList,WatchEvent,Patch}',
];

interface Schema {
  type?: string;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  allOf?: Schema[];
  oneOf?: Schema[];
  $ref?: string;
  default?: unknown;
  description?: string;
  [extension: `x-kubernetes-${string}`]: unknown;
}

const REF = '#/components/schemas/';

function load(folder: string): Map<string, Schema> {
  const schemas = new Map<string, Schema>();
  for (const document of DOCUMENTS) {
    const text = readFileSync(join(folder, `${document}_openapi.json`), 'utf8');
    const found = (JSON.parse(text) as { components: { schemas: Record<string, Schema> } }).components.schemas;
    for (const [name, schema] of Object.entries(found)) schemas.set(name, schema);
  }
  return schemas;
}

function roots(): string[] {
  return ROOTS.flatMap((pattern) => {
    const [, prefix = '', names = ''] = /^(.*)\{(.*)\}$/.exec(pattern) ?? [];
    return names.split(',').map((name) => prefix + name);
  });
}

function refOf(schema: Schema): string | undefined {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return ref?.slice(REF.length);
}

function references(schema: Schema): string[] {
  const direct = refOf(schema);
  const inner = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  const nested = inner.filter((child): child is Schema => typeof child === 'object').flatMap(references);
  return direct === undefined ? nested : [direct, ...nested];
}

function closure(schemas: Map<string, Schema>): string[] {
  const seen = new Set<string>();
  const queue = roots();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    const schema = schemas.get(name);
    if (schema === undefined) throw new Error(`Cannot find schema '${name}'`);
    seen.add(name);
    queue.push(...references(schema));
  }
  return [...seen].sort();
}

/** `io.k8s.api.core.v1.Pod` → `Pod`; a name that two groups share keeps its group (`EventsV1Event`). */
function typeName(name: string): string {
  const [kind = name] = name.split('.').slice(-1);
  if (name === 'io.k8s.api.events.v1.Event') return 'EventsV1Event';
  if (name === 'io.k8s.api.events.v1.EventList') return 'EventsV1EventList';
  if (name === 'io.k8s.api.events.v1.EventSeries') return 'EventsV1EventSeries';
  if (name === 'io.k8s.api.rbac.v1.Subject') return 'RbacSubject';
  if (name === 'io.k8s.api.discovery.v1.EndpointPort') return 'DiscoveryEndpointPort';
  if (name === 'io.k8s.api.authentication.v1.TokenRequest') return 'AuthenticationTokenRequest';
  if (name === 'io.k8s.api.node.v1.Scheduling') return 'RuntimeClassScheduling';
  return kind;
}

const SCALARS: Record<string, string> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'string',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'string | number',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'string | number',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'Record<string, unknown>',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': 'Record<string, unknown>',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'Record<string, unknown>',
};

function typeText(schema: Schema): string {
  const ref = refOf(schema);
  if (ref !== undefined) return SCALARS[ref] ?? typeName(ref);
  if (schema.type === 'array') return `${wrap(typeText(schema.items ?? {}))}[]`;
  if (schema.type === 'object') {
    const values = schema.additionalProperties;
    return typeof values === 'object' ? `Record<string, ${typeText(values)}>` : 'Record<string, unknown>';
  }
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'boolean') return 'boolean';
  if (schema.type === 'string') return 'string';
  return 'unknown';
}

function wrap(text: string): string {
  return text.includes('|') ? `(${text})` : text;
}

function interfaceText(name: string, schema: Schema): string {
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties ?? {}).map(([property, child]) => {
    const key = /^[A-Za-z_]\w*$/.test(property) ? property : JSON.stringify(property);
    return `  ${key}${required.has(property) ? '' : '?'}: ${typeText(child)};`;
  });
  return `/** ${name} */\nexport interface ${typeName(name)} {\n${lines.join('\n')}\n}\n`;
}

/** The compact form that validation, patching and our own OpenAPI documents are made from; see `src/kube/schema/mod.ts`. */
function compact(schema: Schema): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const ref = refOf(schema);
  if (ref !== undefined) out['ref'] = ref;
  for (const key of ['type', 'format', 'required'] as const) if (schema[key] !== undefined) out[key] = schema[key];
  if (schema.default !== undefined) out['default'] = schema.default;
  if (schema.items !== undefined) out['items'] = compact(schema.items);
  if (typeof schema.additionalProperties === 'object') out['values'] = compact(schema.additionalProperties);
  if (schema.oneOf !== undefined) out['oneOf'] = schema.oneOf.map((choice) => choice.type);
  if (schema.properties !== undefined) {
    out['properties'] = Object.fromEntries(
      Object.entries(schema.properties).map(([key, child]) => [key, compact(child)]),
    );
  }
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith('x-kubernetes-')) out[key] = value;
  }
  return out;
}

const packages = new Map<string, GoPackage>();

/** `io.k8s.api.core.v1.Pod` is in `API/core/v1`, `io.k8s.apimachinery.pkg.apis.meta.v1.Status` in `MACHINERY/pkg/apis/meta/v1`. */
function goPackage(name: string): GoPackage {
  const parts = name.split('.').slice(0, -1);
  const folder = parts[2] === 'api' ? join(apiFolder, ...parts.slice(3)) : join(machineryFolder, ...parts.slice(3));
  const known = packages.get(folder) ?? readGoPackage(folder);
  packages.set(folder, known);
  return known;
}

/**
 * What a Go encoder does with the field, which decides what an object looks like after one trip through the API server:
 * `empty: 'drop'`, a zero value is left out; `empty: 'write'`, it is written even when nobody set it; else it is a pointer and kept as it came.
 * `go` is the type's Go name where the schema alone does not tell it; `pb` the field number of its protobuf form.
 */
function goFacts(field: GoField, schema: Schema, inPackage: GoPackage): Record<string, unknown> {
  const ref = refOf(schema);
  // Times and quantities are structs too, which `omitempty` does not leave out.
  const isStruct = ref !== undefined && !ref.endsWith('.FieldsV1');
  const facts: Record<string, unknown> = {};
  if (field.protobuf.length > 0) facts['pb'] = field.protobuf.length === 1 ? field.protobuf[0] : field.protobuf;
  if (!field.pointer) {
    if (field.omitZero || (field.omitEmpty && !isStruct)) facts['empty'] = 'drop';
    else facts['empty'] = 'write';
  }
  const bare = field.type.replace(/^\[\]/, '');
  if (inPackage.named.has(bare) || bare.startsWith('types.')) facts['go'] = bare.includes('.') ? bare : `v1.${bare}`;
  return facts;
}

function compactDefinition(name: string, schema: Schema): Record<string, unknown> {
  const out = compact(schema);
  const inPackage = goPackage(name);
  const fields = inPackage.structs.get(name.split('.').at(-1) ?? '');
  for (const [property, child] of Object.entries((out['properties'] ?? {}) as Record<string, object>)) {
    const field = fields?.get(property);
    if (field !== undefined) Object.assign(child, goFacts(field, schema.properties?.[property] ?? {}, inPackage));
    // `metav1.ObjectMeta` is embedded, a struct, and so always written.
    else if (property === 'metadata') Object.assign(child, { empty: 'write', pb: 1 });
    else if (property !== 'apiVersion' && property !== 'kind') console.warn(`no Go field for ${name}.${property}`);
  }
  return out;
}

/** [the definition's text, {property: its text}] */
function descriptions(schema: Schema): [string, Record<string, string>] {
  const properties = Object.entries(schema.properties ?? {}).map(([key, child]) => [key, child.description ?? '']);
  return [schema.description ?? '', Object.fromEntries(properties)];
}

const [, , folder, apiFolder = '', machineryFolder = ''] = process.argv;
if (folder === undefined || machineryFolder === '')
  throw new Error('usage: node scripts/generate-kube.ts DIR API MACHINERY (see the head of this file)');
const schemas = load(folder);
const names = closure(schemas);
const interfaces = names
  .filter((name) => SCALARS[name] === undefined)
  .map((name) => interfaceText(name, schemas.get(name) ?? {}));
const header =
  '// Made by scripts/generate-kube.ts from the OpenAPI documents of Kubernetes 1.35.4 (Apache-2.0); do not edit.\n\n';
writeFileSync(new URL('../src/kube/types/kubernetes.generated.ts', import.meta.url), header + interfaces.join('\n'));
writeJson('../src/kube/schema/schema.generated.json', (name) => compactDefinition(name, schemas.get(name) ?? {}));
writeJson('../src/kube/schema/descriptions.generated.json', (name) => descriptions(schemas.get(name) ?? {}));
console.log(`${names.length} definitions`);

function writeJson(path: string, make: (name: string) => unknown): void {
  const all = Object.fromEntries(names.map((name) => [name, make(name)]));
  writeFileSync(new URL(path, import.meta.url), `${JSON.stringify(all)}\n`);
}
