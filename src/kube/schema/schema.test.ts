import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  applyDefaults,
  canonicalQuantity,
  compareQuantities,
  DecodeError,
  decodeJson,
  decodeYaml,
  parseQuantity,
  prune,
  roundTrip,
  validateStructure,
} from './mod.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' };
const LEASE = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' };

describe('decodeJson()', () => {
  it('names keys that stand twice by their path', () => {
    const { duplicates } = decodeJson(
      '{"a":1,"spec":{"containers":[{"x":1},{"image":"a","image":"b"}],"spec":{}},"a":2}',
    );
    assert.deepEqual(duplicates, ['spec.containers[1].image', 'a']);
  });

  it('takes no key of another object for a second one, nor brackets in texts for structure', () => {
    assert.deepEqual(decodeJson('{"a":{"b":"{\\"b\\":"},"c":{"b":"]"}}').duplicates, []);
  });

  for (const text of [
    '',
    '{',
    '{"a":}',
    'nul',
    '['.repeat(5000) + ']'.repeat(5000),
    `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`,
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 12))}`, () => {
      assert.throws(() => decodeJson(text), DecodeError);
    });
  }
});

describe('decodeYaml()', () => {
  it('reads one document and names keys that stand twice', async () => {
    const { value, duplicates } = await decodeYaml('a: 1\nb:\n  - x: yes\na: 2\n');
    assert.deepEqual(value, { a: 2, b: [{ x: true }] });
    assert.deepEqual(duplicates, ['a']);
  });

  it('refuses what is no YAML, and aliases that multiply', async () => {
    await assert.rejects(decodeYaml('a: [1\nb: }'), DecodeError);
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 9; level++) bomb.push(`a${level}: &a${level} [${`*a${level - 1},`.repeat(9)}]`);
    await assert.rejects(decodeYaml(bomb.join('\n')), DecodeError);
  });
});

describe('validateStructure()', () => {
  const cases: [string, unknown, string][] = [
    [
      'a number for a text',
      { spec: { containers: [{ env: [{ name: 'A', value: 1 }] }] } },
      'json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string',
    ],
    [
      'a text for a list',
      { spec: { containers: 'x' } },
      'json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      'a text for a bool',
      { spec: { hostNetwork: 'x' } },
      'json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool',
    ],
    [
      'a list for an object',
      { spec: [] },
      'json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec',
    ],
    [
      'a number for a label',
      { metadata: { labels: { a: 1 } } },
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      'a fraction for a port',
      { spec: { containers: [{ ports: [{ containerPort: 1.5 }] }] } },
      'json: cannot unmarshal number 1.5 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
    ],
    [
      'a named type',
      { spec: { containers: [{ imagePullPolicy: 1 }] } },
      'json: cannot unmarshal number into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy',
    ],
  ];
  for (const [what, object, message] of cases) {
    it(`answers ${what} as Go's decoder does`, () => {
      assert.equal(validateStructure(POD, object).error, message);
    });
  }

  it('names unknown fields and duplicates in the words of strict decoding', () => {
    const report = validateStructure(
      POD,
      { foo: 1, spec: { bar: {}, containers: [{ imagee: 'x' }] } },
      { duplicates: ['spec.x'] },
    );
    assert.deepEqual(report, {
      error: undefined,
      strict: [
        'unknown field "foo"',
        'unknown field "spec.bar"',
        'unknown field "spec.containers[0].imagee"',
        'duplicate field "spec.x"',
      ],
    });
  });

  it('accepts null everywhere, free keys in maps, and refuses a bad quantity and time', () => {
    assert.equal(
      validateStructure(POD, { metadata: { labels: { any: 'x' }, annotations: null }, spec: { containers: null } })
        .error,
      undefined,
    );
    assert.match(validateStructure(POD, { spec: { overhead: { cpu: 'x' } } }).error ?? '', /^quantities must match/);
    assert.match(validateStructure(POD, { metadata: { creationTimestamp: 'now' } }).error ?? '', /^parsing time "now"/);
  });

  it('survives any garbage', () => {
    for (const garbage of [
      null,
      1,
      'x',
      [],
      { spec: { __proto__: 1 } },
      JSON.parse('{"__proto__":{"a":1},"constructor":1}'),
    ]) {
      validateStructure(POD, garbage);
      if (typeof garbage === 'object' && garbage !== null) roundTrip(POD, garbage);
    }
  });
});

