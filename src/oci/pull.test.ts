import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { sha256Of } from './digest.ts';
import { makeBench, moduleOf, sample } from './fake/bench.ts';
import { localImage } from './local.ts';
import { MEDIA } from './media-types.ts';
import { parseReference } from './reference.ts';

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

describe('Puller', () => {
  for (const format of ['cncf', 'wasm-to-oci'] as const) {
    it(`brings an image of flavour ${format} into the store`, async () => {
      await using bench = await makeBench();
      const module = moduleOf(5000);
      const artifact = sample(module, { format });
      const image = await bench.pull(bench.registry.offer(artifact));
      assert.equal(image.flavour, format);
      assert.equal(image.digest, artifact.manifest.digest);
      assert.equal(image.moduleDigest, sha256Of(module));
      assert.equal(image.programName, 'hello.wasm');
      assert.equal(image.id, `${bench.registry.host}/team/hello@${artifact.manifest.digest}`);
      assert.deepEqual(await readFile(image.modulePath), module);
      assert.equal(image.size, module.length + artifact.config.bytes.length + artifact.manifest.bytes.length);
    });
  }

  it('pulls by digest', async () => {
    await using bench = await makeBench();
    const artifact = sample();
    bench.registry.offer(artifact);
    const image = await bench.pull(`${bench.registry.host}/team/hello:ignored@${artifact.manifest.digest}`);
    assert.equal(image.digest, artifact.manifest.digest);
  });

  it('asks only for the digest when it has what the tag still means, and sees that a tag has moved', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(sample());
    await bench.pull(reference);
    await bench.pull(reference);
    assert.equal(bench.registry.count('/manifests/'), 1);
    assert.equal(bench.registry.count('/blobs/'), 2);
    const moved = sample(moduleOf(80));
    bench.registry.offer(moved);
    assert.equal((await bench.pull(reference)).moduleDigest, moved.module.digest);
  });

  it('takes the wasm manifest of an index', async () => {
    await using bench = await makeBench();
    const artifact = sample();
    bench.registry.offer(artifact, { tag: 'inner' });
    const wasm = { mediaType: MEDIA.manifest, digest: artifact.manifest.digest, size: artifact.manifest.bytes.length };
    const linux = { ...wasm, digest: `sha256:${'0'.repeat(64)}`, platform: { os: 'linux', architecture: 'amd64' } };
    const manifests = [linux, { ...wasm, platform: { os: 'wasip1', architecture: 'wasm' } }];
    const bytes = json({ schemaVersion: 2, mediaType: MEDIA.index, manifests });
    const image = await bench.pull(bench.registry.offerManifest({ mediaType: MEDIA.index, bytes }));
    assert.equal(image.moduleDigest, artifact.module.digest);
    assert.equal(image.digest, sha256Of(bytes));
  });

  it('does two pulls of one image as one, and one caller that leaves does not end it', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(sample(moduleOf(200_000)));
    const stop = new AbortController();
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    bench.registry.fault = async (_request, _response, { path }) => {
      if (path.includes('/blobs/')) await gate;
      return false;
    };
    const leaving = bench.pull(reference, { signal: stop.signal });
    const staying = [bench.pull(reference), bench.pull(reference)];
    stop.abort(new Error('left'));
    await assert.rejects(leaving, /left/);
    release();
    await Promise.all(staying);
    assert.equal(bench.registry.count('/manifests/'), 1);
    assert.equal(bench.registry.count('/blobs/'), 2);
  });

  it('keeps what came with a credential for those who have it, and opens it to all once anybody could get it', async () => {
    await using bench = await makeBench();
    const text = bench.registry.offer(sample());
    const reference = parseReference(text);
    let open = false;
    bench.registry.fault = (_request, response, { authorization }) => {
      if (authorization !== undefined || open) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    const one = { username: 'one', password: 'p' };
    const two = { username: 'two', password: 'p' };
    const image = await bench.pull(text, { credentials: [one] });
    const names = [reference, parseReference(image.id)];
    async function mayUse(...credentials: (typeof one)[]): Promise<boolean[]> {
      const found = names.map((name) => localImage(bench.store, name, { credentials }));
      return (await Promise.all(found)).map((local) => local !== undefined);
    }
    assert.deepEqual(
      [await mayUse(one), await mayUse(two), await mayUse()],
      [
        [true, true],
        [false, false],
        [false, false],
      ],
    );
    await bench.pull(text, { credentials: [two] });
    assert.deepEqual(
      [await mayUse(one), await mayUse(two), await mayUse()],
      [
        [true, true],
        [true, true],
        [false, false],
      ],
    );
    const kept = JSON.stringify(await bench.store.refs.list());
    assert.doesNotMatch(kept, /"one"|password/);
    open = true;
    await bench.pull(text);
    assert.deepEqual(await mayUse(), [true, true]);
  });

  it('tries each credential in turn and keeps none of them', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(sample());
    const good = `Basic ${Buffer.from('a:right').toString('base64')}`;
    bench.registry.fault = (_request, response, { authorization }) => {
      if (authorization === good) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    const credentials = [
      { username: 'a', password: 'wrong' },
      { username: 'a', password: 'right' },
    ];
    await bench.pull(reference, { credentials });
    await assert.rejects(bench.pull(reference), { code: 'OCI_UNAUTHORIZED' });
  });
});

