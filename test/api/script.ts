/**
 * What is asked of both API servers: kubectl commands, fixed, in scenarios that need no pod to run. `record.ts` runs them
 * against the real one and keeps requests and answers; `replay.test.ts` sends the same requests to ours.
 */
export interface Step {
  readonly args: readonly string[];
  /** Given to kubectl on its standard input. */
  readonly input?: unknown;
}

export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** Made before the recording starts; every scenario works in it. */
export const NAMESPACE = 'recorded';

function step(line: string, input?: unknown): Step {
  const args = line.split(' ');
  return input === undefined ? { args } : { args, input };
}

const metadata = { name: 'first', namespace: NAMESPACE };

function pod(name: string, spec: object = {}, more: object = {}): object {
  const container = { name: 'main', image: 'registry.example/app:1', ports: [{ containerPort: 8080 }] };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, ...more },
    // A scheduler of another name: so that neither server's own does anything with it.
    spec: { containers: [container], schedulerName: 'nobody', ...spec },
  };
}

function configMap(data: object, more: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, ...more }, data };
}

const RICH = pod(
  'rich',
  {
    initContainers: [{ name: 'before', image: 'registry.example/app:2', command: ['/a'] }],
    containers: [
      {
        name: 'main',
        image: 'registry.example/app',
        env: [
          { name: 'A', value: '1' },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
        envFrom: [{ configMapRef: { name: 'first' } }],
        ports: [{ name: 'http', containerPort: 80 }],
        livenessProbe: { httpGet: { port: 'http' } },
        readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 2 },
        resources: { limits: { cpu: '0.5', memory: '1024Mi' }, requests: { cpu: '250m' } },
        volumeMounts: [
          { name: 'scratch', mountPath: '/tmp' },
          { name: 'config', mountPath: '/etc/app' },
        ],
        lifecycle: { preStop: { exec: { command: ['/stop'] } } },
      },
      {
        name: 'side',
        image: 'registry.example/side@sha256:0123456789012345678901234567890123456789012345678901234567890123',
      },
    ],
    volumes: [
      { name: 'scratch', emptyDir: {} },
      { name: 'config', configMap: { name: 'first', items: [{ key: 'a', path: 'a' }] } },
      { name: 'secret', secret: { secretName: 'first' } },
    ],
    tolerations: [{ key: 'x', operator: 'Exists' }],
    terminationGracePeriodSeconds: 5,
    restartPolicy: 'OnFailure',
    automountServiceAccountToken: false,
  },
  { labels: { app: 'rich' }, annotations: { note: 'yes' } },
);

const WRONG = pod('Wrong_Name', {
  containers: [
    { name: 'a', image: '' },
    {
      name: 'a',
      image: 'x',
      ports: [{ containerPort: 99_999 }],
      volumeMounts: [{ name: 'none', mountPath: '/x' }],
      livenessProbe: {},
    },
  ],
  restartPolicy: 'Sometimes',
  volumes: [{ name: 'v', emptyDir: {}, secret: { secretName: 's' } }],
});

