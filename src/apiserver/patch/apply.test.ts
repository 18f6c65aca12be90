import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { applyDefaults, roundTrip } from '#kube/schema';
import type { ManagedFieldsEntry } from '#kube/types';
import { type KindRow, kindByPath } from '../kinds.ts';
import { StatusError } from '../status.ts';
import type { ApiObject, PatchRequest } from '../surface.ts';
import { applyPatch, trackUpdate } from './mod.ts';
import { statusOf } from './status-of.fixture.ts';

function row(plural: string, group = ''): KindRow {
  const found = kindByPath(group, 'v1', plural);
  assert.ok(found);
  return found;
}

const PODS = row('pods');
const MAPS = row('configmaps');
const T1 = '2026-01-01T00:00:00Z';
const T2 = '2026-01-01T00:00:10Z';

function created(kind: KindRow, body: object, fieldManager = 'creator'): ApiObject {
  const object = roundTrip(kind, applyDefaults(kind, structuredClone(body))) as ApiObject;
  object.apiVersion = 'v1';
  object.kind = kind.kind;
  trackUpdate(object, undefined, { kind, fieldManager, now: T1 });
  object.metadata.uid = 'u';
  return object;
}

function patch(current: ApiObject | undefined, body: unknown, more: Partial<PatchRequest> = {}): ApiObject {
  const kind = more.kind ?? PODS;
  return applyPatch({
    kind,
    type: 'apply',
    body,
    current,
    fieldManager: 'm',
    force: false,
    fieldValidation: 'Strict',
    now: T2,
    ...more,
  }).object;
}

const POD = {
  metadata: { name: 'p', namespace: 'd', labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', image: 'i:1', ports: [{ containerPort: 80 }] }] },
};

describe('trackUpdate()', () => {
  it('makes the creator the owner of what it set, as the API server writes it', () => {
    assert.deepEqual(created(PODS, POD).metadata.managedFields, [
      {
        manager: 'creator',
        operation: 'Update',
        apiVersion: 'v1',
        time: T1,
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
          'f:spec': {
            'f:containers': {
              'k:{"name":"c"}': {
                '.': {},
                'f:image': {},
                'f:imagePullPolicy': {},
                'f:name': {},
                'f:ports': {
                  '.': {},
                  'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
                },
                'f:resources': {},
                'f:terminationMessagePath': {},
                'f:terminationMessagePolicy': {},
              },
            },
            'f:dnsPolicy': {},
            'f:enableServiceLinks': {},
            'f:restartPolicy': {},
            'f:schedulerName': {},
            'f:securityContext': {},
            'f:terminationGracePeriodSeconds': {},
          },
        },
      },
    ]);
  });

  it('moves a changed field to who changed it, and forgets removed ones', () => {
    const old = created(MAPS, { metadata: { name: 'm' }, data: { a: '1', b: '2', c: '3' } });
    const next = structuredClone(old);
    next['data'] = { a: '9', b: '2' };
    trackUpdate(next, old, { kind: MAPS, fieldManager: 'other', now: T2 });
    const entries = next.metadata.managedFields as ManagedFieldsEntry[];
    assert.deepEqual(
      entries.map(({ manager, fieldsV1, time }) => [manager, time, fieldsV1]),
      [
        ['creator', T1, { 'f:data': { '.': {}, 'f:b': {} } }],
        ['other', T2, { 'f:data': { 'f:a': {} } }],
      ],
    );
  });

  it('leaves times alone when nothing changed', () => {
    const old = created(MAPS, { metadata: { name: 'm' }, data: { a: '1' } });
    const next = structuredClone(old);
    trackUpdate(next, old, { kind: MAPS, fieldManager: 'other', now: T2 });
    assert.deepEqual(next.metadata.managedFields, old.metadata.managedFields);
  });

  it('forgets all by an empty list, and tracks nothing from then on', () => {
    const old = created(MAPS, { metadata: { name: 'm' }, data: { a: '1' } });
    const next = structuredClone(old);
    next.metadata.managedFields = [];
    trackUpdate(next, old, { kind: MAPS, fieldManager: 'other', now: T2 });
    assert.equal(next.metadata.managedFields, undefined);
  });

  it('keeps at most ten update managers and a bucket', () => {
    let at = created(MAPS, { metadata: { name: 'm' }, data: { k: '0' } });
    for (let index = 0; index < 15; index++) {
      const next = structuredClone(at);
      next['data'] = { ...(at['data'] as object), [`k${index}`]: 'x' };
      trackUpdate(next, at, {
        kind: MAPS,
        fieldManager: `m${index}`,
        now: new Date(Date.parse(T1) + index * 1000).toISOString(),
      });
      at = next;
    }
    const names = (at.metadata.managedFields as ManagedFieldsEntry[]).map(({ manager }) => manager);
    assert.equal(names.length, 10);
    assert.ok(names.includes('ancient-changes'));
  });
});