describe('what is no WebAssembly', () => {
  it('says what a Linux image is and what is accepted', async () => {
    await using bench = await makeBench();
    const config = json({ os: 'linux', architecture: 'amd64', rootfs: {} });
    bench.registry.blobs.set(sha256Of(config), config);
    const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: sha256Of('x'), size: 1 };
    const bytes = json({
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config: { mediaType: MEDIA.imageConfig, digest: sha256Of(config), size: config.length },
      layers: [layer],
    });
    await assert.rejects(bench.pull(bench.registry.offerManifest({ mediaType: MEDIA.manifest, bytes })), {
      code: 'OCI_NOT_WASM',
      message: /linux\/amd64 \(layers of application\/vnd\.oci\.image\.layer\.v1\.tar\+gzip\).*application\/wasm/,
    });
    assert.equal(bench.registry.count(layer.digest), 0);
  });

  it('names the platforms of an index without wasm', async () => {
    await using bench = await makeBench();
    const manifests = ['amd64', 'arm64'].map((architecture) => ({
      mediaType: MEDIA.manifest,
      digest: sha256Of(architecture),
      size: 9,
      platform: { os: 'linux', architecture },
    }));
    const bytes = json({ schemaVersion: 2, mediaType: MEDIA.index, manifests });
    await assert.rejects(bench.pull(bench.registry.offerManifest({ mediaType: MEDIA.index, bytes })), {
      code: 'OCI_NOT_WASM',
      message: /an index without wasm: linux\/amd64, linux\/arm64/,
    });
  });

  it('refuses a component by its declared target, and an artifact of two layers', async () => {
    await using bench = await makeBench();
    const artifact = sample();
    bench.registry.offer(artifact);
    const config = json({ architecture: 'wasm', os: 'wasip2', layerDigests: [artifact.module.digest] });
    bench.registry.blobs.set(sha256Of(config), config);
    const manifest = JSON.parse(Buffer.from(artifact.manifest.bytes).toString());
    const component = {
      ...manifest,
      config: { mediaType: MEDIA.wasmConfig, digest: sha256Of(config), size: config.length },
    };
    const two = { ...manifest, layers: [...manifest.layers, ...manifest.layers] };
    for (const [document, message] of [
      [component, /'wasip2'/],
      [two, /2 layers/],
    ] as const) {
      const reference = bench.registry.offerManifest({ mediaType: MEDIA.manifest, bytes: json(document) });
      await assert.rejects(bench.pull(reference), { code: 'OCI_NOT_WASM', message });
    }
  });
});

describe('bad manifests', () => {
  const digest = sha256Of('x');
  const config = { mediaType: MEDIA.wasmConfig, digest, size: 1 };
  const cases: Record<string, unknown> = {
    'not JSON': 'nonsense{',
    'a list': [],
    null: null,
    'schema 1': { schemaVersion: 1, fsLayers: [] },
    'no layers': { schemaVersion: 2, mediaType: MEDIA.manifest, config },
    'layers that are no list': { mediaType: MEDIA.manifest, config, layers: { length: 3 } },
    'a digest that climbs': {
      mediaType: MEDIA.manifest,
      config: { ...config, digest: 'sha256:../../etc' },
      layers: [],
    },
    'a negative size': { mediaType: MEDIA.manifest, config: { ...config, size: -1 }, layers: [] },
    'a size of text': { mediaType: MEDIA.manifest, config: { ...config, size: '9' }, layers: [] },
    'too many layers': { mediaType: MEDIA.manifest, config, layers: Array(2000).fill(config) },
    'a foreign type': { mediaType: 'application/x-thing', config, layers: [] },
  };
  for (const [name, document] of Object.entries(cases)) {
    it(`refuses ${name}`, async () => {
      await using bench = await makeBench();
      const bytes = typeof document === 'string' ? Buffer.from(document) : json(document);
      const reference = bench.registry.offerManifest({ mediaType: MEDIA.manifest, bytes });
      await assert.rejects(bench.pull(reference), { code: 'OCI_BAD_MANIFEST' });
    });
  }
});
