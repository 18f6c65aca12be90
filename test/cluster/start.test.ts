import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { need, run } from '../processes/command.ts';
import { type ControlPlane, startControlPlane } from './start.ts';

let dir: string;
let cluster: ControlPlane;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wasmlet-cluster-test-'));
  cluster = await startControlPlane({ dir });
});

after(async () => {
  await cluster?.stop();
  await rm(dir, { recursive: true, force: true });
});

test('the cluster answers its administrator, with its version', async () => {
  const { stdout } = await cluster.kubectl(['version', '--output=json']);
  assert.equal(JSON.parse(stdout).serverVersion.gitVersion, 'v1.35.4');
});

test('its controllers work: a Deployment gets its pods, which wait for a node', async () => {
  await cluster.kubectl(['create', 'deployment', 'idle', '--image=none', '--replicas=2']);
  await cluster.kubectl(['wait', '--for=create', '--timeout=60s', 'pod', '--selector=app=idle']);
  const unscheduled = '--for=jsonpath={.status.conditions[0].reason}=Unschedulable';
  await cluster.kubectl(['wait', unscheduled, '--timeout=60s', 'pod', '--selector=app=idle']);
});

test('a bearer of the bootstrap token gets a client certificate for its node, and may do nothing else', async () => {
  const key = join(dir, 'node.key');
  const subject = '/O=system:nodes/CN=system:node:newcomer';
  const openssl = need('openssl');
  await run([openssl, 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
  const { stdout: request } = await run([openssl, 'req', '-new', '-key', key, '-subj', subject]);
  const csr = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'newcomer' },
    spec: {
      request: Buffer.from(request).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['digital signature', 'client auth'],
    },
  };
  const asNewcomer = ['--kubeconfig', cluster.bootstrapKubeconfig];
  await cluster.kubectl([...asNewcomer, 'create', '-f', '-'], { input: JSON.stringify(csr) });
  await cluster.kubectl(['wait', '--for=jsonpath={.status.certificate}', '--timeout=60s', 'csr/newcomer']);
  const refused = await cluster.kubectl([...asNewcomer, 'get', 'secrets'], { accept: 'any' });
  assert.match(refused.stderr, /Forbidden/);
});

test('a user of the cluster may do what RBAC says, which is nothing', async () => {
  const kubeconfig = await cluster.user('somebody');
  const { stdout, code } = await cluster.kubectl(['--kubeconfig', kubeconfig, 'auth', 'can-i', 'get', 'pods'], {
    accept: [1],
  });
  assert.deepEqual([stdout.trim(), code], ['no', 1]);
});

test('the API server can be killed and started again, and has forgotten nothing', async () => {
  await cluster.kubectl(['create', 'namespace', 'kept']);
  const server = cluster.parts['kube-apiserver'];
  await server.signal('SIGKILL');
  const refused = await cluster.kubectl(['get', 'namespaces'], { accept: 'any' });
  assert.notEqual(refused.code, 0);
  server.start();
  await cluster.ready();
  await cluster.kubectl(['get', 'namespace', 'kept']);
});

test('a part that cannot start is named, with its last words', async () => {
  const flags = { 'kube-apiserver': ['--no-such-flag'] };
  const broken = startControlPlane({ dir: join(dir, 'broken'), flags, namespace: await other() });
  await assert.rejects(broken, /kube-apiserver has ended[\s\S]*no-such-flag/);
});

test('a kubeconfig carries all that its reader needs', async () => {
  const config = JSON.parse(await readFile(cluster.kubeconfig, 'utf8'));
  assert.deepEqual(Object.keys(config.clusters[0].cluster), ['server', 'certificate-authority-data']);
  assert.deepEqual(Object.keys(config.users[0].user), ['client-certificate-data', 'client-key-data']);
});

async function other() {
  const { makeNamespace } = await import('../netns/namespace.ts');
  const namespace = await makeNamespace({ label: 'broken' });
  after(() => namespace.remove());
  return namespace;
}
