import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { connect, type HttpKubeClient, LEASES, NODES, PODS } from '#kube';
import { makeSigningRequest } from '#kube/certificates';
import { type Harness, podNamed, readyNode, startHarness } from './api-harness.fixture.ts';

const IN_DEFAULT = '/api/v1/namespaces/default';
let api: Harness;
before(async () => {
  api = await startHarness();
  await api.node.create(NODES, readyNode());
  const secret = (name: string) => ({ metadata: { name }, stringData: { a: 'b' } });
  for (const name of ['named', 'other']) await api.ask('POST', `${IN_DEFAULT}/secrets`, { body: secret(name) });
  const volumes = [{ name: 's', secret: { secretName: 'named' } }];
  await api.ask('POST', `${IN_DEFAULT}/pods`, { body: podNamed('mine', { nodeName: 'n1', volumes }) });
  await api.ask('POST', `${IN_DEFAULT}/pods`, { body: podNamed('theirs', { nodeName: 'n2' }) });
});
after(() => api[Symbol.asyncDispose]());

function clientWith(token?: string): HttpKubeClient {
  const { url, ca } = api.running.facts;
  return connect({ server: url, ca, ...(token === undefined ? {} : { token: () => token }) });
}

describe('nobody', () => {
  it('sees health and nothing else', async () => {
    await using nobody = clientWith();
    for (const path of ['/healthz', '/livez', '/readyz']) {
      assert.equal((await api.ask('GET', path, { as: nobody })).code, 200);
    }
    for (const path of ['/', '/api', '/apis', '/version', '/openapi/v3', '/api/v1/pods', '/openid/v1/jwks', '/no']) {
      const answer = await api.ask('GET', path, { as: nobody });
      assert.equal(answer.code, 401, path);
      assert.equal(answer.body.message, 'Unauthorized');
    }
  });

  it('is not let in by a token that is none', async () => {
    for (const token of ['x', 'a.b.c', `${'a'.repeat(20_000)}`, 'abcdef.0123456789abcdef']) {
      await using client = clientWith(token);
      assert.equal((await api.ask('GET', '/api/v1/pods', { as: client })).code, 401);
    }
  });
});

describe('a node', () => {
  const cases: [method: string, path: string, code: number, body?: unknown][] = [
    ['GET', '/api/v1/nodes/n1', 200],
    ['GET', '/api/v1/nodes/n2', 403],
    ['GET', '/api/v1/nodes', 403],
    ['GET', '/api/v1/nodes?fieldSelector=metadata.name%3Dn1', 200],
    ['GET', '/api/v1/pods', 403],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1', 200],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2', 403],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1', 403],
    ['GET', `${IN_DEFAULT}/pods/mine`, 200],
    ['GET', `${IN_DEFAULT}/pods/theirs`, 403],
    ['DELETE', `${IN_DEFAULT}/pods/theirs`, 403],
    ['GET', `${IN_DEFAULT}/secrets/named`, 200],
    ['GET', `${IN_DEFAULT}/secrets/other`, 403],
    ['GET', `${IN_DEFAULT}/secrets`, 403],
    ['GET', `${IN_DEFAULT}/secrets?fieldSelector=metadata.name%3Dnamed`, 200],
    ['GET', `${IN_DEFAULT}/secrets?fieldSelector=metadata.name%3Dother`, 403],
    ['GET', `${IN_DEFAULT}/configmaps/kube-root-ca.crt`, 200],
    ['GET', '/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt', 403],
    ['GET', '/api/v1/namespaces', 403],
    ['POST', `${IN_DEFAULT}/pods`, 403, podNamed('new')],
    ['POST', `${IN_DEFAULT}/configmaps`, 403, { metadata: { name: 'new' } }],
    ['POST', `${IN_DEFAULT}/pods/mine/binding`, 403, { target: { name: 'n1' } }],
    ['GET', '/apis/node.k8s.io/v1/runtimeclasses', 200],
    ['POST', '/api/v1/nodes', 403, readyNode('n2')],
    ['DELETE', '/api/v1/nodes/n1', 403],
    ['GET', '/openapi/v3', 200],
    ['GET', '/metrics', 403],
  ];
  for (const [method, path, code, body] of cases) {
    it(`${method} ${path}: ${code}`, async () => {
      const answer = await api.ask(method, path, { as: api.node, ...(body === undefined ? {} : { body }) });
      assert.equal(answer.code, code, answer.text);
    });
  }

  it('is told in the words of the real one', async () => {
    const answer = await api.ask('GET', `${IN_DEFAULT}/secrets/other`, { as: api.node });
    assert.equal(
      answer.body.message,
      'secrets "other" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node \'n1\' and this object',
    );
  });

  it('may not move its taints nor call itself what it is not', async () => {
    const headers = { 'content-type': 'application/merge-patch+json' };
    const patches = [
      { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
      { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } },
      { metadata: { labels: { 'node-restriction.kubernetes.io/x': '' } } },
    ];
    for (const body of patches) {
      assert.equal((await api.ask('PATCH', '/api/v1/nodes/n1', { as: api.node, headers, body })).code, 403);
    }
    const fine = { metadata: { labels: { 'kubernetes.io/os': 'wasi', 'example.com/a': 'b' } } };
    assert.equal((await api.ask('PATCH', '/api/v1/nodes/n1', { as: api.node, headers, body: fine })).code, 200);
  });

  it('has one lease, its own', async () => {
    const lease = (name: string) => ({
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { holderIdentity: name },
    });
    const made = await api.node.create(LEASES, lease('n1'), { namespace: 'kube-node-lease' });
    assert.equal(made.metadata?.name, 'n1');
    await assert.rejects(api.node.create(LEASES, lease('n2'), { namespace: 'kube-node-lease' }), {
      code: 'KUBE_STATUS',
    });
  });

  it('writes the status of its pods and cannot change their labels', async () => {
    const target = { namespace: 'default', name: 'mine', subresource: 'status' };
    const patch = { type: 'strategic', body: { status: { phase: 'Running' } } } as const;
    const pod = await api.node.patch(PODS, target, patch);
    assert.equal((pod as { status?: { phase?: string } }).status?.phase, 'Running');
    const wrong = { type: 'merge', body: { metadata: { labels: { a: 'b' } } } } as const;
    await assert.rejects(api.node.patch(PODS, target, wrong), /cannot update labels through pod status/);
  });
});

