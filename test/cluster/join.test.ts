/** A node joins a real control plane: bootstrap, approval, presence, rights, rotation, restart. Pods are in test/e2e. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createLog } from '#kit';
import { connect, connectByKubeconfig, connectConfigOf, loadAccess, PODS } from '#kube';
import { readCertificate } from '#kube/certificates';
import type { CertificateSigningRequest, Lease, Node as NodeObject, Pod } from '#kube/types';
import { createBootstrap, type Node, type NodeOptions, startNode } from '#node';
import { run } from '../processes/command.ts';
import { JumpingClock } from './jumping-clock.ts';
import { type ControlPlane, startControlPlane } from './start.ts';

let dir: string;
let cluster: ControlPlane;
let node: Node;
const clock = new JumpingClock();
const lines: string[] = [];

function options(name: string, more: Partial<NodeOptions> = {}): NodeOptions {
  return {
    name,
    hostname: name,
    dataDir: join(dir, name),
    access: { bootstrapKubeconfig: join(dir, 'bootstrap.kubeconfig') },
    mode: 'joined',
    version: '0.1.0',
    log: createLog({ level: 'debug', write: (line) => lines.push(line) }),
    clock,
    ...more,
  };
}

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wasmlet-join-'));
  cluster = await startControlPlane({ dir: join(dir, 'cluster') });
  if (cluster.enter.length > 0) throw new Error("Cannot run outside the group's namespace: use `npm test -- cluster`");
  await using admin = await connectByKubeconfig(cluster.kubeconfig);
  const access = await loadAccess(cluster.kubeconfig);
  const { kubeconfig } = await createBootstrap({ client: admin, access, now: Date.now() });
  await writeFile(join(dir, 'bootstrap.kubeconfig'), kubeconfig);
  node = await startNode(options('edge-1'));
  await node.ready({ signal: AbortSignal.timeout(60_000) });
});

after(async () => {
  await node?.stop({ guests: 'end' });
  await cluster?.stop();
  if (process.env['WASMLET_TEST_KEEP'] === '1') console.log(`kept ${dir}`);
  else await rm(dir, { recursive: true, force: true });
});

async function get<T>(...args: string[]): Promise<T> {
  const { stdout } = await cluster.kubectl(['get', '-o', 'json', ...args]);
  return JSON.parse(stdout) as T;
}

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const limit = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > limit)
      throw new Error(
        `Cannot see ${what}: not within a minute\n${lines
          .filter((line) => !line.includes('pod action'))
          .slice(-30)
          .join('')}`,
      );
    await setTimeout(200);
  }
}

async function requests(signer: string): Promise<CertificateSigningRequest[]> {
  const { items } = await get<{ items: CertificateSigningRequest[] }>('csr');
  return items.filter(({ spec }) => spec.signerName === `kubernetes.io/${signer}`);
}

test('the node is there as Krustlet was: labels, taints, versions, conditions with Ready last', async () => {
  const { metadata, spec, status } = await get<NodeObject>('node', 'edge-1');
  assert.equal(metadata?.labels?.['kubernetes.io/arch'], 'wasm32-wasi');
  assert.equal(metadata?.labels?.['kubernetes.io/os'], 'wasm32-wasi');
  const taints = spec?.taints?.filter(({ key }) => key === 'kubernetes.io/arch').map(({ effect }) => effect);
  assert.deepEqual(taints, ['NoSchedule', 'NoExecute']);
  assert.equal(status?.nodeInfo?.containerRuntimeVersion, 'wasmlet://0.1.0');
  assert.deepEqual(
    status?.conditions?.map(({ type }) => type),
    ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'ServingCertificateReady', 'wasmlet.dev/Walls', 'Ready'],
  );
  assert.deepEqual(status?.addresses, [
    { type: 'InternalIP', address: cluster.namespace.address },
    { type: 'Hostname', address: 'edge-1' },
  ]);
});

test('its lease belongs to it and is renewed', async () => {
  const first = await get<Lease>('lease', 'edge-1', '-n', 'kube-node-lease');
  const { metadata } = await get<NodeObject>('node', 'edge-1');
  assert.equal(first.metadata?.ownerReferences?.[0]?.uid, metadata?.uid);
  assert.equal(first.spec?.leaseDurationSeconds, 40);
  await eventually('a renewed lease', async () => {
    const { spec } = await get<Lease>('lease', 'edge-1', '-n', 'kube-node-lease');
    return spec?.renewTime === first.spec?.renewTime ? undefined : true;
  });
});

test('events tell that it started and became ready', async () => {
  await eventually('the events', async () => {
    const { items } = await get<{ items: { reason: string }[] }>(
      'events',
      '--field-selector=involvedObject.name=edge-1',
    );
    const reasons = new Set(items.map(({ reason }) => reason));
    return ['Starting', 'NodeReady', 'NodeHasSufficientMemory'].every((reason) => reasons.has(reason))
      ? true
      : undefined;
  });
});

test('until its serving certificate is approved the API server does not trust it, and a condition says how', async () => {
  const condition = await eventually('the waiting condition', async () => {
    const { status } = await get<NodeObject>('node', 'edge-1');
    const found = status?.conditions?.find(({ type }) => type === 'ServingCertificateReady');
    return found?.message?.includes('kubectl certificate approve') ? found : undefined;
  });
  assert.deepEqual([condition.status, condition.reason], ['False', 'WaitingForApproval']);
  const { stderr } = await cluster.kubectl(['get', '--raw', '/api/v1/nodes/edge-1/proxy/healthz'], { accept: 'any' });
  assert.match(stderr, /signed by unknown authority/);
  const command = /(kubectl certificate approve \S+)/.exec(condition.message ?? '')?.[1] ?? '';
  await cluster.kubectl(command.split(' ').slice(1));
  await cluster.kubectl(['wait', '--for=condition=ServingCertificateReady', '--timeout=60s', 'node/edge-1']);
  const again = await cluster.kubectl(['get', '--raw', '/api/v1/nodes/edge-1/proxy/healthz']);
  assert.equal(again.stdout, 'ok');
});

test('who is not known is not let in, and who is known may do what the cluster allows', async () => {
  const curl = ['curl', '--silent', '--cacert', cluster.ca, '--write-out', ' %{http_code}'];
  const url = `https://${node.address}:${node.port}/pods`;
  assert.equal((await run([...curl, url])).stdout, 'Unauthorized 401');
  await cluster.kubectl(['create', 'serviceaccount', 'reader']);
  const { stdout: token } = await cluster.kubectl(['create', 'token', 'reader']);
  const bearer = ['--header', `Authorization: Bearer ${token.trim()}`];
  const { stdout } = await run([...curl, ...bearer, url]);
  assert.match(
    stdout,
    /^Forbidden \(user=system:serviceaccount:default:reader, verb=get, resource=nodes, subresource\(s\)=\[pods proxy\]\)\n 403$/,
  );
});

test('a pod that waits is refused in the words of the kubelet', async () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'waits' },
    spec: {
      tolerations: [{ key: 'kubernetes.io/arch', operator: 'Exists' }],
      nodeSelector: { 'kubernetes.io/arch': 'wasm32-wasi' },
      containers: [{ name: 'c', image: '127.0.0.1:1/none:1' }],
    },
  };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(pod) });
  await eventually('a container that waits', async () => {
    const { status } = await get<Pod>('pod', 'waits');
    const reason = status?.containerStatuses?.[0]?.state?.waiting?.reason ?? '';
    return ['ErrImagePull', 'ImagePullBackOff', 'RegistryUnavailable'].includes(reason) ? true : undefined;
  });
  const { stderr } = await cluster.kubectl(['logs', 'waits'], { accept: 'any' });
  assert.match(stderr, /container "c" in pod "waits" is waiting to start: /);
  await cluster.kubectl(['delete', 'pod', 'waits', '--timeout=60s']);
});

test('it asked for nothing that it may not have', () => {
  assert.deepEqual(
    lines.filter((line) => /forbidden|cannot list|cannot watch/i.test(line)),
    [],
  );
});

test('its credentials are those of a node: it may not list the pods of others', async () => {
  const access = await loadAccess(join(dir, 'edge-1', 'pki', 'kubelet.kubeconfig'));
  await using client = connect(connectConfigOf(access));
  await assert.rejects(client.list(PODS), /Forbidden|forbidden/);
});

test('its certificates are renewed when their time has come, and it stays ready', async () => {
  const path = join(dir, 'edge-1', 'pki', 'kubelet-client-current.pem');
  const before = await readFile(path, 'utf8');
  const { notBefore, notAfter } = readCertificate(before);
  clock.jump((notAfter - notBefore) * 0.92);
  await eventually('a new client certificate', async () =>
    (await readFile(path, 'utf8')) === before ? undefined : true,
  );
  assert.equal((await requests('kube-apiserver-client-kubelet')).length, 2);
  const pending = await eventually('a second serving request', async () => {
    const found = await requests('kubelet-serving');
    return found.find(({ status }) => status?.certificate === undefined)?.metadata?.name;
  });
  await cluster.kubectl(['certificate', 'approve', pending]);
  await eventually('a new serving certificate', async () => {
    const { stdout } = await cluster.kubectl(['get', '--raw', '/api/v1/nodes/edge-1/proxy/healthz']);
    const serving = await readFile(join(dir, 'edge-1', 'pki', 'kubelet-server-current.pem'), 'utf8');
    const issued = (await requests('kubelet-serving')).map(({ status }) =>
      Buffer.from(status?.certificate ?? '', 'base64').toString(),
    );
    return stdout === 'ok' &&
      issued.filter((text) => serving.startsWith(text.trim())).length === 1 &&
      issued.length === 2
      ? true
      : undefined;
  });
  await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=60s', 'node/edge-1']);
});

test('a node that somebody deleted makes itself known again', async () => {
  const { metadata } = await get<NodeObject>('node', 'edge-1');
  await cluster.kubectl(['delete', 'node', 'edge-1']);
  const again = await eventually('the node again', async () => {
    const { code, stdout } = await cluster.kubectl(['get', 'node', 'edge-1', '-o', 'json'], { accept: 'any' });
    return code === 0 ? (JSON.parse(stdout) as NodeObject) : undefined;
  });
  assert.notEqual(again.metadata?.uid, metadata?.uid);
  await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=60s', 'node/edge-1']);
});

test('a second node has other names, and its own taints', async () => {
  const taints = [{ key: 'edge', value: 'yes', effect: 'NoSchedule' }];
  const second = await startNode(
    options('edge-2', { arch: 'wasm32-wagi', taints, port: 0, labels: { site: 'north' } }),
  );
  try {
    await second.ready({ signal: AbortSignal.timeout(60_000) });
    const { metadata, spec } = await get<NodeObject>('node', 'edge-2');
    assert.equal(metadata?.labels?.['kubernetes.io/arch'], 'wasm32-wagi');
    assert.equal(metadata?.labels?.['site'], 'north');
    const own = spec?.taints?.filter(({ key }) => !key.startsWith('node.kubernetes.io/'));
    assert.deepEqual(own, taints);
    assert.notEqual(second.healthz, node.healthz);
  } finally {
    await second.stop({ guests: 'end' });
  }
  const { status } = await get<NodeObject>('node', 'edge-2');
  assert.equal(status?.conditions?.at(-1)?.message, 'node is shutting down');
});

test('after a restart it needs no token, and is the same node', async () => {
  const { metadata } = await get<NodeObject>('node', 'edge-1');
  await node.stop({ guests: 'keep' });
  await rm(join(dir, 'bootstrap.kubeconfig'));
  node = await startNode(options('edge-1'));
  await node.ready({ signal: AbortSignal.timeout(60_000) });
  const again = await get<NodeObject>('node', 'edge-1');
  assert.equal(again.metadata?.uid, metadata?.uid);
  assert.equal(again.status?.conditions?.find(({ type }) => type === 'ServingCertificateReady')?.status, 'True');
});

test('an API server that restarts is waited for', async () => {
  await cluster.parts['kube-apiserver'].signal('SIGKILL');
  await setTimeout(1000);
  cluster.parts['kube-apiserver'].start();
  await cluster.ready();
  const first = await get<Lease>('lease', 'edge-1', '-n', 'kube-node-lease');
  await eventually('a renewed lease', async () => {
    const { spec } = await get<Lease>('lease', 'edge-1', '-n', 'kube-node-lease');
    return spec?.renewTime === first.spec?.renewTime ? undefined : true;
  });
});
