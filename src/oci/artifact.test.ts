import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { artifactOf } from './artifact.ts';

const module = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const digest = 'sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476';

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

describe('artifactOf()', () => {
  it('writes wasm-to-oci’s manifest byte for byte', () => {
    const artifact = artifactOf(module, { format: 'wasm-to-oci', title: 'a&b.wasm', created: 1 });
    assert.equal(text(artifact.config.bytes), '{}');
    assert.equal(artifact.config.digest, 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
    assert.equal(
      text(artifact.manifest.bytes),
      '{"schemaVersion":2,"config":{"mediaType":"application/vnd.wasm.config.v1+json",' +
        '"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},' +
        '"layers":[{"mediaType":"application/vnd.wasm.content.layer.v1+wasm",' +
        `"digest":"${digest}","size":8,"annotations":{"org.opencontainers.image.title":"a\\u0026b.wasm"}}]}`,
    );
  });

  it('has the digest that wasm-to-oci itself gave the same module', () => {
    // Recorded from wasm-to-oci 0.1.2 (`push hello.wasm REF`), whose manifest was compared byte for byte.
    const { manifest } = artifactOf(module, { format: 'wasm-to-oci', title: 'hello.wasm', created: undefined });
    assert.equal(manifest.digest, 'sha256:69ce54e69442fc5a21d155af9629dd3de419440fcc2c43ec1889dd7b70aa1d09');
  });

  it('writes the CNCF form with the digests of its layers', () => {
    const artifact = artifactOf(module, { format: 'cncf', title: 'hello.wasm', created: 0 });
    assert.deepEqual(JSON.parse(text(artifact.config.bytes)), {
      created: '1970-01-01T00:00:00.000Z',
      architecture: 'wasm',
      os: 'wasip1',
      layerDigests: [digest],
    });
    const manifest = JSON.parse(text(artifact.manifest.bytes));
    assert.equal(manifest.config.mediaType, 'application/vnd.wasm.config.v0+json');
    assert.equal(manifest.layers[0].mediaType, 'application/wasm');
  });
});
