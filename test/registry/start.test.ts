import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { type CommandResult, need, run } from '../processes/command.ts';
import { REGISTRY_USER, type Registry, startRegistry } from './start.ts';

const CREDENTIALS = `${REGISTRY_USER.username}:${REGISTRY_USER.password}`;

test('skopeo copies an image to a plain registry and finds it there', async () => {
  await using registry = await startRegistry();
  await copyTo(registry, ['--dest-tls-verify=false']);
  const { stdout } = await skopeo(['inspect', '--tls-verify=false', '--raw', `docker://${registry.host}/a/thing:1`]);
  assert.equal(JSON.parse(stdout).schemaVersion, 2);
});

test('a registry with basic authentication refuses who does not say who he is', async () => {
  await using registry = await startRegistry({ auth: true });
  await assert.rejects(copyTo(registry, ['--dest-tls-verify=false']), /authentication required|unauthorized/);
  await assert.rejects(copyTo(registry, ['--dest-tls-verify=false', '--dest-creds=wasmlet:wrong']), /unauthorized/);
  await copyTo(registry, ['--dest-tls-verify=false', `--dest-creds=${CREDENTIALS}`]);
});

test('a registry with TLS is believed only with its authority', async () => {
  await using registry = await startRegistry({ tls: true, auth: true });
  const credentials = `--dest-creds=${CREDENTIALS}`;
  await assert.rejects(copyTo(registry, [credentials]), /x509/);
  await copyTo(registry, [`--dest-cert-dir=${dirname(registry.ca ?? '')}`, credentials]);
});

test('two registries know nothing of each other, and a stopped one is gone', async () => {
  await using one = await startRegistry();
  const two = await startRegistry();
  await copyTo(one, ['--dest-tls-verify=false']);
  const catalog = (await (await fetch(`${two.url}/v2/_catalog`)).json()) as { repositories: string[] };
  assert.deepEqual(catalog.repositories, []);
  await two.stop();
  await assert.rejects(fetch(`${two.url}/v2/`));
});

/** Copies an image of one tiny layer, made here from its parts (image-spec: image layout). */
async function copyTo(registry: Registry, flags: readonly string[]): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'wasmlet-image-'));
  try {
    await writeLayout(dir);
    await skopeo(['copy', ...flags, `oci:${dir}`, `docker://${registry.host}/a/thing:1`]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function writeLayout(dir: string): Promise<void> {
  const { createHash } = await import('node:crypto');
  const blobs = join(dir, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  async function blob(mediaType: string, content: string): Promise<object> {
    const hex = createHash('sha256').update(content).digest('hex');
    await writeFile(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  }
  const config = await blob('application/vnd.oci.image.config.v1+json', JSON.stringify({ rootfs: { type: 'layers' } }));
  const layer = await blob('application/vnd.oci.image.layer.v1.tar', 'not really a layer');
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await blob(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] }));
  await writeFile(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  await writeFile(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

function skopeo(args: readonly string[]): Promise<CommandResult> {
  return run([process.env['WASMLET_TEST_SKOPEO'] ?? need('skopeo'), '--insecure-policy', ...args]);
}