describe('server-side apply', () => {
  const applied = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm', namespace: 'd' },
    data: { a: '1', b: '2' },
  };
  const maps = { kind: MAPS };

  it('creates, and names what it owns', () => {
    const object = patch(undefined, applied, maps);
    assert.deepEqual(object['data'], { a: '1', b: '2' });
    assert.deepEqual(object.metadata.managedFields, [
      {
        manager: 'm',
        operation: 'Apply',
        apiVersion: 'v1',
        time: T2,
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} } },
      },
    ]);
  });

  it('removes what the manager gives up and nobody else owns', () => {
    const first = patch(undefined, applied, maps);
    assert.deepEqual(patch(first, { ...applied, data: { b: '3' } }, maps)['data'], { b: '3' });
    const other = patch(first, { ...applied, data: { a: '1' } }, { ...maps, fieldManager: 'other' });
    assert.deepEqual(patch(other, { ...applied, data: { b: '2' } }, maps)['data'], { a: '1', b: '2' });
  });

  it('answers 409 with a cause a field in the words of the API server', () => {
    const first = patch(undefined, applied, maps);
    const one = statusOf(() => patch(first, { ...applied, data: { a: '9' } }, { ...maps, fieldManager: 'other' }));
    assert.deepEqual(one, {
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "m": .data.a',
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "m"', field: '.data.a' }],
    });
    const two = statusOf(() =>
      patch(first, { ...applied, data: { a: '9', b: '9' } }, { ...maps, fieldManager: 'other' }),
    );
    assert.equal(two.message, 'Apply failed with 2 conflicts: conflicts with "m":\n- .data.a\n- .data.b');
    const pod = created(PODS, POD);
    const update = statusOf(() =>
      patch(pod, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p' },
        spec: { containers: [{ name: 'c', image: 'z' }] },
      }),
    );
    assert.equal(
      update.message,
      'Apply failed with 1 conflict: conflict with "creator" using v1: .spec.containers[name="c"].image',
    );
  });

  it('takes by force', () => {
    const first = patch(undefined, applied, maps);
    const object = patch(first, { ...applied, data: { a: '9' } }, { ...maps, fieldManager: 'other', force: true });
    assert.deepEqual(object['data'], { a: '9', b: '2' });
    const entries = object.metadata.managedFields as ManagedFieldsEntry[];
    assert.deepEqual(
      entries.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
      [
        ['m', { 'f:data': { 'f:b': {} } }],
        ['other', { 'f:data': { 'f:a': {} } }],
      ],
    );
  });

  it('changes nothing, not even a time, when the same is applied again', () => {
    const first = patch(undefined, applied, maps);
    assert.deepEqual(patch(first, applied, { ...maps, now: '2027-01-01T00:00:00Z' }), first);
  });

  it('merges lists by their keys and keeps what others added', () => {
    const pod = created(PODS, POD);
    const next = patch(pod, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'd', image: 'j' }] },
    });
    const { containers } = next['spec'] as { containers: { name: string }[] };
    assert.deepEqual(
      containers.map(({ name }) => name),
      ['c', 'd'],
    );
  });

  it('lets kubectl take over what its client-side apply set', () => {
    const last = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', namespace: 'd' }, data: { a: '1' } };
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(last) };
    const old = created(MAPS, { ...last, metadata: { ...last.metadata, annotations } }, 'kubectl-client-side-apply');
    const object = patch(old, { ...last, data: { a: '2' } }, { ...maps, fieldManager: 'kubectl' });
    assert.deepEqual(object['data'], { a: '2' });
    const text = object.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] ?? '';
    assert.deepEqual(JSON.parse(text).data, { a: '2' });
    assert.equal(
      statusOf(() => patch(old, { ...last, data: { a: '2' } }, { ...maps, fieldManager: 'someone' })).code,
      409,
    );
  });

  const bad: [string, unknown, number, RegExp][] = [
    [
      'a field that is not there',
      { ...applied, foo: 1 },
      500,
      /^failed to create typed patch object \(d\/m; \/v1, Kind=ConfigMap\): \.foo: field not declared in schema$/,
    ],
    ['another kind', { ...applied, kind: 'Pod' }, 400, /^invalid object type: \/v1, Kind=Pod$/],
    ['managedFields', { ...applied, metadata: { name: 'm', managedFields: [] } }, 400, /must be nil/],
    ['a list', [], 400, /error decoding YAML/],
    ['a text for a map', { ...applied, data: 'x' }, 500, /\.data: expected map/],
    ['a number for a text', { ...applied, data: { a: 1 } }, 500, /\.data\.a: expected string/],
  ];
  for (const [what, body, code, message] of bad) {
    it(`answers ${code} to ${what}`, () => {
      const status = statusOf(() => patch(undefined, body, maps));
      assert.equal(status.code, code);
      assert.match(status.message, message);
    });
  }

  it('names elements that stand twice', () => {
    const twice = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c' }, { name: 'c' }] },
    };
    assert.match(
      statusOf(() => patch(undefined, twice)).message,
      /\.spec\.containers: duplicate entries for key \[name="c"\]$/,
    );
  });
});

