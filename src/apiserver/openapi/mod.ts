/**
 * OpenAPI documents for kubectl's `apply`, `explain` and validation, built when they are asked for: an index with hashes,
 * one document a group and version (v3), and one for all (v2, in JSON or, for kubectl, in protobuf).
 */
import { createHash } from 'node:crypto';
import { allDefinitions } from '#kube/schema';
import { apiVersionOf, KINDS, type KindRow } from '../kinds.ts';
import { notAcceptable } from '../status.ts';
import type { Answer } from '../surface.ts';
import { pathsOf, SHARED_SCHEMAS } from './paths.ts';
import { ASKS_OPENAPI_V2_PROTOBUF, type DocumentV2, encodeDocumentV2, OPENAPI_V2_PROTOBUF } from './protobuf.ts';
import { type Dialect, schemasFor } from './schemas.ts';

const PROTOBUF = /protobuf/;

export function openapiDocument(path: string, accept: string): Answer | undefined {
  const plain = path.replace(/\/$/, '');
  if (plain === '/openapi/v3') return index();
  if (plain === '/openapi/v2') {
    if (!takesJson(accept) && ASKS_OPENAPI_V2_PROTOBUF.test(accept)) {
      return answerOf(encodeDocumentV2(documentV2()), OPENAPI_V2_PROTOBUF);
    }
    refuseProtobuf(accept);
    return answerOf(JSON.stringify(documentV2()));
  }
  const [, key] = /^\/openapi\/v3\/(.+)$/.exec(plain) ?? [];
  const kinds = key === undefined ? [] : KINDS.filter((kind) => keyOf(kind) === key);
  if (kinds.length === 0) return undefined;
  refuseProtobuf(accept);
  return answerOf(documentV3(kinds));
}

/** A client that takes only protobuf gets 406; one that also takes JSON gets that. */
function refuseProtobuf(accept: string): void {
  if (!takesJson(accept) && PROTOBUF.test(accept)) throw notAcceptable(['application/json']);
}

function takesJson(accept: string): boolean {
  return accept
    .split(',')
    .map((clause) => clause.split(';')[0]?.trim() ?? '')
    .some((type) => type === '' || type === '*/*' || type.startsWith('application/json') || type === 'application/*');
}

/** `api/v1`, `apis/coordination.k8s.io/v1`. */
function keyOf({ group, version }: Pick<KindRow, 'group' | 'version'>): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

const hashes = new Map<string, string>();

function hashOf(key: string): string {
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const text = documentV3(KINDS.filter((kind) => keyOf(kind) === key));
  const hash = digest(text);
  hashes.set(key, hash);
  return hash;
}

function digest(text: string | Buffer): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase();
}

function index(): Answer {
  const keys = [...new Set(KINDS.map(keyOf))].sort();
  const paths = Object.fromEntries(
    keys.map((key) => [key, { serverRelativeURL: `/openapi/v3/${key}?hash=${hashOf(key)}` }]),
  );
  return answerOf(JSON.stringify({ paths }));
}

function answerOf(body: string | Buffer, contentType = 'application/json'): Answer {
  return { contentType, body, etag: `"${digest(body)}"` };
}

function schemaNames(kinds: readonly KindRow[]): string[] {
  const own = kinds.flatMap((kind) => [
    kind.schema,
    `${kind.schema}List`,
    ...kind.subresources.flatMap(({ schema }) => schema ?? []),
  ]);
  return [...own, ...SHARED_SCHEMAS].filter((name) => Object.hasOwn(allDefinitions(), name));
}

function allPaths(kinds: readonly KindRow[], dialect: Dialect): object {
  return Object.assign({}, ...kinds.map((kind) => pathsOf(kind, dialect)));
}

function documentV3(kinds: readonly KindRow[]): string {
  return JSON.stringify({
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: allPaths(kinds, 'v3'),
    components: { schemas: withOwnKind(schemasFor(schemaNames(kinds), 'v3'), kinds) },
  });
}

/** Definitions that all groups share carry the kinds of all groups: clients want those of this document. */
function withOwnKind(schemas: Record<string, Record<string, unknown>>, kinds: readonly KindRow[]): object {
  const versions = new Set(kinds.map(apiVersionOf));
  for (const schema of Object.values(schemas)) {
    const all = schema['x-kubernetes-group-version-kind'] as { group: string; version: string }[] | undefined;
    if (all === undefined || all.length < 2) continue;
    schema['x-kubernetes-group-version-kind'] = all.filter((kind) => versions.has(apiVersionOf(kind)));
  }
  return schemas;
}

function documentV2(): DocumentV2 {
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1.35.4' },
    paths: allPaths(KINDS, 'v2') as DocumentV2['paths'],
    definitions: schemasFor(schemaNames(KINDS), 'v2'),
  };
}