describe('roundTrip()', () => {
  it('leaves out what Go leaves out and writes what Go writes', () => {
    const pod = {
      metadata: { name: 'a', labels: {}, annotations: null, foo: 1 },
      spec: { containers: [{ name: 'c', args: [], tty: false, unknown: 1 }], hostNetwork: false },
    };
    assert.deepEqual(roundTrip(POD, pod), {
      metadata: { name: 'a' },
      spec: { containers: [{ name: 'c', resources: {} }] },
      status: {},
    });
  });

  it('keeps zero values of pointers', () => {
    const pod = {
      spec: {
        containers: [],
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        securityContext: {},
      },
    };
    assert.deepEqual(roundTrip(POD, pod), { metadata: {}, spec: { ...pod.spec }, status: {} });
  });

  it('writes quantities and times in their canonical text', () => {
    const pod = {
      metadata: { creationTimestamp: '2026-01-02T03:04:05.678+01:00' },
      spec: { containers: [{ name: 'c', resources: { limits: { cpu: 0.5, memory: '1024Mi' } } }] },
    };
    const out = roundTrip(POD, pod);
    assert.equal(out.metadata.creationTimestamp, '2026-01-02T02:04:05Z');
    assert.deepEqual(out.spec.containers[0]?.resources.limits, { cpu: '500m', memory: '1Gi' });
    const lease = roundTrip(LEASE, { spec: { renewTime: '2026-01-02T03:04:05.1Z' } });
    assert.equal(lease.spec.renewTime, '2026-01-02T03:04:05.100000Z');
  });

  it('prune() drops unknown fields only', () => {
    assert.deepEqual(prune(POD, { metadata: { labels: {} }, foo: 1, spec: { bar: 2 } }), {
      metadata: { labels: {} },
      spec: {},
    });
  });
});

describe('quantities', () => {
  const canonical = {
    '0.5': '500m',
    '1024Mi': '1Gi',
    '1000m': '1',
    '1e3': '1e3',
    '0.5Gi': '512Mi',
    '100Mi': '100Mi',
    '1500m': '1500m',
    '1.5': '1500m',
    '1000': '1k',
    '1024': '1024',
    '0': '0',
    '1.5Ki': '1536',
    '-2000': '-2k',
    '.5': '500m',
    '0.1n': '1n',
    '1023Ki': '1023Ki',
    '0.1Ki': '102400m',
  };
  for (const [text, wanted] of Object.entries(canonical)) {
    it(`writes ${text} as ${wanted}`, () => assert.equal(canonicalQuantity(text), wanted));
  }
  for (const text of ['', '.', 'x', '1x', '1 Gi', '--1', '1ee3', '1e999', '1'.repeat(70)]) {
    it(`knows no quantity in ${JSON.stringify(text)}`, () => assert.equal(parseQuantity(text), undefined));
  }
  it('compares across suffixes', () => {
    assert.equal(compareQuantities('1Gi', '1G'), 1);
    assert.equal(compareQuantities('1', '1000m'), 0);
    assert.equal(compareQuantities('500m', 1), -1);
  });
});

describe('applyDefaults()', () => {
  it('writes a pod as the API server does', () => {
    const pod = {
      metadata: { name: 'a' },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'localhost:5000/x',
            ports: [{ containerPort: 80 }],
            readinessProbe: { httpGet: { port: 80 } },
            env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
          },
        ],
        volumes: [{ name: 'v' }, { name: 's', secret: { secretName: 's' } }],
      },
    };
    assert.deepEqual(roundTrip(POD, applyDefaults(POD, pod)), {
      metadata: { name: 'a' },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'localhost:5000/x',
            ports: [{ containerPort: 80, protocol: 'TCP' }],
            env: [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } }],
            resources: {},
            readinessProbe: {
              httpGet: { path: '/', port: 80, scheme: 'HTTP' },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            imagePullPolicy: 'Always',
          },
        ],
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 's', secret: { secretName: 's', defaultMode: 420 } },
        ],
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        dnsPolicy: 'ClusterFirst',
        securityContext: {},
        schedulerName: 'default-scheduler',
        enableServiceLinks: true,
      },
      status: {},
    });
  });

  const policies: [string, string][] = [
    ['a:1', 'IfNotPresent'],
    ['a', 'Always'],
    ['a:latest', 'Always'],
    ['h:5000/a:2', 'IfNotPresent'],
    ['a@sha256:00', 'IfNotPresent'],
    ['a:latest@sha256:00', 'Always'],
  ];
  for (const [image, policy] of policies) {
    it(`pulls ${image} ${policy}`, () => {
      const pod = applyDefaults(POD, { spec: { containers: [{ image }] } }) as {
        spec: { containers: { imagePullPolicy?: string }[] };
      };
      assert.equal(pod.spec.containers[0]?.imagePullPolicy, policy);
    });
  }

  it('requests what is limited', () => {
    const pod = applyDefaults(POD, {
      spec: { containers: [{ resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } } }] },
    });
    assert.deepEqual(pod.spec.containers[0]?.resources.requests, { cpu: '500m', memory: '1Gi' });
  });

  it('survives a pod with every field wrong', () => {
    applyDefaults(POD, {
      spec: { containers: [1, null, { ports: 'x', image: 5, resources: [], readinessProbe: 'x' }], volumes: {} },
    });
    applyDefaults(POD, { spec: 'x' });
  });
});
