import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeBench, sample } from '../fake/bench.ts';
import { FakeRegistry } from '../fake/registry.ts';
import { checkTarget, isLoopback } from '../http/trust.ts';
import { parseReference } from '../reference.ts';
import { parseChallenges } from './challenge.ts';
import { credentialFromFiles } from './docker-config.ts';
import { lookupAll, lookupExact, readDockerConfig } from './keyring.ts';

function basic(text: string): string {
  return Buffer.from(text).toString('base64');
}

describe('parseChallenges()', () => {
  it('reads several schemes with quoted and bare values', () => {
    const header =
      'Bearer realm="https://a/t?x=1,2",service="s \\"q\\"", scope=repository:a:pull, Basic realm="r", Negotiate';
    assert.deepEqual(
      parseChallenges(header).map(({ scheme, parameters }) => [scheme, { ...parameters }]),
      [
        ['bearer', { realm: 'https://a/t?x=1,2', service: 's "q"', scope: 'repository:a:pull' }],
        ['basic', { realm: 'r' }],
        ['negotiate', {}],
      ],
    );
  });

  for (const garbage of [
    undefined,
    '',
    ',,,',
    '"',
    'a="',
    '=',
    'x=y',
    '\u0000',
    'Bearer realm="'.repeat(900),
    '('.repeat(9000),
  ]) {
    it(`survives ${JSON.stringify(garbage?.slice(0, 20))}`, () => assert.ok(parseChallenges(garbage).length <= 8));
  }
});

