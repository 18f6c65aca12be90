import assert from 'node:assert/strict';
import type * as http from 'node:http';
import { createServer as createHttp } from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { FakeClock, isWasmletError } from '#kit';
import { issueCertificate, type KeyPair, makeAuthority } from './certificates/mod.ts';
import type { KubeClient } from './client.ts';
import { ApiStatusError, isAlreadyExists, isConflict, isGone, isNotFound } from './errors.ts';
import { type ConnectConfig, connect } from './http-client.ts';
import { PODS } from './resources.ts';
import type { Pod } from './types/mod.ts';

const life = { now: Date.now(), days: 1 };
const authority = await makeAuthority({ commonName: 'test', ...life });
const [serving, alice, bob] = await Promise.all([
  issueCertificate(
    { subject: { commonName: 's' }, usages: ['server auth'], addresses: ['127.0.0.1'], ...life },
    authority,
  ),
  issueCertificate({ subject: { commonName: 'alice' }, usages: ['client auth'], ...life }, authority),
  issueCertificate({ subject: { commonName: 'bob' }, usages: ['client auth'], ...life }, authority),
]);

type Handler = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;

interface Server {
  readonly url: string;
  readonly sessions: Set<http2.ServerHttp2Session>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An API server in so far as the wire goes: HTTP/2 over TLS with client certificates, HTTP/1.1 when it is `old`. */
async function serve(handler: Handler, { old = false, streams = 100 } = {}): Promise<Server> {
  const tls = {
    cert: serving.cert,
    key: serving.key,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: false,
  };
  const https = await import('node:https');
  const server = old
    ? https.createServer(tls, handler as unknown as http.RequestListener)
    : http2.createSecureServer({ ...tls, allowHTTP1: false, settings: { maxConcurrentStreams: streams } }, handler);
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session: http2.ServerHttp2Session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('sessionError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    sessions,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function open({ url }: Server, config: Partial<ConnectConfig> = {}): ReturnType<typeof connect> {
  return connect({ server: url, ca: authority.cert, ...config });
}

function answer(response: http2.Http2ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function failure(code: number, reason: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `it is ${reason}` };
}

async function textOf(request: http2.Http2ServerRequest): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

const target = { namespace: 'default', name: 'a' };

for (const old of [false, true]) {
  describe(old ? 'over HTTP/1.1' : 'over HTTP/2', () => {
    test('calls become the requests that Kubernetes knows', async () => {
      const seen: string[] = [];
      await using server = await serve(
        async (request, response) => {
          const body = await textOf(request);
          seen.push([request.method, request.url, request.headers['content-type'] ?? '-', body].join(' '));
          answer(response, 200, { kind: 'X', items: [] });
        },
        { old },
      );
      await using client = open(server);
      await client.get(PODS, { ...target, subresource: 'status' });
      await client.list(PODS, { fieldSelector: 'spec.nodeName=n', limit: 5 });
      await client.create(PODS, { metadata: { name: 'a', namespace: 'x y' } }, { dryRun: true });
      await client.patch(PODS, target, { type: 'apply', body: {}, force: true }, { fieldManager: 'm' });
      await client.delete(PODS, target, { gracePeriodSeconds: 0, preconditions: { uid: 'u' } });
      assert.deepEqual(seen, [
        'GET /api/v1/namespaces/default/pods/a/status - ',
        'GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn&limit=5 - ',
        'POST /api/v1/namespaces/x%20y/pods?dryRun=All application/json {"metadata":{"name":"a","namespace":"x y"}}',
        'PATCH /api/v1/namespaces/default/pods/a?fieldManager=m&force=true application/apply-patch+yaml {}',
        'DELETE /api/v1/namespaces/default/pods/a application/json ' +
          '{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"preconditions":{"uid":"u"}}',
      ]);
    });

    test('a refusal carries the status, and the questions know it', async () => {
      let next = failure(404, 'NotFound');
      await using server = await serve((_, response) => answer(response, (next as { code: number }).code, next), {
        old,
      });
      await using client = open(server);
      for (const [code, reason, holds] of [
        [404, 'NotFound', isNotFound],
        [409, 'Conflict', isConflict],
        [409, 'AlreadyExists', isAlreadyExists],
        [410, 'Expired', isGone],
      ] as const) {
        next = failure(code, reason);
        const error = await client.get(PODS, target).catch((caught: unknown) => caught);
        assert.ok(error instanceof ApiStatusError && holds(error), reason);
        assert.equal(error.message, `Cannot get pods 'default/a': it is ${reason}`);
      }
    });

    test('a watch yields events across chunks, and ends with the server', async () => {
      const lines = ['ADDED', 'MODIFIED', 'BOOKMARK'].map((type) =>
        JSON.stringify({ type, object: { metadata: { name: 'é' } } }),
      );
      await using server = await serve(
        async (_, response) => {
          const bytes = Buffer.from(`${lines.join('\n')}\n`);
          response.writeHead(200);
          for (const byte of bytes) response.write(Buffer.of(byte));
          response.end();
        },
        { old },
      );
      await using client = open(server);
      const types: string[] = [];
      for await (const event of client.watch<Pod>(PODS)) {
        assert.equal((event.object as Pod).metadata?.name, 'é');
        types.push(event.type);
      }
      assert.deepEqual(types, ['ADDED', 'MODIFIED', 'BOOKMARK']);
    });

    test('a watch that is aborted ends without an error', async () => {
      await using server = await serve(
        (_, response) => {
          response.writeHead(200);
          response.write('{"type":"ADDED","object":{}}\n');
        },
        { old },
      );
      await using client = open(server);
      const controller = new AbortController();
      let count = 0;
      for await (const _ of client.watch(PODS, { signal: controller.signal })) {
        count++;
        controller.abort();
      }
      assert.equal(count, 1);
    });

    test('a connection that breaks in an answer is unreachable, and the next call opens another', async () => {
      let broken = true;
      await using server = await serve(
        (request, response) => {
          if (!broken) return answer(response, 200, { kind: 'Pod' });
          broken = false;
          response.writeHead(200, { 'content-length': '100' });
          response.write('{"kind":');
          setImmediate(() => request.socket.destroy());
        },
        { old },
      );
      await using client = open(server);
      await assert.rejects(client.get(PODS, target), (error) => isWasmletError(error, 'KUBE_UNREACHABLE'));
      assert.deepEqual(await client.get(PODS, target), { kind: 'Pod' });
    });

    test('a renewed client shows its new certificate', async () => {
      await using server = await serve(
        (request, response) => {
          const socket = (request.stream?.session?.socket ?? request.socket) as import('node:tls').TLSSocket;
          answer(response, 200, { kind: socket.getPeerCertificate().subject?.CN });
        },
        { old },
      );
      let identity: KeyPair = alice;
      await using client = open(server, { identity: () => identity });
      assert.equal((await client.get(PODS, target)).kind, 'alice');
      identity = bob;
      assert.equal((await client.get(PODS, target)).kind, 'alice');
      client.renew();
      assert.equal((await client.get(PODS, target)).kind, 'bob');
    });

    test('an aborted call rejects with the reason', async () => {
      await using server = await serve(() => {}, { old });
      await using client = open(server);
      const controller = new AbortController();
      const call = client.get(PODS, target, { signal: controller.signal });
      setImmediate(() => controller.abort(new Error('enough')));
      await assert.rejects(call, /enough/);
    });
  });
}

describe('garbage from the server', () => {
  for (const [name, body] of [
    ['a page', '<html>'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
  ] as const) {
    test(`${name} is a bad response`, async () => {
      await using server = await serve((_, response) => answer(response, 200, body));
      await using client = open(server);
      await assert.rejects(client.get(PODS, target), (error) => isWasmletError(error, 'KUBE_BAD_RESPONSE'));
    });
  }

  for (const line of ['garbage', '{"type":"ODD","object":{}}', '{"type":"ADDED"}', 'null', `"${'x'.repeat(2000)}`]) {
    test(`the watch line ${line.slice(0, 30)} is a bad response`, async () => {
      await using server = await serve((_, response) => answer(response, 200, line));
      await using client = open(server, { limits: { lineBytes: 1000 } });
      await assert.rejects(Array.fromAsync(client.watch(PODS)), (error) => isWasmletError(error, 'KUBE_BAD_RESPONSE'));
    });
  }

  test('a body over the limit is refused before it is held', async () => {
    await using server = await serve((_, response) => answer(response, 200, { kind: 'x'.repeat(5000) }));
    await using client = open(server, { limits: { bodyBytes: 1000 } });
    await assert.rejects(client.get(PODS, target), /over 1000 bytes/);
  });

  test('an error page becomes a status', async () => {
    await using server = await serve((_, response) => answer(response, 502, 'Bad Gateway'));
    await using client = open(server);
    await assert.rejects(
      client.get(PODS, target),
      (error) => error instanceof ApiStatusError && error.httpStatus === 502,
    );
  });
});

describe('patience', () => {
  test('429 is waited for as long as it says, and bounded', async () => {
    const clock = new FakeClock();
    let calls = 0;
    await using server = await serve((_, response) => {
      calls++;
      if (calls < 3) answer(response, 429, failure(429, 'TooManyRequests'), { 'retry-after': '7' });
      else answer(response, 200, { kind: 'Pod' });
    });
    await using client = open(server, { clock });
    const call = client.get(PODS, target);
    let done = false;
    call.then(() => (done = true));
    for (let second = 0; !done && second < 30; second++) await clock.advance(1000);
    assert.equal((await call).kind, 'Pod');
    assert.equal(calls, 3);
  });

  test('a Retry-After of an hour is an error at once', async () => {
    await using server = await serve((_, response) =>
      answer(response, 429, failure(429, 'TooManyRequests'), { 'retry-after': '3600' }),
    );
    await using client = open(server);
    await assert.rejects(
      client.get(PODS, target),
      (error) => error instanceof ApiStatusError && error.httpStatus === 429,
    );
  });

  test('an answer that never comes is a timeout', async () => {
    const clock = new FakeClock();
    let asked = (): void => {};
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    await using server = await serve(() => asked());
    await using client = open(server, { clock });
    const call = assert.rejects(client.get(PODS, target), (error) => isWasmletError(error, 'KUBE_TIMEOUT'));
    await arrived;
    await clock.advance(32_001);
    await call;
  });
});

describe('sessions', () => {
  test('more calls than streams open more sessions, and watches have their own', async () => {
    const held: http2.Http2ServerResponse[] = [];
    let full = (): void => {};
    const all = new Promise<void>((resolve) => (full = resolve));
    await using server = await serve(
      (_, response) => {
        held.push(response);
        if (held.length === 5) full();
      },
      { streams: 2 },
    );
    await using client: KubeClient = open(server);
    const calls = [1, 2, 3, 4].map(() => client.get(PODS, target));
    const watch = Array.fromAsync(client.watch(PODS));
    await all;
    assert.ok(server.sessions.size >= 3, `${server.sessions.size} sessions`);
    for (const response of held) answer(response, 200, { type: 'ADDED', object: {} });
    await Promise.all([...calls, watch]);
    while (server.sessions.size > 2) await new Promise((resolve) => setImmediate(resolve));
  });

  test('a server that stopped is unreachable with a hint', async () => {
    const server = await serve(() => {});
    await using client = open(server);
    await server[Symbol.asyncDispose]();
    await assert.rejects(
      client.get(PODS, target),
      (error) => isWasmletError(error, 'KUBE_UNREACHABLE') && /listens/.test(error.hint ?? ''),
    );
  });

  test('a server with a foreign authority is refused with a hint', async () => {
    await using server = await serve(() => {});
    await using client = open(server, { ca: (await makeAuthority({ commonName: 'other', ...life })).cert });
    await assert.rejects(
      client.get(PODS, target),
      (error) => isWasmletError(error, 'KUBE_UNREACHABLE') && /not trusted/.test(error.hint ?? ''),
    );
  });

  test('a closed client says so', async () => {
    await using server = await serve(() => {});
    const client = open(server);
    await client[Symbol.asyncDispose]();
    await assert.rejects(client.get(PODS, target), (error) => isWasmletError(error, 'KUBE_CLOSED'));
  });
});

describe('plain http', () => {
  const server = createHttp((request, response) => {
    response.end(request.url === '/healthz' ? 'ok' : JSON.stringify({ kind: request.headers.authorization }));
  });
  after(() => server.close());

  test('a token goes with each request, and raw answers are streamed', async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    let token = 'one';
    const { port } = server.address() as AddressInfo;
    await using client = connect({ server: `http://127.0.0.1:${port}/`, token: () => token });
    assert.equal((await client.get(PODS, target)).kind, 'Bearer one');
    token = 'two';
    assert.equal((await client.get(PODS, target)).kind, 'Bearer two');
    const raw = await client.raw('/healthz');
    assert.equal(raw.status, 200);
    assert.equal(await raw.text(), 'ok');
  });
});
