import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kindByPath } from '../kinds.ts';
import { StatusError } from '../status.ts';
import { decode, defaultObject, validateCreate } from './mod.ts';

const kind = kindByPath('', 'v1', 'pods');
assert.ok(kind);
const PODS = { kind };

describe('decode()', () => {
  const options = { fieldValidation: 'Strict' } as const;

  function refused(body: unknown, text?: string): string {
    try {
      decode(PODS, body, { ...options, ...(text === undefined ? {} : { text }) });
    } catch (error) {
      assert.ok(error instanceof StatusError, String(error));
      assert.equal(error.code, 400);
      return error.message;
    }
    return assert.fail('it was accepted');
  }

  it('fills in type and kind, and takes bodies without', () => {
    const { object } = decode(PODS, { metadata: { name: 'p' } }, options);
    assert.deepEqual([object.apiVersion, object.kind], ['v1', 'Pod']);
  });

  it('refuses other kinds and versions', () => {
    assert.match(
      refused({ kind: 'ConfigMap', apiVersion: 'v1' }),
      /^ConfigMap in version "v1" cannot be handled as a Pod/,
    );
    assert.match(
      refused({ kind: 'Pod', apiVersion: 'v2' }),
      /^Pod in version "v2" cannot be handled as a Pod: no kind "Pod" is registered for version "v2" in scheme/,
    );
  });

  it('names unknown fields and keys that stand twice', () => {
    const text = '{"spec":{"foo":1,"hostname":"a","hostname":"b"}}';
    assert.equal(
      refused(JSON.parse(text), text),
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.foo", duplicate field "spec.hostname"',
    );
  });

  it('reads what a subresource is sent by its own kind', () => {
    const binding = PODS.kind.subresources.find(({ name }) => name === 'binding');
    const { object } = decode(
      { kind: PODS.kind, subresource: binding },
      { target: { kind: 'Node', name: 'n' } },
      options,
    );
    assert.equal(object.kind, 'Binding');
    validateCreate({ kind: PODS.kind, subresource: binding }, object);
  });

  it('throws nothing but statuses, whatever comes', () => {
    for (const garbage of [null, 1, 'x', [], true, { metadata: 1 }, { spec: [] }, { kind: {} }, { apiVersion: 1 }])
      refused(garbage);
    for (const object of [
      {},
      { metadata: null },
      { spec: null },
      { spec: { containers: [null] } },
      JSON.parse('{"__proto__":{"x":1}}'),
    ]) {
      const decoded = decode(PODS, object, { fieldValidation: 'Ignore' }).object;
      defaultObject(PODS.kind, decoded);
      assert.throws(() => validateCreate(PODS, decoded), StatusError);
    }
  });
});