const STATUS = {
  status: {
    phase: 'Running',
    podIP: '10.1.2.3',
    podIPs: [{ ip: '10.1.2.3' }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z', lastProbeTime: null }],
    containerStatuses: [
      {
        name: 'main',
        image: 'registry.example/app:1',
        imageID: 'x',
        ready: true,
        restartCount: 2,
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  },
};

/** One request of kubectl's own making, below the namespace's config maps. */
function raw(method: 'GET' | 'POST' | 'PUT' | 'DELETE', rest: string, input?: unknown): Step {
  const verb = { GET: 'get', POST: 'create', PUT: 'replace', DELETE: 'delete' }[method];
  const args = [verb, '--raw', `/api/v1/namespaces/${NAMESPACE}/configmaps${rest}`];
  return input === undefined ? { args } : { args: [...args, '-f', '-'], input };
}

/** A certificate signing request that nobody signs. */
const REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIck1JR1NBZ0VBTURBeEZUQVRCZ05WQkFvTURITjVjM1JsYlRwdWIyUmxjekVYTUJVR0ExVUVBd3dPYzNsegpkR1Z0T201dlpHVTZiakV3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVIyZGVJUXRuVmFwNnlZCjBEcS9qRDBES1hXcFlkUkE3b2tKbFRaUm51d2JPUk11LzIxWldaSGV0dm5tdDFJUnBNcCtpSHc4bGFTVjdhVlUKeWdsM3ZNSjNvQUF3Q2dZSUtvWkl6ajBFQXdJRFNBQXdSUUloQU1iSC9YMjF1YVV4ejJQZDdINzhoK3Q5NkphVAphRFRWOVNFcjBGNWZqTmFPQWlBRXoySUs3QmtGUWlPVjdtZ29lRkJyUDNqMFR2ZzhUYW55L2FkdWcwcTVXdz09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=';

function patch(type: string, body: unknown, target = 'configmap first'): Step {
  return { args: ['patch', ...target.split(' '), `--type=${type}`, '-p', JSON.stringify(body)] };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'configmaps',
    steps: [
      step('create configmap first --from-literal=a=1 --from-literal=b=2'),
      step('create configmap first --from-literal=a=1'),
      step('get configmap first'),
      step('get configmap first -o yaml'),
      step('get configmaps -o wide --selector nothing=here'),
      step('get configmap none'),
      step('label configmap first app=demo'),
      step('annotate configmap first note=hello'),
      step('get configmaps -l app=demo -o name'),
      patch('merge', { data: { a: null, c: '3' } }),
      patch('json', [
        { op: 'test', path: '/data/c', value: '3' },
        { op: 'replace', path: '/data/c', value: '4' },
      ]),
      patch('json', [{ op: 'test', path: '/data/c', value: 'nine' }]),
      patch('json', [{ op: 'remove', path: '/data/none' }]),
      patch('strategic', { data: { d: '5' } }),
      patch('merge', { foo: 1 }),
      patch('merge', { data: { 'bad key': 'x' } }),
      patch('merge', { data: 'x' }),
      step('replace -f -', configMap({ z: '26' })),
      step('create -f - --dry-run=server', configMap({ a: '1' }, { name: 'dry' })),
      step('create -f -', configMap({ a: '1' }, { name: 'strict', labels: { 'bad label!': 'x' } })),
      step('create -f -', { ...configMap({ a: '1' }, { name: 'strict' }), foo: 1 }),
      step('create -f - --validate=warn', { ...configMap({ a: '1' }, { name: 'warned' }), foo: 1 }),
      step('create -f -', configMap({}, { name: undefined, generateName: 'made-' })),
      step('delete configmap first'),
      step('delete configmap first'),
      step('delete configmaps --field-selector metadata.name=warned'),
    ],
  },
  {
    name: 'apply',
    steps: [
      step('apply -f -', configMap({ a: '1', b: '2' })),
      step('apply -f -', configMap({ a: '1', c: '3' })),
      step('apply -f -', configMap({ a: '1', c: '3' })),
      step('diff -f -', configMap({ a: '2', c: '3' })),
      step('apply -f - --dry-run=server', configMap({ a: '9' })),
      step('apply -f - --server-side', configMap({ a: '2', c: '3' })),
      step('apply -f - --server-side --field-manager=other', configMap({ a: '5' })),
      step('apply -f - --server-side --field-manager=other --force-conflicts', configMap({ a: '5' })),
      step('apply -f - --server-side', configMap({ c: '3' })),
      step('apply -f - --server-side --field-manager=other', configMap({})),
      step('get configmap first -o yaml --show-managed-fields'),
      step('apply -f - --server-side', pod('applied', {}, { labels: { a: '1' } })),
      step('apply -f - --server-side', { ...(pod('applied') as object), foo: 1 }),
      step(
        'apply -f - --server-side',
        pod('applied', { containers: [{ name: 'main', image: 'registry.example/app:2' }] }),
      ),
      step('get pod applied -o yaml --show-managed-fields'),
      step('delete pod applied --grace-period=0 --force --wait=false'),
      step('delete configmap first'),
    ],
  },
  {
    name: 'pods',
    steps: [
      step('create -f -', pod('plain')),
      step('create -f -', RICH),
      step('create -f -', WRONG),
      step('create -f -', pod('broken', { containers: 'x' })),
      step('create -f -', pod('broken', { containers: [{ name: 'a', image: 'b', bogus: 1 }] })),
      step('create -f -', pod('empty', { containers: [] })),
      step('get pods'),
      step('get pods -o wide'),
      step('get pod plain -o jsonpath={.spec.containers[0].image}'),
      step('get pods --field-selector status.phase=Running'),
      { args: ['patch', 'pod', 'plain', '--subresource=status', '--type=merge', '-p', JSON.stringify(STATUS)] },
      step('get pods'),
      step('wait --for=condition=Ready pod/plain --timeout=5s'),
      patch('strategic', { spec: { containers: [{ name: 'main', image: 'registry.example/app:3' }] } }, 'pod plain'),
      patch('strategic', { spec: { containers: [{ name: 'main', command: ['/x'] }] } }, 'pod plain'),
      patch(
        'json',
        [{ op: 'add', path: '/spec/tolerations/-', value: { key: 'more', operator: 'Exists' } }],
        'pod plain',
      ),
      patch('strategic', { spec: { containers: [{ image: 'no name' }] } }, 'pod plain'),
      patch('merge', { metadata: { finalizers: ['example.com/keep'] } }, 'pod rich'),
      step('describe pod rich'),
      step('label pod plain a=b --overwrite'),
      step('delete pod rich --wait=false'),
      step('get pod rich'),
      patch('merge', { metadata: { finalizers: null } }, 'pod rich'),
      step('delete pod plain --grace-period=0 --force'),
      step('wait --for=delete pod/plain --timeout=5s'),
      step('get pods'),
    ],
  },
  {
    name: 'others',
    steps: [
      step('create secret generic first --from-literal=password=hidden'),
      step('get secrets'),
      step('patch secret first --type=merge -p {"type":"other"}'),
      step('create -f -', {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...metadata, name: 'second' },
        stringData: { a: 'b' },
        immutable: true,
      }),
      step('patch secret second --type=merge -p {"stringData":{"a":"c"}}'),
      step('create secret tls broken --cert=/dev/null --key=/dev/null'),
      step('delete secret first second'),
      step('create serviceaccount worker'),
      step('get serviceaccounts'),
      step('create token worker --duration=600s'),
      step('delete serviceaccount worker'),
      step('create namespace other'),
      step('get namespace other -o yaml'),
      step('create namespace Not_A_Name'),
      step('get namespaces'),
      step('create -f -', {
        apiVersion: 'node.k8s.io/v1',
        kind: 'RuntimeClass',
        metadata: { name: 'fast' },
        handler: 'fast',
      }),
      step('get runtimeclasses'),
      step('patch runtimeclass fast --type=merge -p {"handler":"slow"}'),
      step('delete runtimeclass fast'),
      step('create -f -', {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata,
        spec: { holderIdentity: 'me', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.5Z' },
      }),
      step('create -f -', {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata,
        spec: { holderIdentity: 'me', renewTime: '2026-01-01T00:00:00.500000Z' },
      }),
      step('get leases'),
      step('patch lease first --type=merge -p {"spec":{"leaseDurationSeconds":0}}'),
      step('delete lease first'),
      step('auth can-i create pods'),
      step('auth whoami -o json'),
      step('api-resources --api-group=coordination.k8s.io'),
      step('explain pod.spec.restartPolicy'),
      step('get --raw /api/v1/namespaces/none/pods/x'),
      step('get --raw /apis/none/v1'),
      step('get events'),
    ],
  },
  {
    name: 'lists',
    steps: [
      ...['one', 'two', 'three'].map((name) =>
        step('create -f -', configMap({ a: name }, { name, labels: { set: 'x', name } })),
      ),
      step('get configmaps -l set=x --chunk-size=2'),
      step('get configmaps -l set=x,name!=two -o name'),
      { args: ['get', 'configmaps', '-l', 'name in (one,two)', '-o', 'name'] },
      step('get configmaps -l set=x --sort-by=.metadata.name -o name'),
      raw('GET', '?limit=1&labelSelector=set%3Dx'),
      raw('GET', '?labelSelector=!!'),
      raw('GET', '?fieldSelector=bogus%3Dx'),
      raw('GET', '?fieldSelector=bogus'),
      raw('GET', '?resourceVersion=abc'),
      raw('GET', '?continue=garbage'),
      raw('GET', '?limit=1&resourceVersion=1&resourceVersionMatch=Exact'),
      raw('GET', '?resourceVersionMatch=Exact'),
      raw('GET', '?sendInitialEvents=true'),
      raw('GET', '?watch=1&sendInitialEvents=true'),
      raw('GET', '?watch=1&resourceVersion=abc'),
      raw('DELETE', '/one?dryRun=All'),
      raw('DELETE', '/one?dryRun=Some'),
      raw('DELETE', '/one?propagationPolicy=Sideways'),
      raw('DELETE', '/one', { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: 'other' } }),
      raw('DELETE', '/one', { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { resourceVersion: '1' } }),
      raw('PUT', '/one', configMap({ b: '1' }, { name: 'two' })),
      raw('PUT', '/one', configMap({ b: '1' }, { name: 'one', resourceVersion: '1' })),
      raw('PUT', '/one', configMap({ b: '1' }, { name: 'one', uid: 'other' })),
      raw('PUT', '/one', configMap({ b: '1' }, { name: 'one' })),
      raw('PUT', '/none', configMap({ b: '1' }, { name: 'none' })),
      raw('POST', '', configMap({}, { name: 'x', namespace: 'elsewhere' })),
      raw('POST', '', configMap({}, { name: 'x', resourceVersion: '5' })),
      raw('POST', '', { apiVersion: 'v2', kind: 'ConfigMap', metadata: { name: 'x' } }),
      raw('POST', '', configMap({}, { name: undefined })),
      raw('POST', '/one', configMap({}, { name: 'one' })),
      step('delete configmaps -l set=x'),
    ],
  },
  {
    name: 'cluster',
    steps: [
      step('create -f -', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n1', labels: { a: 'b' } },
        spec: { unschedulable: true },
      }),
      step('get nodes -o wide'),
      step('uncordon n1'),
      step('taint node n1 a=b:NoExecute'),
      step('taint node n1 a=b:Sometimes'),
      {
        args: [
          'patch',
          'node',
          'n1',
          '--subresource=status',
          '-p',
          JSON.stringify({ status: { capacity: { cpu: '2', pods: 110, memory: '4096Mi' } } }),
        ],
      },
      step('describe node n1'),
      step('delete node n1'),
      step('create -f -', {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'joining' },
        spec: { request: REQUEST, signerName: 'example.com/none', usages: ['client auth'] },
      }),
      step('get csr'),
      step('certificate approve joining'),
      step('get csr joining'),
      step('certificate deny joining'),
      step('delete csr joining'),
      step('create -f -', {
        apiVersion: 'v1',
        kind: 'Event',
        metadata,
        involvedObject: { kind: 'Pod', name: 'p', namespace: NAMESPACE },
        reason: 'R',
        message: 'm',
        type: 'Normal',
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        count: 1,
      }),
      step('get events'),
      step('events'),
      step('get events.events.k8s.io first -o yaml'),
      step('delete event first'),
      step('create priorityclass high --value=10'),
      step('get priorityclasses high -o wide'),
      step('patch priorityclass high --type=merge -p {"value":11}'),
      step('delete priorityclass high'),
      step('auth can-i --list'),
    ],
  },
];