describe('a service account', () => {
  async function tokenOf(body: unknown, as = api.admin): Promise<string> {
    const answer = await api.ask('POST', `${IN_DEFAULT}/serviceaccounts/default/token`, { body, as });
    assert.equal(answer.code, 201, answer.text);
    return answer.body.status.token;
  }

  it('knows who it is and may no more', async () => {
    await using client = clientWith(await tokenOf({ spec: {} }));
    const who = await api.ask('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {}, as: client });
    assert.equal(who.body.status.userInfo.username, 'system:serviceaccount:default:default');
    const pods = await api.ask('GET', `${IN_DEFAULT}/pods`, { as: client });
    assert.equal(pods.code, 403);
    assert.equal(
      pods.body.message,
      'pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"',
    );
  });

  it("has a token no longer than its pod, and a node gets it for its own pods' audiences only", async () => {
    const { body: pod } = await api.ask('GET', `${IN_DEFAULT}/pods/mine`);
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'mine', uid: pod.metadata.uid };
    const token = await tokenOf({ spec: { boundObjectRef } }, api.node);
    const review = { spec: { token } };
    const path = '/apis/authentication.k8s.io/v1/tokenreviews';
    const known = await api.ask('POST', path, { body: review, as: api.node });
    assert.equal(known.body.status.authenticated, true);
    assert.deepEqual(known.body.status.user.extra['authentication.kubernetes.io/pod-name'], ['mine']);
    const foreign = { spec: { boundObjectRef, audiences: ['vault'] } };
    const refused = await api.ask('POST', `${IN_DEFAULT}/serviceaccounts/default/token`, {
      body: foreign,
      as: api.node,
    });
    assert.equal(refused.code, 403);
    await api
      .ask('POST', `${IN_DEFAULT}/serviceaccounts/default/token`, { body: { spec: {} }, as: api.node })
      .then((answer) => {
        assert.equal(answer.code, 403);
      });
    await api.ask('DELETE', `${IN_DEFAULT}/pods/mine`, { body: { gracePeriodSeconds: 0 } });
    const after = await api.ask('POST', path, { body: review });
    assert.notEqual(after.body.status.authenticated, true);
  });
});

describe('joining', () => {
  it('a bootstrap token gets a client certificate, and the node with it a serving one', async () => {
    const stringData = {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
    };
    const secret = { metadata: { name: 'bootstrap-token-abcdef' }, type: 'bootstrap.kubernetes.io/token', stringData };
    await api.ask('POST', '/api/v1/namespaces/kube-system/secrets', { body: secret });
    await using joiner = clientWith('abcdef.0123456789abcdef');
    const subject = { commonName: 'system:node:n9', organizations: ['system:nodes'] };
    const client = await makeSigningRequest({ subject });
    const signed = await askCertificate(joiner, 'node-csr-n9', {
      request: Buffer.from(client.request).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['digital signature', 'client auth'],
    });
    const { url, ca } = api.running.facts;
    await using node = connect({ server: url, ca, identity: () => ({ cert: signed, key: client.key }) });
    await node.create(NODES, readyNode('n9'));
    const serving = await makeSigningRequest({ subject, addresses: ['127.0.0.1'], names: ['n9'] });
    const spec = {
      request: Buffer.from(serving.request).toString('base64'),
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'server auth'],
    };
    assert.match(await askCertificate(node, 'csr-serving', spec), /BEGIN CERTIFICATE/);
  });
});

async function askCertificate(as: HttpKubeClient, name: string, spec: object): Promise<string> {
  const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const made = await api.ask('POST', path, { body: { metadata: { name }, spec }, as });
  assert.equal(made.code, 201, made.text);
  for (let tried = 0; tried < 2000; tried++) {
    const { body } = await api.ask('GET', `${path}/${name}`, { as });
    if (body.status?.certificate !== undefined) return Buffer.from(body.status.certificate, 'base64').toString('utf8');
  }
  throw new Error(`${name} was not signed`);
}