describe('credentials for an image', () => {
  const entries = readDockerConfig(
    JSON.stringify({
      auths: {
        'https://index.docker.io/v1/': { auth: basic('hub:h') },
        'reg.example': { auth: basic('host:h:with:colons') },
        'reg.example/team': { username: 'team', password: 't' },
        '*.wild.example': { auth: basic('wild:w') },
        'port.example:5000': { identitytoken: 'refresh' },
        'evil.example@reg.example': { auth: basic('evil:e') },
        empty: {},
        odd: 7,
      },
    }),
    'the test',
  );

  function users(image: string): unknown[] {
    return lookupAll(entries, parseReference(image)).map((credential) =>
      'username' in credential ? credential.username : credential,
    );
  }

  it('takes the most specific first, as the kubelet', () => {
    assert.deepEqual(users('reg.example/team/app'), ['team', 'host']);
    assert.deepEqual(users('reg.example/other'), ['host']);
    assert.deepEqual(users('reg.example:5000/other'), []);
    assert.deepEqual(users('port.example:5000/a'), [{ identityToken: 'refresh' }]);
    assert.deepEqual(users('hello'), ['hub']);
  });

  it('keeps wildcards within one part of the host', () => {
    assert.deepEqual(users('a.wild.example/x'), ['wild']);
    assert.deepEqual(users('a.b.wild.example/x'), []);
    assert.deepEqual(users('wild.example/x'), []);
    assert.deepEqual(users('awild.example/x'), []);
  });

  it('takes only the exact host from a machine’s own configuration', () => {
    assert.deepEqual(lookupExact(entries, parseReference('reg.example/team/app')), {
      username: 'host',
      password: 'h:with:colons',
    });
    assert.equal(lookupExact(entries, parseReference('a.wild.example/x')), undefined);
    assert.deepEqual(lookupExact(entries, parseReference('hello')), { username: 'hub', password: 'h' });
  });

  it('does not repeat a secret that can’t be read', () => {
    for (const text of ['{"auths": {"x": {"auth": "c2VjcmV0"}}}', 'secret{', '[]', '{"auths": 7}']) {
      assert.throws(
        () => readDockerConfig(text, 'the file'),
        (error: Error & { code?: string; cause?: unknown }) => {
          assert.equal(error.code, 'OCI_BAD_CREDENTIALS');
          assert.equal(error.cause, undefined);
          return !/secret|c2Vj/.test(error.message);
        },
      );
    }
  });

  it('reads the first file that has the registry', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'wasmlet-auth-'));
    try {
      const file = join(directory, 'config.json');
      await writeFile(file, JSON.stringify({ auths: { 'reg.example': { auth: basic('me:p') } } }));
      const paths = [join(directory, 'missing.json'), file];
      assert.deepEqual(await credentialFromFiles(parseReference('reg.example/a'), paths), {
        username: 'me',
        password: 'p',
      });
      assert.equal(await credentialFromFiles(parseReference('else.example/a'), paths), undefined);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('bearer tokens', () => {
  interface TokenServer {
    readonly answer?: object;
    readonly realm?: string;
  }

  async function pullWithTokens(
    { answer = { token: 'good' }, realm }: TokenServer,
    credential?: Parameters<typeof lookupAll>[0][0]['credential'],
  ) {
    await using bench = await makeBench();
    await using tokens = await FakeRegistry.start();
    const bodies: string[] = [];
    const reference = bench.registry.offer(sample());
    tokens.fault = async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      bodies.push(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      return true;
    };
    bench.registry.fault = (_request, response, { authorization, path }) => {
      if (authorization === 'Bearer good' || path === '/v2/') return false;
      const header = `Bearer realm="${realm ?? `${tokens.url}/token`}",service="svc"`;
      response.writeHead(401, { 'www-authenticate': header }).end();
      return true;
    };
    await bench.pull(reference, { credentials: credential === undefined ? [] : [credential] });
    return { asked: [...tokens.asked], bodies };
  }

  it('asks the realm once, with the scope, and uses the token for everything', async () => {
    const { asked } = await pullWithTokens({}, { username: 'me', password: 'p' });
    assert.equal(asked.length, 1);
    const url = new URL(asked[0]?.path ?? '', 'http://x');
    assert.equal(url.searchParams.get('scope'), 'repository:team/hello:pull');
    assert.equal(url.searchParams.get('service'), 'svc');
    assert.equal(asked[0]?.authorization, `Basic ${basic('me:p')}`);
  });

  it('asks without a credential where there is none', async () => {
    const { asked } = await pullWithTokens({ answer: { access_token: 'good' } });
    assert.equal(asked[0]?.authorization, undefined);
  });

  it('trades an identity token in the body, never in the URL', async () => {
    const { asked, bodies } = await pullWithTokens({}, { identityToken: 'refresh-me' });
    assert.equal(asked[0]?.method, 'POST');
    assert.equal(new URLSearchParams(bodies[0]).get('refresh_token'), 'refresh-me');
    assert.doesNotMatch(asked[0]?.path ?? '', /refresh-me/);
  });

  it('refuses a realm on plain http elsewhere, and a token that is no header', async () => {
    const credential = { username: 'me', password: 'p' };
    await assert.rejects(pullWithTokens({ realm: 'http://tokens.example.invalid/' }, credential), {
      code: 'OCI_BAD_REDIRECT',
    });
    await assert.rejects(pullWithTokens({ realm: 'nonsense' }, credential), { code: 'OCI_BAD_RESPONSE' });
    for (const token of ['a\r\nx: y', '', 7, null]) {
      await assert.rejects(pullWithTokens({ answer: { token } }, credential), { code: 'OCI_BAD_RESPONSE' });
    }
  });

  it('gives up when the token is refused', async () => {
    await assert.rejects(pullWithTokens({ answer: { token: 'stale' } }), { code: 'OCI_UNAUTHORIZED' });
  });
});

describe('where a registry may send us', () => {
  const remote = new URL('https://reg.example/');
  const cases: [from: URL, to: string, allowed: boolean][] = [
    [remote, 'https://storage.example/', true],
    [remote, 'http://storage.example/', false],
    [remote, 'http://plain.example/', true],
    [remote, 'http://127.0.0.1/', false],
    [remote, 'https://127.0.0.1/', false],
    [remote, 'https://[::1]/', false],
    [remote, 'http://0x7f.1/', false],
    [remote, 'ftp://reg.example/', false],
    [remote, 'https://user:pw@storage.example/', false],
    [new URL('http://127.0.0.1:5000/'), 'http://127.0.0.1:6000/', true],
  ];
  for (const [from, to, allowed] of cases) {
    it(`${from.host} to ${to}: ${allowed ? 'yes' : 'no'}`, () => {
      const check = (): void => checkTarget(from, new URL(to), { insecure: ['plain.example'] });
      if (allowed) check();
      else assert.throws(check, { code: 'OCI_BAD_REDIRECT' });
    });
  }

  it('knows this machine by its names', () => {
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]', '0x7f.1'])
      assert.ok(isLoopback(new URL(`http://${host}/`)));
    for (const host of ['localhost.example', '128.0.0.1', 'example'])
      assert.ok(!isLoopback(new URL(`http://${host}/`)));
  });
});
