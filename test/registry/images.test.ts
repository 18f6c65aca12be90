/** Our push and pull against a real registry, with skopeo on the other side of each. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type ArtifactFormat,
  ContentStore,
  type Credential,
  Puller,
  parseReference,
  pushModule,
  type WorkloadImage,
} from '#oci';
import { type CommandResult, need, run } from '../processes/command.ts';
import { REGISTRY_USER, type Registry, startRegistry } from './start.ts';

/** The header of a module and a custom section of zeros, `size` bytes in all. */
function moduleOf(size: number): Uint8Array {
  const bytes = Buffer.alloc(size);
  bytes.set([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  return bytes;
}

const MODULE = moduleOf(70_000);

interface Setting extends AsyncDisposable {
  readonly directory: string;
  readonly certsDirs: readonly string[];
  push(module: Uint8Array, repository: string, options?: PushSetting): ReturnType<typeof pushModule>;
  pull(reference: string, credentials?: readonly Credential[]): Promise<WorkloadImage>;
}

interface PushSetting {
  readonly format?: ArtifactFormat;
  readonly chunk?: number;
  readonly credential?: Credential;
}

async function makeSetting(registry: Registry): Promise<Setting> {
  const directory = await mkdtemp(join(tmpdir(), 'wasmlet-images-'));
  const certsDirs = [join(directory, 'certs.d')];
  if (registry.ca !== undefined) {
    await mkdir(join(certsDirs[0] ?? '', registry.host), { recursive: true });
    await writeFile(join(certsDirs[0] ?? '', registry.host, 'ca.crt'), await readFile(registry.ca));
  }
  const store = await ContentStore.open(join(directory, 'content'));
  const puller = new Puller({ store, certsDirs });
  return {
    directory,
    certsDirs,
    push: (module, repository, { format = 'cncf', ...more } = {}) =>
      pushModule(module, parseReference(`${registry.host}/${repository}`), {
        format,
        title: 'hello.wasm',
        created: undefined,
        certsDirs,
        ...more,
      }),
    pull: (reference, credentials = []) => puller.pull(parseReference(reference), { credentials }),
    async [Symbol.asyncDispose]() {
      puller[Symbol.dispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function skopeo(args: readonly string[]): Promise<CommandResult> {
  return run([process.env['WASMLET_TEST_SKOPEO'] ?? need('skopeo'), '--insecure-policy', ...args]);
}

for (const format of ['wasm-to-oci', 'cncf'] as const) {
  test(`what we push as ${format}, skopeo reads byte for byte, by tag and by digest`, async () => {
    await using registry = await startRegistry();
    await using setting = await makeSetting(registry);
    const pushed = await setting.push(MODULE, 'team/hello:v1', { format });
    for (const reference of [pushed.reference, pushed.id]) {
      const { stdout } = await skopeo(['inspect', '--tls-verify=false', '--raw', `docker://${reference}`]);
      assert.equal(`sha256:${createHash('sha256').update(stdout).digest('hex')}`, pushed.digest);
    }
    const copy = join(setting.directory, 'copy');
    await skopeo(['copy', '--src-tls-verify=false', `docker://${pushed.reference}`, `dir:${copy}`]);
    const hex = createHash('sha256').update(MODULE).digest('hex');
    assert.ok((await readdir(copy)).includes(hex));
    assert.deepEqual(await readFile(join(copy, hex)), Buffer.from(MODULE));
  });

  test(`what skopeo pushes as ${format}, we pull, by tag and by digest`, async () => {
    await using origin = await startRegistry();
    await using registry = await startRegistry();
    await using setting = await makeSetting(origin);
    const pushed = await setting.push(MODULE, 'team/hello:v1', { format });
    const target = `${registry.host}/other/name`;
    const flags = ['--src-tls-verify=false', '--dest-tls-verify=false'];
    await skopeo(['copy', ...flags, `docker://${pushed.reference}`, `docker://${target}:v2`]);
    for (const reference of [`${target}:v2`, `${target}@${pushed.digest}`]) {
      const image = await setting.pull(reference);
      assert.equal(image.flavour, format);
      assert.equal(image.digest, pushed.digest);
      assert.deepEqual(await readFile(image.modulePath), Buffer.from(MODULE));
    }
  });
}

test('a module goes up in pieces, and a second push sends nothing again', async () => {
  await using registry = await startRegistry();
  await using setting = await makeSetting(registry);
  const module = moduleOf(5_000_000);
  await setting.push(module, 'team/big:v1', { chunk: 1_500_000 });
  await setting.push(module, 'team/big:v2', { chunk: 1_500_000 });
  const image = await setting.pull(`${registry.host}/team/big:v2`);
  assert.deepEqual(await readFile(image.modulePath), Buffer.from(module));
});

test('basic authentication: who may, who may not, who says nothing', async () => {
  await using registry = await startRegistry({ auth: true });
  await using setting = await makeSetting(registry);
  const wrong = { ...REGISTRY_USER, password: 'wrong' };
  await assert.rejects(setting.push(MODULE, 'a/b:1'), { code: 'OCI_UNAUTHORIZED' });
  await assert.rejects(setting.push(MODULE, 'a/b:1', { credential: wrong }), { code: 'OCI_UNAUTHORIZED' });
  const { reference } = await setting.push(MODULE, 'a/b:1', { credential: REGISTRY_USER });
  await assert.rejects(setting.pull(reference), { code: 'OCI_UNAUTHORIZED' });
  await assert.rejects(setting.pull(reference, [wrong]), { code: 'OCI_UNAUTHORIZED' });
  assert.equal((await setting.pull(reference, [wrong, REGISTRY_USER])).reference, reference);
});

test('TLS by an own authority, with authentication; not without the authority', async () => {
  await using registry = await startRegistry({ tls: true, auth: true });
  await using setting = await makeSetting(registry);
  const { reference } = await setting.push(MODULE, 'a/b:1', { credential: REGISTRY_USER });
  assert.equal((await setting.pull(reference, [REGISTRY_USER])).reference, reference);
  const store = await ContentStore.open(join(setting.directory, 'other'));
  using stranger = new Puller({ store, certsDirs: [] });
  const pull = stranger.pull(parseReference(reference), { credentials: [REGISTRY_USER] });
  await assert.rejects(pull, { code: 'OCI_TLS', message: /Cannot trust registry/ });
});

test('a Linux image from skopeo is refused by name', async () => {
  await using registry = await startRegistry();
  await using setting = await makeSetting(registry);
  const layout = join(setting.directory, 'layout');
  await writeLinuxImage(layout);
  await skopeo(['copy', '--dest-tls-verify=false', `oci:${layout}`, `docker://${registry.host}/linux/thing:1`]);
  await assert.rejects(setting.pull(`${registry.host}/linux/thing:1`), {
    code: 'OCI_NOT_WASM',
    message: /a container image for linux\/amd64 \(layers of application\/vnd\.oci\.image\.layer\.v1\.tar/,
  });
});

test('what is not there, and a registry that is not there', async () => {
  await using registry = await startRegistry();
  await using setting = await makeSetting(registry);
  await assert.rejects(setting.pull(`${registry.host}/a/b:1`), { code: 'OCI_NOT_FOUND' });
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as { port: number };
  await new Promise((resolve) => closed.close(resolve));
  await assert.rejects(setting.pull(`127.0.0.1:${port}/a/b:1`), { code: 'OCI_UNREACHABLE' });
});

test('a registry that was killed is said to be away, and is asked again', async () => {
  await using registry = await startRegistry();
  await using setting = await makeSetting(registry);
  const { reference } = await setting.push(MODULE, 'a/b:1');
  await registry.daemon.signal('SIGKILL');
  await assert.rejects(setting.pull(reference), { code: 'OCI_UNREACHABLE', retry: 'later' });
});

async function writeLinuxImage(directory: string): Promise<void> {
  const blobs = join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  async function blob(mediaType: string, content: string): Promise<object> {
    const hex = createHash('sha256').update(content).digest('hex');
    await writeFile(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  }
  const words = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } });
  const config = await blob('application/vnd.oci.image.config.v1+json', words);
  const layer = await blob('application/vnd.oci.image.layer.v1.tar', 'not really a layer');
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await blob(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] }));
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}
