import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kindByPath } from '../kinds.ts';
import { StatusError } from '../status.ts';
import type { ApiObject } from '../surface.ts';
import { decode, defaultObject, validateUpdate } from './mod.ts';

const kind = kindByPath('', 'v1', 'pods');
assert.ok(kind);
const PODS = { kind };

function container(more: object): ApiObject {
  const spec = { containers: [{ name: 'c', image: 'i', ...more }] };
  const body = { metadata: { name: 'p', namespace: 'd' }, spec };
  const { object } = decode(PODS, body, { fieldValidation: 'Ignore' });
  defaultObject(PODS.kind, object);
  return object;
}

/** `field: message` of each cause. */
function wrong(run: () => void): string[] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    assert.equal(error.code, 422);
    return (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
  return [];
}

describe('validateUpdate() of a resize', () => {
  const RESIZE = { kind: PODS.kind, subresource: PODS.kind.subresources.find(({ name }) => name === 'resize') };
  const amounts = (cpu: string, memory: string) => ({ cpu, memory });
  const old = {
    ...container({ resources: { requests: amounts('100m', '1Mi'), limits: amounts('200m', '2Mi') } }),
    status: { qosClass: 'Burstable' },
  } as ApiObject;
  const asked = (resources: object, more: object = {}): ApiObject => ({
    ...old,
    spec: { ...(old['spec'] as object), containers: [{ ...firstOf(old), resources, ...more }] },
  });
  const firstOf = (object: ApiObject) => (object['spec'] as { containers: object[] }).containers[0];

  it('takes other amounts of processor and memory, and nothing else', () => {
    const larger = { requests: amounts('200m', '2Mi'), limits: amounts('400m', '4Mi') };
    assert.deepEqual(
      wrong(() => validateUpdate(RESIZE, asked(larger), old)),
      [],
    );
    assert.match(
      wrong(() => validateUpdate(PODS, asked(larger), old))[0] ?? '',
      /^spec: Forbidden: pod updates may not/,
    );
    const policy = { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] };
    assert.deepEqual(
      wrong(() => validateUpdate(RESIZE, asked(larger, policy), old)),
      ['spec: Forbidden: only cpu and memory resources are mutable'],
    );
    const storage = { ...larger, limits: { ...larger.limits, 'ephemeral-storage': '1Gi' } };
    assert.deepEqual(
      wrong(() => validateUpdate(RESIZE, asked(storage), old)),
      ['spec: Forbidden: only cpu and memory resources are mutable'],
    );
  });

  it('refuses to take limits away, to change the class, and what is no amount', () => {
    assert.deepEqual(
      wrong(() => validateUpdate(RESIZE, asked({ requests: amounts('100m', '1Mi'), limits: { cpu: '1' } }), old)),
      ['spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed'],
    );
    const exact = amounts('200m', '2Mi');
    assert.deepEqual(
      wrong(() => validateUpdate(RESIZE, asked({ requests: exact, limits: exact }), old)),
      ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'],
    );
    assert.match(
      wrong(() => validateUpdate(RESIZE, asked({ requests: amounts('9', '1Mi'), limits: exact }), old))[0] ?? '',
      /must be less than or equal to cpu limit of 200m/,
    );
  });

  it('refuses other containers, and a node that cannot', () => {
    const none = { ...old, spec: { ...(old['spec'] as object), containers: [] } };
    assert.ok(
      wrong(() => validateUpdate(RESIZE, none, old)).includes(
        'spec.containers: Forbidden: containers may not be added or removed on resize',
      ),
    );
    const renamed = asked({ requests: amounts('100m', '1Mi'), limits: amounts('200m', '2Mi') }, { name: 'd' });
    assert.deepEqual(
      wrong(() => validateUpdate(RESIZE, renamed, old)),
      ['spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize'],
    );
    const status = { qosClass: 'Burstable', containerStatuses: [{ name: 'c', state: { running: {} } }] };
    assert.deepEqual(
      wrong(() => validateUpdate(RESIZE, old, { ...old, status })),
      ['spec: Forbidden: Pod running on node without support for resize'],
    );
  });
});
