/** A registry from hell: each case is one way in which a registry, or what stands before it, may misbehave. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FakeClock } from '#kit';
import { sha256Of } from './digest.ts';
import { type Bench, makeBench, moduleOf, sample, until } from './fake/bench.ts';
import { FakeRegistry } from './fake/registry.ts';

const module = moduleOf(300_000);
const artifact = sample(module);
const blobPath = `/blobs/${artifact.module.digest}`;

async function nothingKept(bench: Bench): Promise<void> {
  assert.equal(await bench.store.has({ digest: artifact.module.digest, size: module.length }), false);
  assert.deepEqual(await readdir(join(bench.directory, 'ingest')), []);
  assert.deepEqual(await bench.store.refs.list(), []);
}

/** Sends the head of a longer answer and a part of it, then cuts the connection. */
function cut(response: ServerResponse, part: Uint8Array, length = module.length): void {
  response.writeHead(200, { 'content-length': length });
  response.write(part, () => response.destroy());
}

/** 64 KiB again and again, until the other side hangs up. */
function endless(response: ServerResponse, sent: () => void = () => {}): void {
  response.writeHead(200);
  function more(error?: Error | null): void {
    if (error || response.destroyed || response.socket === null) return;
    sent();
    response.write(Buffer.alloc(65_536, 32), more);
  }
  more();
}

describe('blobs from hell', () => {
  it('goes on by range where a cut left off', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    let cuts = 0;
    bench.registry.fault = (_request, response, { path, range }) => {
      if (!path.endsWith(blobPath) || cuts++ > 0) return false;
      assert.equal(range, undefined);
      cut(response, module.subarray(0, 100_000));
      return true;
    };
    const image = await bench.pull(reference);
    assert.equal(image.moduleDigest, sha256Of(module));
    assert.match(bench.registry.asked.at(-1)?.range ?? '', /^bytes=[1-9]\d*-$/);
  });

  it('starts again where a registry ignores ranges', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    let tries = 0;
    bench.registry.fault = (_request, response, { path }) => {
      if (!path.endsWith(blobPath)) return false;
      if (tries++ === 0) cut(response, module.subarray(0, 50_000));
      else response.writeHead(200, { 'content-length': module.length }).end(module);
      return true;
    };
    assert.equal((await bench.pull(reference)).moduleDigest, sha256Of(module));
  });

  it('gives up on a registry that always cuts at once', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    bench.registry.fault = (_request, response, { path }) => {
      if (path.endsWith(blobPath)) response.destroy();
      return path.endsWith(blobPath);
    };
    await assert.rejects(bench.pull(reference), { code: 'OCI_UNREACHABLE', retry: 'later' });
    await nothingKept(bench);
  });

  it('refuses bytes with another digest', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    bench.registry.blobs.set(artifact.module.digest, moduleOf(300_000, 8));
    await assert.rejects(bench.pull(reference), { code: 'OCI_WRONG_DIGEST' });
    await nothingKept(bench);
  });

  it('refuses an answer that is longer than its name says, without reading on', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    let sent = 0;
    bench.registry.fault = (_request, response, { path }) => {
      if (!path.endsWith(blobPath)) return false;
      endless(response, () => sent++);
      return true;
    };
    await assert.rejects(bench.pull(reference), { code: 'OCI_WRONG_LENGTH', retry: 'never' });
    assert.ok(sent < 1000);
    await nothingKept(bench);
  });

  it('refuses an answer that is whole and too short', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    bench.registry.blobs.set(artifact.module.digest, module.subarray(0, 1000));
    await assert.rejects(bench.pull(reference), { code: /OCI_WRONG_LENGTH|OCI_BAD_RESPONSE/ });
    await nothingKept(bench);
  });

  it('gives up on a body that stalls', async () => {
    const clock = new FakeClock();
    await using bench = await makeBench({ clock });
    const reference = bench.registry.offer(artifact);
    let stalls = 0;
    bench.registry.fault = (_request, response, { path }) => {
      if (!path.endsWith(blobPath)) return false;
      response.writeHead(206, {
        'content-length': module.length,
        'content-range': `bytes 0-${module.length - 1}/${module.length}`,
      });
      response.flushHeaders();
      stalls++;
      return true;
    };
    const pull = assert.rejects(bench.pull(reference), { code: 'OCI_TIMED_OUT', message: /stalled/ });
    let over = false;
    void pull.finally(() => (over = true));
    while (!over) {
      await until(() => clock.sleeping > 0 || over);
      await clock.advance(10_000);
    }
    await pull;
    assert.ok(stalls > 1);
    await nothingKept(bench);
  });

  it('gives up on a registry that takes the connection and says nothing', async () => {
    const clock = new FakeClock();
    await using bench = await makeBench({ clock });
    const reference = bench.registry.offer(artifact);
    bench.registry.fault = () => true;
    const pull = assert.rejects(bench.pull(reference), { code: 'OCI_TIMED_OUT', message: /did not answer/ });
    let over = false;
    void pull.finally(() => (over = true));
    while (!over) {
      await until(() => clock.sleeping > 0 || over);
      await clock.advance(10_000);
    }
    await pull;
  });

  it('ends at once when the caller leaves', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    const stop = new AbortController();
    bench.registry.fault = (_request, _response, { path }) => {
      if (path.endsWith(blobPath)) stop.abort(new Error('left'));
      return path.endsWith(blobPath);
    };
    await assert.rejects(bench.pull(reference, { signal: stop.signal }), /left/);
  });
});

