import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DecodeError, decodeProtobuf, roundTrip } from './mod.ts';

/** As kubectl 1.35 sends them for `create configmap` and `auth can-i`. */
const CONFIG_MAP =
  'azhzAAoPCgJ2MRIJQ29uZmlnTWFwEi8KHQoFZmlyc3QSABoIcmVjb3JkZWQiACoAMgA4AEIAEgYKAWESATESBgoBYhIBMhoAIgA=';
const REVIEW =
  'azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSQAoQCgASABoAIgAqADIAOABCABIiCiAKCHJlY29yZGVkEgZjcmVhdGUaACIAKgRwb2RzMgA6ABoICAASABoAIAAaACIA';

/** One field of a message: number, bytes. */
function field(number: number, bytes: Uint8Array | string): Buffer {
  const content = Buffer.from(bytes);
  const length: number[] = [];
  for (let left = content.length; ; left >>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content]);
}

function envelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const type = Buffer.concat([field(1, apiVersion), field(2, kind)]);
  return Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, raw)]);
}

describe('decodeProtobuf()', () => {
  it('reads what kubectl sends', () => {
    const { object, ...type } = decodeProtobuf(Buffer.from(CONFIG_MAP, 'base64'));
    assert.deepEqual(type, { apiVersion: 'v1', kind: 'ConfigMap' });
    assert.deepEqual(object['data'], { a: '1', b: '2' });
    const review = decodeProtobuf(Buffer.from(REVIEW, 'base64'));
    const kind = { group: 'authorization.k8s.io', version: 'v1', kind: 'SelfSubjectAccessReview' };
    assert.deepEqual((roundTrip(kind, review.object) as Record<string, unknown>)['spec'], {
      resourceAttributes: { namespace: 'recorded', verb: 'create', resource: 'pods' },
    });
  });

  it('flattens what JSON has flat, and knows quantities, maps and numbers', () => {
    const entry = Buffer.concat([field(1, 'cpu'), field(2, field(1, '500m'))]);
    const container = Buffer.concat([field(1, 'c'), field(8, field(1, entry))]);
    const volume = Buffer.concat([field(1, 'v'), field(2, field(2, Buffer.alloc(0)))]);
    const grace = Buffer.from([(4 << 3) | 0, 0x85, 0x01]);
    const spec = Buffer.concat([field(1, volume), field(2, container), grace]);
    const { object } = decodeProtobuf(envelope('v1', 'Pod', field(2, spec)));
    assert.deepEqual(object['spec'], {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [{ name: 'c', resources: { limits: { cpu: '500m' } } }],
      terminationGracePeriodSeconds: 133,
    });
  });

  it('throws nothing but its own error, whatever comes', () => {
    const whole = Buffer.from(CONFIG_MAP, 'base64');
    const inputs: Uint8Array[] = [
      Buffer.alloc(0),
      Buffer.from('k8s'),
      Buffer.from('{"kind":"Pod"}'),
      envelope('v1', 'None', Buffer.alloc(0)),
    ];
    for (let cut = 0; cut < whole.length; cut++) inputs.push(whole.subarray(0, cut));
    for (let at = 4; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      inputs.push(changed);
    }
    for (const input of inputs) {
      try {
        decodeProtobuf(input);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }
  });
});
