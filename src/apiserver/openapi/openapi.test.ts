import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KINDS } from '../kinds.ts';
import { StatusError } from '../status.ts';
import { openapiDocument } from './mod.ts';

type Json = Record<string, unknown>;

function get(path: string, accept = 'application/json'): Json {
  const answer = openapiDocument(path, accept);
  assert.ok(answer, path);
  return JSON.parse(String(answer.body)) as Json;
}

function refs(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => (key === '$ref' ? [String(child)] : refs(child)));
}

const INDEX = get('/openapi/v3')['paths'] as Record<string, { serverRelativeURL: string }>;

describe('openapiDocument()', () => {
  it('has a document for each group and version of the index', () => {
    assert.ok(INDEX['api/v1']?.serverRelativeURL.startsWith('/openapi/v3/api/v1?hash='));
    for (const key of Object.keys(INDEX)) {
      const document = get(`/openapi/v3/${key}`);
      const schemas = Object.keys((document['components'] as { schemas: Json }).schemas);
      for (const ref of refs(document))
        assert.ok(schemas.includes(ref.replace('#/components/schemas/', '')), `${key}: ${ref}`);
    }
  });

  it('says for every kind that can be written that fieldValidation and dryRun are understood', () => {
    for (const kind of KINDS.filter(({ verbs }) => verbs.includes('patch'))) {
      const key = kind.group === '' ? 'api/v1' : `apis/${kind.group}/${kind.version}`;
      const paths = get(`/openapi/v3/${key}`)['paths'] as Record<string, { patch?: Json }>;
      const patch = Object.values(paths).find(
        (item) => (item.patch?.['x-kubernetes-group-version-kind'] as { kind: string })?.kind === kind.kind,
      )?.patch;
      const names = ((patch?.['parameters'] ?? []) as { name: string }[]).map(({ name }) => name);
      assert.ok(names.includes('fieldValidation') && names.includes('dryRun'), kind.kind);
    }
  });

  it('explains in words', () => {
    const document = get('/openapi/v3/api/v1') as {
      components: { schemas: Record<string, { description: string; properties: Record<string, Json> }> };
    };
    const spec = document.components.schemas['io.k8s.api.core.v1.PodSpec'];
    assert.match(spec?.description ?? '', /PodSpec is a description of a pod/);
    assert.equal(spec?.properties['containers']?.['x-kubernetes-patch-merge-key'], 'name');
  });

  it('answers v2 in JSON with all references resolved, in protobuf to kubectl, and 406 to who takes another protobuf', () => {
    const document = get('/openapi/v2');
    const names = Object.keys(document['definitions'] as Json);
    for (const ref of refs(document)) assert.ok(names.includes(ref.replace('#/definitions/', '')), ref);
    const type = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const answer = openapiDocument('/openapi/v2', type);
    assert.equal(answer?.contentType, type.replace('@', '.'));
    // Field 1, `swagger`, in three bytes.
    assert.equal(
      Buffer.from(answer.body ?? '')
        .subarray(0, 5)
        .toString('latin1'),
      '\n\u00032.0',
    );
    assert.throws(
      () => openapiDocument('/openapi/v2', 'application/vnd.kubernetes.protobuf'),
      (error) => error instanceof StatusError && error.code === 406,
    );
  });

  it('keeps its hashes', () => {
    assert.deepEqual(get('/openapi/v3')['paths'], INDEX);
  });

  for (const path of ['/openapi', '/openapi/v3/api/v2', '/openapi/v3/apis/none/v1', '/openapi/v4', '/x']) {
    it(`has nothing at ${path}`, () => assert.equal(openapiDocument(path, ''), undefined));
  }
});
