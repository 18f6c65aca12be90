import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { FakeClock, isWasmletError, silentLog } from '#kit';
import type { KubeClient, Resource } from '#kube';
import { issueCertificate, type KeyPair, makeAuthority } from '#kube/certificates';
import type { SubjectAccessReview, TokenReview } from '#kube/types';
import { textAnswer } from './answers.ts';
import { createAuthentication } from './authentication.ts';
import { createAuthorization } from './authorization.ts';
import { serveHealthz } from './healthz.ts';
import { type ApiServer, serveApi } from './server.ts';

const life = { now: Date.now(), days: 1 };
const [cluster, stranger] = await Promise.all([
  makeAuthority({ commonName: 'cluster', ...life }),
  makeAuthority({ commonName: 'stranger', ...life }),
]);
const subject = { commonName: 'apiserver', organizations: ['system:masters'] };
const [serving, renewed, caller, intruder] = await Promise.all([
  issueCertificate(
    { subject: { commonName: 'first' }, usages: ['server auth'], addresses: ['127.0.0.1'], ...life },
    cluster,
  ),
  issueCertificate(
    { subject: { commonName: 'second' }, usages: ['server auth'], addresses: ['127.0.0.1'], ...life },
    cluster,
  ),
  issueCertificate({ subject, usages: ['client auth'], ...life }, cluster),
  issueCertificate({ subject, usages: ['client auth'], ...life }, stranger),
]);

const clock = new FakeClock();
const asked: string[] = [];
let allow = (_: SubjectAccessReview): boolean => true;
let away = false;
const client = {
  async create(resource: Resource, object: TokenReview & SubjectAccessReview) {
    if (away) throw new Error('away');
    if (resource.plural === 'tokenreviews') {
      asked.push('token');
      const authenticated = object.spec.token === 'good';
      return { status: { authenticated, user: { username: 'bearer', groups: ['g'] } } };
    }
    asked.push(
      `${object.spec.user} ${object.spec.resourceAttributes?.verb} ${object.spec.resourceAttributes?.subresource}`,
    );
    return { status: { allowed: allow(object) } };
  },
} as unknown as KubeClient;

let server: ApiServer;
before(async () => {
  server = await serveApi({
    address: '127.0.0.1',
    port: 0,
    certificate: serving,
    clientAuthority: cluster.cert,
    authenticate: createAuthentication({ client, clock }),
    authorize: createAuthorization({ client, clock, nodeName: 'edge-1' }),
    async route({ path, user }) {
      if (path === '/broken') throw new Error('handler');
      if (path !== '/stream') return textAnswer(200, `${user.name} ${user.groups}`);
      return {
        status: 200,
        type: 'text/plain',
        body: (async function* () {
          yield Buffer.from('a');
          yield Buffer.from('b');
        })(),
      };
    },
    log: silentLog,
  });
});
after(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  asked.length = 0;
  allow = () => true;
  away = false;
  await clock.advance(600_000);
});

interface Got {
  readonly status: number;
  readonly text: string;
  readonly shown: string;
}

