import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Service } from '#kube/types';
import { type EnvironmentInput, environmentOf, invocationOf } from './env.ts';
import { expand } from './expand.ts';
import { fieldValue, resourceValue } from './fields.ts';
import { image, podOf } from './fixture.ts';
import { serviceVariables } from './service-env.ts';

const facts = { hostIPs: ['10.0.0.1', '::1'], podIPs: ['10.0.0.2'], allocatable: { cpu: '2', memory: '1Gi' } };
const base64 = (text: string) => Buffer.from(text).toString('base64');

function env(container: Partial<Container>, more: Partial<EnvironmentInput> = {}): Record<string, string> {
  const input: EnvironmentInput = {
    pod: podOf({}, { labels: { app: 'x' }, annotations: { note: 'a' } }),
    container: { name: 'main', ...container },
    facts,
    services: new Map([['KUBERNETES_SERVICE_HOST', '10.96.0.1']]),
    image: { env: [['FROM_IMAGE', 'i']] },
    configMaps: new Map([['cfg', { data: { a: '1', b: '2' } }]]),
    secrets: new Map([['sec', { data: { password: base64('geheim') } }]]),
    ...more,
  };
  return Object.fromEntries(environmentOf(input));
}

describe('expand()', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['$(A)', 'a'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$(MISSING)', '$(MISSING)'],
    ['$(A', '$(A'],
    ['$A', '$A'],
    ['a$', 'a$'],
    ['$$', '$'],
    ['$(A)$(B)', 'ab'],
    ['$()', '$()'],
    ['x$(A)y', 'xay'],
  ];
  for (const [text, expected] of rows) {
    it(`makes '${expected}' of '${text}'`, () =>
      assert.equal(
        expand(text, (name) => ({ A: 'a', B: 'b' })[name]),
        expected,
      ));
  }
});

describe('environmentOf()', () => {
  it('puts the pod over the image, and Services behind both', () => {
    const found = env({
      env: [
        { name: 'FROM_IMAGE', value: 'pod' },
        { name: 'KUBERNETES_SERVICE_HOST', value: 'own' },
      ],
    });
    assert.equal(found['FROM_IMAGE'], 'pod');
    assert.equal(found['KUBERNETES_SERVICE_HOST'], 'own');
    assert.equal(found['HOSTNAME'], 'web');
  });

  it('takes whole objects with a prefix, then single variables over them', () => {
    const found = env({
      envFrom: [{ configMapRef: { name: 'cfg' }, prefix: 'P_' }, { secretRef: { name: 'sec' } }],
      env: [
        { name: 'P_a', value: 'own' },
        { name: 'BOTH', value: '$(P_b)$(KUBERNETES_SERVICE_HOST)$(LATER)' },
        { name: 'LATER', value: 'x' },
      ],
    });
    assert.deepEqual(
      [found['P_a'], found['P_b'], found['password'], found['BOTH']],
      ['own', '2', 'geheim', '210.96.0.1$(LATER)'],
    );
  });

  it('resolves references', () => {
    const found = env({
      resources: { limits: { cpu: '1500m' } },
      env: [
        { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'HOSTS', valueFrom: { fieldRef: { fieldPath: 'status.hostIPs' } } },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'a' } } },
        { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'sec', key: 'password' } } },
        { name: 'GONE', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'z', optional: true } } },
      ],
    });
    assert.deepEqual(
      ['NAME', 'LABEL', 'IP', 'HOSTS', 'CPU', 'MEMORY', 'KEY', 'SECRET', 'GONE'].map((name) => found[name]),
      ['web', 'x', '10.0.0.2', '10.0.0.1,::1', '2', '1024', '1', 'geheim', undefined],
    );
  });

  const wrong: readonly (readonly [sentence: string, Partial<Container>, string])[] = [
    ['a ConfigMap that is missing', { envFrom: [{ configMapRef: { name: 'no' } }] }, 'configmap "no" not found'],
    ['a Secret that is missing', { envFrom: [{ secretRef: { name: 'no' } }] }, 'secret "no" not found'],
    [
      'a key that is missing',
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'z' } } }] },
      "couldn't find key z in ConfigMap default/cfg",
    ],
    [
      'a secret key that is missing',
      { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'sec', key: 'z' } } }] },
      "couldn't find key z in Secret default/sec",
    ],
    [
      'a field that is none',
      { env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.secret' } } }] },
      'unsupported fieldPath: spec.secret',
    ],
    [
      'a resource that is none',
      { env: [{ name: 'X', valueFrom: { resourceFieldRef: { resource: 'limits.gpu' } } }] },
      'unsupported container resource : limits.gpu',
    ],
    [
      'a source that is none',
      { env: [{ name: 'X', valueFrom: {} }] },
      'an environment variable is taken from a source that this node does not know',
    ],
  ];
  for (const [sentence, container, message] of wrong) {
    it(`refuses ${sentence}`, () => assert.throws(() => env(container), { code: 'POD_CONFIG_INVALID', message }));
  }

  it('leaves optional objects out', () => {
    assert.doesNotThrow(() =>
      env({
        envFrom: [{ configMapRef: { name: 'no', optional: true } }, { secretRef: { name: 'no', optional: true } }],
      }),
    );
  });
});

