import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HurriedClock, makeBench, moduleOf } from './fake/bench.ts';
import { FakeRegistry, type Fault } from './fake/registry.ts';
import { type PushOptions, pushModule } from './push.ts';
import { parseReference } from './reference.ts';

function push(registry: FakeRegistry, more: Partial<PushOptions> = {}, { size = 5000, tag = 'v1' } = {}) {
  const options = {
    format: 'cncf',
    title: 'a.wasm',
    created: undefined,
    certsDirs: [],
    clock: new HurriedClock(),
    ...more,
  } as const;
  return pushModule(moduleOf(size), parseReference(`${registry.host}/team/a:${tag}`), options);
}

describe('pushModule()', () => {
  for (const format of ['cncf', 'wasm-to-oci'] as const) {
    it(`pushes what the puller takes, as ${format}`, async () => {
      await using bench = await makeBench();
      const pushed = await push(bench.registry, { format });
      const image = await bench.pull(pushed.reference);
      assert.deepEqual([image.digest, image.flavour, image.size], [pushed.digest, format, pushed.size]);
    });
  }

  it('sends pieces where a blob is larger than one, and nothing that is there', async () => {
    await using registry = await FakeRegistry.start();
    await push(registry, { chunk: 2000 });
    assert.equal(registry.count('/blobs/uploads/', 'PATCH'), 2);
    await push(registry, { chunk: 2000 }, { tag: 'v2' });
    assert.equal(registry.count('/blobs/uploads/', 'POST'), 2);
    assert.equal(registry.count('/manifests/', 'PUT'), 2);
  });

  it('does not push to a digest', async () => {
    await using registry = await FakeRegistry.start();
    const reference = parseReference(`${registry.host}/a@sha256:${'0'.repeat(64)}`);
    const options = { format: 'cncf', title: 'a', created: undefined } as const;
    await assert.rejects(pushModule(moduleOf(), reference, options), { code: 'OCI_BAD_REFERENCE' });
  });

  const uploads = '/blobs/uploads/';
  const faults: Record<string, [fault: Fault, code: string | RegExp]> = {
    'asks for credentials': [(_q, response) => !!response.writeHead(401).end(), 'OCI_UNAUTHORIZED'],
    denies: [(_q, response, { method }) => method !== 'HEAD' && !!response.writeHead(403).end(), 'OCI_DENIED'],
    'names no place': [
      (_q, response, { path }) => path.endsWith(uploads) && !!response.writeHead(202).end(),
      'OCI_BAD_REDIRECT',
    ],
    'names a place on plain http elsewhere': [
      (_q, response, { path }) =>
        path.endsWith(uploads) && !!response.writeHead(202, { location: 'http://else.example.invalid/u' }).end(),
      'OCI_BAD_REDIRECT',
    ],
    'redirects the upload': [
      (_q, response, { method }) => method === 'PUT' && !!response.writeHead(307, { location: '/elsewhere' }).end(),
      'OCI_BAD_REDIRECT',
    ],
    'refuses the size': [
      (_q, response, { method }) => method === 'PUT' && !!response.writeHead(413).end(),
      'OCI_BAD_RESPONSE',
    ],
    'keeps something else': [
      (_q, response, { method, path }) =>
        method === 'PUT' &&
        path.includes('/manifests/') &&
        !!response.writeHead(201, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }).end(),
      'OCI_WRONG_DIGEST',
    ],
    'hangs up in the upload': [
      (_q, response, { method }) => method === 'PUT' && !!response.destroy(),
      /OCI_UNREACHABLE/,
    ],
  };
  for (const [name, [fault, code]] of Object.entries(faults)) {
    it(`fails where a registry ${name}`, async () => {
      await using registry = await FakeRegistry.start();
      registry.fault = (request, response, asked) => asked.path !== '/v2/' && fault(request, response, asked);
      await assert.rejects(push(registry), { code });
    });
  }

  it('does not send the credential to the place of an upload elsewhere', async () => {
    await using registry = await FakeRegistry.start();
    await using storage = await FakeRegistry.start();
    let places = 0;
    registry.fault = (_request, response, { path, authorization, method }) => {
      if (authorization === undefined && path !== '/v2/')
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (method === 'POST')
        response.writeHead(202, { location: `${storage.url}/v2/x/blobs/uploads/u${places++}` }).end();
      else return false;
      return true;
    };
    await push(registry, { credential: { username: 'me', password: 'secret' } });
    assert.equal(storage.asked.length, 2);
    assert.ok(storage.asked.every(({ authorization }) => authorization === undefined));
  });
});
