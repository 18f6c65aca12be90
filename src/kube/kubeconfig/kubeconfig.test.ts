import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FakeClock, isWasmletError } from '#kit';
import { connectConfigOf, defaultKubeconfigPath, loadAccess } from './connect.ts';
import { accessOf, formatKubeconfig, parseKubeconfig } from './kubeconfig.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

function yaml(user: string, cluster = 'server: https://127.0.0.1:6443'): string {
  return `apiVersion: v1
kind: Config
current-context: a
contexts:
- {name: a, context: {cluster: c, user: u, namespace: team}}
- {name: b, context: {cluster: missing, user: u}}
clusters:
- {name: c, cluster: {${cluster}}}
users:
- {name: u, user: {${user}}}
`;
}

describe('kubeconfig', () => {
  test('certificates in the file and relative file names are found', async () => {
    const text = yaml(`client-certificate-data: ${base64(PEM)}, client-key: pki/a.key`);
    const access = accessOf(await parseKubeconfig(text, '/etc/kube/config'));
    assert.deepEqual(access.user.certificate, { data: PEM });
    assert.deepEqual(access.user.key, { file: '/etc/kube/pki/a.key' });
    assert.equal(access.cluster.server, 'https://127.0.0.1:6443');
    assert.equal(access.namespace, 'team');
  });

  test('what is written is read again, as YAML and as JSON', async () => {
    const access = {
      context: 'edge 1: "x"',
      namespace: 'default',
      cluster: {
        server: 'https://[::1]:6443',
        authority: { data: PEM },
        serverName: 'kube',
        insecureSkipVerify: false,
      },
      user: { token: '07401b.f395accd246ae52d', certificate: undefined, key: undefined, tokenFile: undefined },
    };
    assert.deepEqual(accessOf(await parseKubeconfig(formatKubeconfig(access), '/x')), access);
    const asJson = JSON.stringify((await parseKubeconfig(formatKubeconfig(access), '/x')).fields);
    assert.deepEqual(accessOf(await parseKubeconfig(asJson, '/x')), access);
  });

  for (const [name, text, words] of [
    ['exec', yaml('exec: {command: aws}'), /'exec', which is not supported/],
    ['basic authentication', yaml('username: a, password: b'), /'username'/],
    ['a proxy', yaml('token: a', 'server: "https://a", proxy-url: "http://b"'), /proxy-url is not supported/],
    ['a certificate without a key', yaml('client-certificate: a'), /without its key/],
    ['data that is not PEM', yaml('client-certificate-data: AAAA, client-key: a'), /not PEM in base64/],
    ['no server', yaml('token: a', 'server: nowhere'), /no server URL/],
    ['a list', '- a', /not a mapping/],
    ['broken YAML', 'a: [', /not YAML/],
    ['YAML that grows', 'a: &a [1]\nb: [*a, *a]\n', /not YAML/],
    ['another kind', 'kind: Pod', /kind is not/],
    ['no context', 'kind: Config', /no current-context/],
  ] as const) {
    test(`${name} is refused by name`, async () => {
      await assert.rejects(
        async () => accessOf(await parseKubeconfig(text, '/x')),
        (error) => isWasmletError(error, 'KUBE_CONFIG_INVALID') && words.test(error.message),
      );
    });
  }

  test('a context that leads nowhere names what is missing', async () => {
    const config = await parseKubeconfig(yaml('token: a'), '/x');
    assert.throws(() => accessOf(config, 'b'), /clusters has no 'missing'/);
    assert.throws(() => accessOf(config, 'c'), /contexts has no 'c'/);
  });

  test('a token file is read again after a minute', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'wasmlet-'));
    try {
      await writeFile(join(folder, 'config'), yaml('tokenFile: token'));
      await writeFile(join(folder, 'token'), 'one\n');
      const clock = new FakeClock();
      const { token } = connectConfigOf(await loadAccess(join(folder, 'config')), { clock });
      assert.equal(await token?.(), 'one');
      await writeFile(join(folder, 'token'), 'two\n');
      assert.equal(await token?.(), 'one');
      await clock.advance(60_001);
      assert.equal(await token?.(), 'two');
      await rm(join(folder, 'token'));
      await clock.advance(60_001);
      assert.throws(() => token?.(), /Cannot read the token file/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('a file that is not there says so', async () => {
    await assert.rejects(loadAccess('/nowhere/config'), (error) => isWasmletError(error, 'KUBE_CONFIG_UNREADABLE'));
    assert.equal(defaultKubeconfigPath({ KUBECONFIG: ':/a:/b' }), '/a');
  });
});