describe('invocationOf()', () => {
  const of = (container: Partial<Container>, more: object = {}) =>
    invocationOf({ name: 'main', ...container }, { image: { ...image, ...more }, env: new Map([['A', 'a']]) });
  const rows: readonly (readonly [sentence: string, Partial<Container>, object, string[]])[] = [
    ["a bare artifact gets its program's name", {}, {}, ['hello']],
    ['and args behind it', { args: ['$(A)', '$$(A)'] }, {}, ['hello', 'a', '$(A)']],
    ['a command stands for itself', { command: ['/x'], args: ['1'] }, {}, ['/x', '1']],
    ['an image gives entrypoint and cmd', {}, { entrypoint: ['/e'], cmd: ['c'] }, ['/e', 'c']],
    ['args replace cmd', { args: ['1'] }, { entrypoint: ['/e'], cmd: ['c'] }, ['/e', '1']],
    ['a command replaces both', { command: ['/x'] }, { entrypoint: ['/e'], cmd: ['c'] }, ['/x']],
    ['an image with cmd alone keeps a program name', {}, { cmd: ['c'] }, ['hello', 'c']],
  ];
  for (const [sentence, container, more, args] of rows)
    it(sentence, () => assert.deepEqual(of(container, more).args, args));

  it('names another function by #', () => {
    assert.deepEqual([of({ command: ['/app.wasm#run', 'x'] }).entrypoint, of({}).entrypoint], ['run', '_start']);
    assert.deepEqual(of({ command: ['/app.wasm#run', 'x'] }).args, ['/app.wasm', 'x']);
  });

  it("starts in the pod's directory, else the image's, else the root", () => {
    assert.deepEqual(
      [
        of({ workingDir: '/w' }, { workingDir: '/i' }).workingDir,
        of({}, { workingDir: '/i' }).workingDir,
        of({}).workingDir,
      ],
      ['/w', '/i', '/'],
    );
  });
});

describe('the downward API', () => {
  it('writes maps sorted and quoted', () => {
    const pod = podOf({}, { labels: { b: '2', a: 'x"y' } });
    assert.equal(fieldValue(pod, 'metadata.labels', facts), 'a="x\\"y"\nb="2"');
  });

  it('rounds up and knows another container by name', () => {
    const pod = podOf({ containers: [{ name: 'other', resources: { requests: { memory: '1500Ki' } } }] });
    const selector = { resource: 'requests.memory', containerName: 'other', divisor: '1Mi' };
    assert.equal(resourceValue(pod, selector, { allocatable: {} }), '2');
    assert.throws(
      () => resourceValue(pod, { ...selector, containerName: 'none' }, { allocatable: {} }),
      /container none not found/,
    );
  });
});

describe('serviceVariables()', () => {
  const service: Service = {
    metadata: { name: 'my-db', namespace: 'default' },
    spec: { clusterIP: '10.0.0.9', ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }] },
  };
  it('tells of Services as Docker links did', () => {
    assert.deepEqual(
      Object.fromEntries(serviceVariables([service], { namespace: 'default', enableServiceLinks: true })),
      {
        MY_DB_SERVICE_HOST: '10.0.0.9',
        MY_DB_SERVICE_PORT: '5432',
        MY_DB_SERVICE_PORT_PG: '5432',
        MY_DB_PORT: 'tcp://10.0.0.9:5432',
        MY_DB_PORT_5432_TCP: 'tcp://10.0.0.9:5432',
        MY_DB_PORT_5432_TCP_PROTO: 'tcp',
        MY_DB_PORT_5432_TCP_PORT: '5432',
        MY_DB_PORT_5432_TCP_ADDR: '10.0.0.9',
      },
    );
  });

  it('leaves headless ones, other namespaces and unwanted links out; the API server is always told', () => {
    const headless = { ...service, spec: { ...service.spec, clusterIP: 'None' } };
    const scope = { namespace: 'default', enableServiceLinks: false, apiAddress: { host: '127.0.0.1', port: 6443 } };
    assert.deepEqual(
      [...serviceVariables([headless], { ...scope, enableServiceLinks: true }).keys()].filter((name) =>
        name.startsWith('MY'),
      ),
      [],
    );
    const found = serviceVariables([service], scope);
    assert.equal(found.get('MY_DB_SERVICE_HOST'), undefined);
    assert.deepEqual(
      [found.get('KUBERNETES_SERVICE_HOST'), found.get('KUBERNETES_SERVICE_PORT')],
      ['127.0.0.1', '6443'],
    );
    assert.equal(
      serviceVariables([service], { ...scope, namespace: 'other', enableServiceLinks: true }).has('MY_DB_PORT'),
      false,
    );
  });
});