describe('answers from hell', () => {
  async function refuses(
    answer: (response: ServerResponse, count: number) => void,
    expected: object,
    { after = () => {} }: { after?: (registry: FakeRegistry) => void } = {},
  ): Promise<void> {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    let count = 0;
    bench.registry.fault = (_request, response, { path }) => {
      if (!path.includes('/manifests/')) return false;
      answer(response, count++);
      return true;
    };
    await assert.rejects(bench.pull(reference), expected);
    await nothingKept(bench);
    after(bench.registry);
  }

  it('a web page', () =>
    refuses((response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in</html>'), {
      code: 'OCI_BAD_RESPONSE',
      message: /web page/,
    }));

  it('a 401 for ever', () =>
    refuses(
      (response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
      {
        code: 'OCI_UNAUTHORIZED',
      },
      { after: (registry) => assert.ok(registry.count('/manifests/') <= 2) },
    ));

  it('a 401 with a challenge of garbage', () =>
    refuses((response) => response.writeHead(401, { 'www-authenticate': `${'a="'.repeat(2000)}` }).end(), {
      code: 'OCI_UNAUTHORIZED',
    }));

  it('a 403, with what the registry says, on one line', () =>
    refuses(
      (response) =>
        response
          .writeHead(403, { 'content-type': 'application/json' })
          .end(JSON.stringify({ errors: [{ message: 'not\nyours' }, 7, { message: {} }] })),
      { code: 'OCI_DENIED', message: /\(not yours\)$/ },
    ));

  it('a 404', () => refuses((response) => response.writeHead(404).end(), { code: 'OCI_NOT_FOUND', retry: 'never' }));

  it('a 500', () =>
    refuses((response) => response.writeHead(500).end('oops'), { code: 'OCI_SERVER_ERROR', retry: 'later' }));

  it('a 429 that asks for an hour', () =>
    refuses((response) => response.writeHead(429, { 'retry-after': '3600' }).end(), { code: 'OCI_TOO_MANY_REQUESTS' }));

  it('a 429 that never ends', () =>
    refuses(
      (response) => response.writeHead(429, { 'retry-after': '1' }).end(),
      {
        code: 'OCI_TOO_MANY_REQUESTS',
      },
      { after: (registry) => assert.equal(registry.count('/manifests/'), 4) },
    ));

  it('a redirect to itself', () =>
    refuses(
      (response) => response.writeHead(307, { location: '' }).end(),
      {
        code: 'OCI_BAD_REDIRECT',
      },
      { after: (registry) => assert.ok(registry.count('/manifests/') <= 6) },
    ));

  for (const location of ['http://example.invalid/x', 'file:///etc/passwd', 'https://a:b@127.0.0.1:1/', '::::']) {
    it(`a redirect to ${location}`, () =>
      refuses((response) => response.writeHead(302, { location }).end(), { code: /OCI_BAD_REDIRECT|OCI_NOT_FOUND/ }));
  }

  it('a manifest of five megabytes', () =>
    refuses((response) => response.writeHead(200).end(Buffer.alloc(5 << 20, 32)), { code: 'OCI_TOO_LARGE' }));

  it('a manifest that never ends', () => refuses((response) => endless(response), { code: 'OCI_TOO_LARGE' }));

  it('a manifest with another digest than the header says', () =>
    refuses(
      (response) => response.writeHead(200, { 'docker-content-digest': sha256Of('else') }).end(artifact.manifest.bytes),
      { code: 'OCI_WRONG_DIGEST' },
    ));

  it('something that is not HTTP', () =>
    refuses((response) => response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n\r\n'), { code: 'OCI_BAD_RESPONSE' }));

  it('a 429 that is over soon: waits as long as it asks', async () => {
    await using bench = await makeBench();
    const reference = bench.registry.offer(artifact);
    let count = 0;
    bench.registry.fault = (_request, response, { path }) => {
      if (!path.includes('/manifests/') || count++ > 0) return false;
      response.writeHead(429, { 'retry-after': '7' }).end();
      return true;
    };
    await bench.pull(reference);
    assert.deepEqual(bench.clock.slept, [7000]);
  });
});

describe('redirects and credentials', () => {
  it('does not take the credential to another origin', async () => {
    await using bench = await makeBench();
    await using storage = await FakeRegistry.start();
    const reference = bench.registry.offer(artifact);
    storage.offer(artifact);
    bench.registry.fault = (_request, response, { path, authorization }) => {
      if (authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else if (path.includes('/blobs/')) response.writeHead(307, { location: `${storage.url}${path}` }).end();
      else return false;
      return true;
    };
    await bench.pull(reference, { credentials: [{ username: 'me', password: 'secret' }] });
    assert.equal(storage.asked.length, 2);
    assert.ok(storage.asked.every(({ authorization }) => authorization === undefined));
  });

  it('refuses a registry that is not there, in plain words', async () => {
    await using bench = await makeBench();
    const { host } = bench.registry;
    await bench.registry[Symbol.asyncDispose]();
    await assert.rejects(bench.pull(`${host}/a/b`), { code: 'OCI_UNREACHABLE', message: /Cannot reach registry 127/ });
  });
});
