import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { isWasmletError } from '#kit';
import { type KrustletInput, type KrustletOptions, krustletOptions } from './krustlet.ts';
import { FLAGS, type Key } from './krustlet-flags.ts';

const base: KrustletInput = { args: [], env: {}, home: '/home/k', hostname: 'Edge-1', exists: () => false };

/** One value for each option, and what has to come of it. */
const CASES: readonly (readonly [key: Key, value: string, expected: Partial<KrustletOptions>])[] = [
  ['listenerAddress', '10.0.0.4', { listenAddress: '10.0.0.4', address: '10.0.0.4' }],
  ['listenerPort', '1234', { port: 1234 }],
  ['maxPods', '20', { maxPods: 20 }],
  ['nodeIP', '10.0.0.5', { address: '10.0.0.5', listenAddress: undefined }],
  ['nodeLabels', 'a=b,c=d=e,f', { labels: { a: 'b', c: 'd=e', f: '' } }],
  ['hostname', 'Other', { hostname: 'Other', name: 'other' }],
  ['nodeName', 'mine', { name: 'mine', hostname: 'Edge-1' }],
  ['dataDir', '/data', { dataDir: '/data' }],
  ['bootstrapFile', '/boot', { access: { bootstrapKubeconfig: '/boot' } }],
  ['insecureRegistries', 'a:5000,b', { insecureRegistries: ['a:5000', 'b'] }],
  ['tlsCertificateFile', '/c', {}],
  ['tlsPrivateKeyFile', '/k', {}],
  ['pluginsDir', '/p', {}],
  ['devicePluginsDir', '/p', {}],
  ['allowLocalModules', 'true', {}],
];

describe("Krustlet's options", () => {
  test('have a case each', () => {
    assert.deepEqual(new Set(CASES.map(([key]) => key)), new Set(FLAGS.map(({ key }) => key)));
  });

  for (const [key, value, expected] of CASES) {
    const { flag = '', variable = '' } = FLAGS.find((one) => one.key === key) ?? {};
    for (const [way, input] of [
      [`--${flag} ${value}`, { args: [`--${flag}`, value] }],
      [`--${flag}=${value}`, { args: [`--${flag}=${value}`] }],
      [`${variable}=${value}`, { env: { [variable]: value } }],
      [`"${key}"`, { config: JSON.stringify({ [key]: value }) }],
    ] as const) {
      test(way, () => {
        const { options } = krustletOptions({ ...base, ...input });
        for (const [name, wanted] of Object.entries(expected)) {
          assert.deepEqual(options[name as keyof KrustletOptions], wanted, name);
        }
      });
    }
  }

  test('without any are the defaults of Krustlet', () => {
    const { options, warnings } = krustletOptions(base);
    assert.deepEqual(options, {
      name: 'edge-1',
      hostname: 'Edge-1',
      dataDir: '/home/k/.krustlet',
      mode: 'joined',
      profile: 'krustlet',
      arch: 'wasm32-wasi',
      access: { bootstrapKubeconfig: '/etc/kubernetes/bootstrap-kubelet.conf' },
      labels: {},
      address: undefined,
      listenAddress: undefined,
      port: 3000,
      maxPods: 110,
      tls: undefined,
      insecureRegistries: [],
    });
    assert.deepEqual(warnings, []);
  });

  test('flags win over variables, variables over the file', () => {
    const config = JSON.stringify({ listenerPort: 1, maxPods: 2, nodeName: 'file' });
    const env = { KRUSTLET_PORT: '3', MAX_PODS: '4' };
    const { options } = krustletOptions({ ...base, config, env, args: ['-p', '5'] });
    assert.deepEqual([options.port, options.maxPods, options.name], [5, 4, 'file']);
  });

  test("the file's labels are an object and its registries a list; unknown keys are left", () => {
    const config = JSON.stringify({ nodeLabels: { a: 'b' }, insecureRegistries: ['x', 'y'], other: {} });
    const { options } = krustletOptions({ ...base, config });
    assert.deepEqual([options.labels, options.insecureRegistries], [{ a: 'b' }, ['x', 'y']]);
  });

  test('certificate files are used when both are there, and a KUBECONFIG that is there', () => {
    const exists = (path: string): boolean => path !== '/missing';
    const { options } = krustletOptions({ ...base, exists, env: { KUBECONFIG: '/kube', KRUSTLET_CERT_FILE: '/c' } });
    assert.deepEqual(options.tls, { certFile: '/c', keyFile: '/home/k/.krustlet/config/krustlet.key' });
    assert.deepEqual(options.access, { kubeconfig: '/kube' });
    assert.equal(krustletOptions({ ...base, exists, args: ['--cert-file', '/missing'] }).options.tls, undefined);
  });

  test('what is not done is said', () => {
    const args = ['--x-allow-local-modules', 'true', '--plugins-dir', '/p', '--device-plugins-dir', '/d'];
    assert.equal(krustletOptions({ ...base, args }).warnings.length, 3);
  });

  for (const [name, input] of [
    ['an unknown flag', { args: ['--magic', 'x'] }],
    ['a word', { args: ['word'] }],
    ['a flag without a value', { args: ['--port'] }],
    ['a port that is none', { args: ['--port', '99999'] }],
    ['an address that is none', { env: { KRUSTLET_NODE_IP: 'here' } }],
    ['a file that is not JSON', { config: '{"listenerPort": 1,}' }],
    ['a file that is a list', { config: '[]' }],
    ['a value that is none', { config: '{"listenerPort": {}}' }],
  ] as const) {
    test(`${name} is refused`, () => {
      assert.throws(
        () => krustletOptions({ ...base, ...input }),
        (error) => isWasmletError(error, 'NODE_OPTION_INVALID'),
      );
    });
  }

  test('all stand in docs/krustlet.md', async () => {
    const text = await readFile(new URL('../../../docs/krustlet.md', import.meta.url), 'utf8');
    for (const { flag, variable, key } of FLAGS) {
      for (const word of [`\`--${flag}\``, `\`${variable}\``, `\`${key}\``]) assert.ok(text.includes(word), word);
    }
  });
});