describe('applyPatch() of the other flavours', () => {
  it('forgets all managers when a patch empties their list', () => {
    const old = created(MAPS, { metadata: { name: 'm' }, data: { a: '1' } });
    for (const value of [[], [{}]]) {
      const body = [{ op: 'replace', path: '/metadata/managedFields', value }];
      assert.equal(patch(old, body, { kind: MAPS, type: 'json' }).metadata.managedFields, undefined);
    }
  });

  it('answers 422 to what the kind does not have, and 200 with warnings when asked for those', () => {
    const old = created(MAPS, { metadata: { name: 'm' }, data: { a: '1' } });
    const base = {
      kind: MAPS,
      current: old,
      fieldManager: 'm',
      force: false,
      now: T2,
      body: { foo: 1 },
      type: 'merge',
    } as const;
    const strict = statusOf(() => applyPatch({ ...base, fieldValidation: 'Strict' }));
    assert.equal(strict.code, 422);
    assert.match(
      strict.message,
      /^ "" is invalid: patch: Invalid value: ".*": strict decoding error: unknown field "foo"$/,
    );
    assert.deepEqual(applyPatch({ ...base, fieldValidation: 'Warn' }).warnings, ['unknown field "foo"']);
    assert.deepEqual(applyPatch({ ...base, fieldValidation: 'Ignore' }).object, old);
  });

  it('throws nothing but statuses, whatever comes', () => {
    const old = created(PODS, POD);
    const garbage = [
      null,
      1,
      'x',
      [],
      {},
      [[]],
      { spec: null },
      { metadata: null },
      { metadata: 5 },
      [{ op: 'remove', path: '/metadata' }],
      [{ op: 'replace', path: '', value: 7 }],
      { spec: { containers: { a: 1 } } },
      { spec: { containers: [1, {}, null] } },
    ];
    for (const body of garbage) {
      for (const type of ['json', 'merge', 'strategic', 'apply'] as const) {
        try {
          applyPatch({
            kind: PODS,
            type,
            body,
            current: old,
            fieldManager: 'm',
            force: true,
            fieldValidation: 'Ignore',
            now: T2,
          });
        } catch (error) {
          assert.ok(error instanceof StatusError, String(error));
        }
      }
    }
  });
});
