import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KindRow, kindByPath } from '../kinds.ts';
import { StatusError } from '../status.ts';
import type { ApiObject, Endpoint } from '../surface.ts';
import { decode, defaultObject, validateCreate, validateUpdate } from './mod.ts';

function row(plural: string, group = ''): KindRow {
  const found = kindByPath(group, 'v1', plural);
  assert.ok(found);
  return found;
}

const PODS = { kind: row('pods') };
const MAPS = { kind: row('configmaps') };
const SECRETS = { kind: row('secrets') };
const STATUS = { kind: PODS.kind, subresource: PODS.kind.subresources.find(({ name }) => name === 'status') };

function made(endpoint: Endpoint, body: object): ApiObject {
  const { object } = decode(endpoint, body, { fieldValidation: 'Ignore' });
  defaultObject(endpoint.kind, object);
  return object;
}

function pod(spec: object = {}, metadata: object = {}): ApiObject {
  return made(PODS, {
    metadata: { name: 'p', namespace: 'd', ...metadata },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  });
}

function container(more: object, spec: object = {}): ApiObject {
  return pod({ containers: [{ name: 'c', image: 'i', ...more }], ...spec });
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

const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

describe('validateCreate() of pods', () => {
  it('accepts what is right', () => {
    assert.deepEqual(
      wrong(() => validateCreate(PODS, pod())),
      [],
    );
    const rich = container(
      {
        env: [{ name: 'A_B.c-1', value: 'x' }],
        ports: [{ name: 'http', containerPort: 80 }],
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        readinessProbe: { httpGet: { port: 'http' } },
      },
      { volumes: [{ name: 'v' }] },
    );
    assert.deepEqual(
      wrong(() => validateCreate(PODS, rich)),
      [],
    );
  });

  const cases: [string, ApiObject, string[]][] = [
    ['no containers', pod({ containers: [] }), ['spec.containers: Required value']],
    [
      'no name and image',
      pod({ containers: [{}] }),
      ['spec.containers[0].name: Required value', 'spec.containers[0].image: Required value'],
    ],
    [
      'a bad container name',
      pod({ containers: [{ name: 'A', image: 'i' }] }),
      [`spec.containers[0].name: Invalid value: "A": ${LABEL_RULE}`],
    ],
    [
      'names that stand twice',
      pod({ containers: [{ name: 'c', image: 'i' }], initContainers: [{ name: 'c', image: 'i' }] }),
      ['spec.initContainers[0].name: Duplicate value: "c"'],
    ],
    [
      'a bad port',
      container({ ports: [{ containerPort: 0 }, { containerPort: 70_000 }] }),
      [
        'spec.containers[0].ports[0].containerPort: Required value',
        'spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'a bad protocol',
      container({ ports: [{ containerPort: 1, protocol: 'X' }] }),
      ['spec.containers[0].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      'a variable without a name',
      container({ env: [{ value: 'x' }] }),
      ['spec.containers[0].env[0].name: Required value'],
    ],
    [
      'a variable with value and source',
      container({ env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      'a mount of no volume',
      container({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      'mounts on one place',
      container(
        {
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        },
        { volumes: [{ name: 'v' }] },
      ),
      ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique'],
    ],
    [
      'a path that climbs',
      container({ volumeMounts: [{ name: 'v', mountPath: '/v', subPath: '../x' }] }, { volumes: [{ name: 'v' }] }),
      ['spec.containers[0].volumeMounts.subPath: Invalid value: "../x": must not contain \'..\''],
    ],
    [
      'requests over limits',
      container({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'a negative quantity',
      container({ resources: { requests: { cpu: '-1' } } }),
      ['spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
    [
      'a probe without handler',
      container({ livenessProbe: {} }),
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'a probe with two',
      container({ readinessProbe: { exec: { command: ['x'] }, tcpSocket: { port: 1 } } }),
      ['spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
    ],
    [
      'a liveness threshold',
      container({ livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }),
      ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
    ],
    [
      'a probe in an init container',
      pod({ initContainers: [{ name: 'i', image: 'i', livenessProbe: { tcpSocket: { port: 1 } } }] }),
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'a volume with two sources',
      pod({ volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] }),
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'a secret volume without a name',
      pod({ volumes: [{ name: 'v', secret: {} }] }),
      ['spec.volumes[0].secret.secretName: Required value'],
    ],
    [
      'a token that ends too soon',
      pod({
        volumes: [
          { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 1 } }] } },
        ],
      }),
      [
        'spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes',
      ],
    ],
    [
      'an unknown policy',
      pod({ restartPolicy: 'X' }),
      ['spec.restartPolicy: Unsupported value: "X": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      'a toleration without a key',
      pod({ tolerations: [{ operator: 'Equal' }] }),
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
  ];
  for (const [what, object, messages] of cases) {
    it(`refuses ${what}`, () =>
      assert.deepEqual(
        wrong(() => validateCreate(PODS, object)),
        messages,
      ));
  }
});

describe('validateCreate() of metadata and other kinds', () => {
  function map(metadata: object, data: object = {}): ApiObject {
    return made(MAPS, { metadata: { name: 'm', namespace: 'd', ...metadata }, data });
  }

  it('needs a name, and says so', () => {
    assert.deepEqual(
      wrong(() => validateCreate(MAPS, map({ name: '' }))),
      ['metadata.name: Required value: name or generateName is required'],
    );
  });

  it('bounds annotations and data', () => {
    assert.deepEqual(
      wrong(() => validateCreate(MAPS, map({ annotations: { a: 'x'.repeat(262_144) } }))),
      ['metadata.annotations: Too long: may not be more than 262144 bytes'],
    );
    assert.deepEqual(
      wrong(() => validateCreate(MAPS, map({}, { a: 'x'.repeat(1_048_577) }))),
      [': Too long: may not be more than 1048576 bytes'],
    );
  });

  it('checks keys, finalizers and owners', () => {
    const [key] = wrong(() => validateCreate(MAPS, map({ labels: { 'a b': 'x' } })));
    assert.match(key ?? '', /^metadata\.labels: Invalid value: "a b": name part must consist of/);
    const [finalizer] = wrong(() => validateCreate(MAPS, map({ finalizers: ['plain'] })));
    assert.match(finalizer ?? '', /name is neither a standard finalizer name nor is it fully qualified/);
    const owners = wrong(() =>
      validateCreate(MAPS, map({ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: '', uid: '' }] })),
    );
    assert.deepEqual(owners, [
      'metadata.ownerReferences.name: Invalid value: "": must not be empty',
      'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ]);
  });

  it('knows what each type of secret needs', () => {
    const tls = made(SECRETS, { metadata: { name: 's', namespace: 'd' }, type: 'kubernetes.io/tls' });
    assert.deepEqual(
      wrong(() => validateCreate(SECRETS, tls)),
      ['data[tls.crt]: Required value', 'data[tls.key]: Required value'],
    );
  });

  it('turns stringData into data', () => {
    const secret = made(SECRETS, { metadata: { name: 's' }, data: { a: 'YQ==' }, stringData: { b: 'b' } });
    assert.deepEqual(secret['data'], { a: 'YQ==', b: 'Yg==' });
    assert.equal(secret['stringData'], undefined);
  });
});

describe('validateUpdate()', () => {
  it('allows in a pod what may change and nothing else', () => {
    const old = pod({ tolerations: [{ key: 'a', operator: 'Exists' }], activeDeadlineSeconds: 50 });
    const image = pod({
      containers: [{ name: 'c', image: 'other' }],
      tolerations: [
        { key: 'a', operator: 'Exists' },
        { key: 'b', operator: 'Exists' },
      ],
      activeDeadlineSeconds: 20,
    });
    // The pull policy came with the first image and stays.
    assert.deepEqual(
      wrong(() => validateUpdate(PODS, image, old)),
      [],
    );
    const [host] = wrong(() =>
      validateUpdate(PODS, { ...old, spec: { ...(old['spec'] as object), hostname: 'h' } }, old),
    );
    assert.match(
      host ?? '',
      /^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`/,
    );
    assert.deepEqual(
      wrong(() => validateUpdate(PODS, pod({ activeDeadlineSeconds: 50 }), old)),
      ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
    );
    const longer = { ...old, spec: { ...(old['spec'] as object), activeDeadlineSeconds: 90 } };
    assert.deepEqual(
      wrong(() => validateUpdate(PODS, longer, old)),
      ['spec.activeDeadlineSeconds: Invalid value: 90: must be less than or equal to previous value'],
    );
    const more = { ...old, spec: { ...(old['spec'] as object), containers: [] } };
    assert.ok(
      wrong(() => validateUpdate(PODS, more, old)).includes(
        'spec.containers: Forbidden: pod updates may not add or remove containers',
      ),
    );
  });

  it('keeps names and ids', () => {
    const old = pod({}, { uid: 'a' });
    assert.deepEqual(
      wrong(() => validateUpdate(PODS, pod({}, { uid: 'b' }), old)),
      ['metadata.uid: Invalid value: "b": field is immutable'],
    );
  });

  it('takes loopback addresses for pods, and only addresses', () => {
    const old = pod();
    assert.deepEqual(
      wrong(() => validateUpdate(STATUS, { ...old, status: { podIPs: [{ ip: '127.42.0.2' }] } }, old)),
      [],
    );
    const [bad] = wrong(() => validateUpdate(STATUS, { ...old, status: { podIPs: [{ ip: 'x' }] } }, old));
    assert.equal(
      bad,
      'status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    );
  });

  it('lets no container come back that is not to be started again', () => {
    const ended = { status: { containerStatuses: [{ name: 'c', state: { terminated: { exitCode: 1 } } }] } };
    const running = { status: { containerStatuses: [{ name: 'c', state: { running: {} } }] } };
    const never = pod({ restartPolicy: 'Never' });
    assert.deepEqual(
      wrong(() => validateUpdate(STATUS, { ...never, ...running }, { ...never, ...ended })),
      ['status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state'],
    );
    const failed = pod({ restartPolicy: 'OnFailure' });
    assert.deepEqual(
      wrong(() => validateUpdate(STATUS, { ...failed, ...running }, { ...failed, ...ended })),
      [],
    );
  });

  it('keeps what is immutable', () => {
    const old = made(MAPS, { metadata: { name: 'm', namespace: 'd' }, data: { a: '1' }, immutable: true });
    assert.deepEqual(
      wrong(() => validateUpdate(MAPS, { ...old, data: { a: '2' }, immutable: false }, old)),
      [
        'immutable: Forbidden: field is immutable when `immutable` is set',
        'data: Forbidden: field is immutable when `immutable` is set',
      ],
    );
  });
});