function get(path: string, { pair, token }: { pair?: KeyPair; token?: string } = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: server.port,
        path,
        agent: false,
        ca: cluster.cert,
        ...(pair === undefined ? {} : { cert: pair.cert, key: pair.key }),
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      },
      async (response) => {
        const shown = String((response.socket as import('node:tls').TLSSocket).getPeerCertificate().subject.CN);
        try {
          const text = Buffer.concat(await Array.fromAsync(response as AsyncIterable<Uint8Array>)).toString();
          resolve({ status: response.statusCode ?? 0, text, shown });
        } catch (error) {
          reject(error);
        }
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

describe('who calls', () => {
  test('a certificate of the cluster is its subject', async () => {
    const { status, text } = await get('/pods', { pair: caller });
    assert.deepEqual([status, text], [200, 'apiserver system:masters,system:authenticated']);
    assert.deepEqual(asked, ['apiserver get pods']);
  });

  test('a token is who the API server says, for two minutes', async () => {
    assert.equal((await get('/pods', { token: 'good' })).text, 'bearer g');
    assert.equal((await get('/pods', { token: 'good' })).status, 200);
    assert.deepEqual(asked.filter((what) => what === 'token').length, 1);
    await clock.advance(121_000);
    await get('/pods', { token: 'good' });
    assert.deepEqual(asked.filter((what) => what === 'token').length, 2);
  });

  for (const [name, how] of [
    ['nobody', {}],
    ['a bad token', { token: 'bad' }],
    ['a certificate of somebody else', { pair: intruder }],
  ] as const) {
    test(`${name} is unauthorized`, async () => {
      const { status, text } = await get('/pods', how);
      assert.deepEqual([status, text], [401, 'Unauthorized']);
    });
  }

  test('nobody new is known while the API server is away', async () => {
    away = true;
    assert.equal((await get('/pods', { token: 'other' })).status, 401);
    const { status, text } = await get('/containerLogs/a/b/c', { pair: caller });
    assert.deepEqual(
      [status, text],
      [500, 'Authorization error (user=apiserver, verb=get, resource=nodes, subresource=proxy)'],
    );
  });
});

describe('what one may', () => {
  test('any of the fine and coarse rights suffices', async () => {
    allow = ({ spec }) => spec.resourceAttributes?.subresource === 'proxy';
    assert.equal((await get('/pods', { pair: caller })).status, 200);
    assert.deepEqual(asked, ['apiserver get pods', 'apiserver get proxy']);
  });

  test('a refusal says what is missing and is believed for half a minute', async () => {
    allow = () => false;
    const { status, text } = await get('/pods', { pair: caller });
    assert.deepEqual(
      [status, text],
      [403, 'Forbidden (user=apiserver, verb=get, resource=nodes, subresource(s)=[pods proxy])\n'],
    );
    allow = () => true;
    assert.equal((await get('/pods', { pair: caller })).status, 403);
    await clock.advance(31_000);
    assert.equal((await get('/pods', { pair: caller })).status, 200);
  });
});

describe('the server', () => {
  test('streams, and survives a handler that breaks', async () => {
    assert.equal((await get('/stream', { pair: caller })).text, 'ab');
    await assert.rejects(get('/broken', { pair: caller }));
    assert.equal((await get('/pods', { pair: caller })).status, 200);
  });

  test('shows a new certificate without a restart', async () => {
    assert.equal((await get('/pods', { pair: caller })).shown, 'first');
    server.useCertificate(renewed);
    assert.equal((await get('/pods', { pair: caller })).shown, 'second');
    assert.equal((await get('/pods', { pair: intruder })).status, 401);
  });

  test('says when its port is taken', async () => {
    await assert.rejects(
      serveApi({
        address: '127.0.0.1',
        port: server.port,
        certificate: serving,
        authenticate: async () => undefined,
        authorize: async () => false,
        route: async () => textAnswer(200, ''),
        log: silentLog,
      }),
      (error) => isWasmletError(error, 'NODE_PORT_IN_USE') && /--port/.test(error.hint ?? ''),
    );
  });
});

describe('healthz', () => {
  test('takes the next port when its own is taken, and says what is wrong', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const taken = (other.address() as import('node:net').AddressInfo).port;
    let problem: string | undefined;
    const healthz = await serveHealthz(taken, { log: silentLog, problem: () => problem });
    assert.ok(healthz !== undefined && !healthz.url.includes(`:${taken}/`));
    assert.deepEqual(await plain(healthz.url), [200, 'ok']);
    problem = 'the runtime is down';
    assert.deepEqual(await plain(healthz.url), [500, 'the runtime is down']);
    assert.equal((await plain(healthz.url.replace('healthz', 'pods')))[0], 404);
    await healthz[Symbol.asyncDispose]();
    other.close();
  });
});

function plain(url: string): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { agent: false }, async (response) => {
      resolve([
        response.statusCode ?? 0,
        Buffer.concat(await Array.fromAsync(response as AsyncIterable<Uint8Array>)).toString(),
      ]);
    })
      .on('error', reject)
      .end();
  });
}
