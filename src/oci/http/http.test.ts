import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { HurriedClock, until } from '../fake/bench.ts';
import { FakeRegistry } from '../fake/registry.ts';
import { HttpClient } from './request.ts';

describe('HttpClient', () => {
  it('asks a proxy for registries elsewhere, and never for this machine', async () => {
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(502).end();
    });
    proxy.on('connect', (request, socket) => {
      asked.push(request.url ?? '');
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    await using registry = await FakeRegistry.start();
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const env = { HTTPS_PROXY: url, HTTP_PROXY: url };
    using http = new HttpClient({ clock: new HurriedClock(), env });
    const local = await http.send({ method: 'GET', url: new URL('/v2/', registry.url) });
    assert.equal(local.status, 200);
    assert.deepEqual(asked, []);
    const remote = http.send({ method: 'GET', url: new URL('https://registry.example.invalid/v2/') });
    await assert.rejects(remote, { code: 'OCI_UNREACHABLE' });
    assert.deepEqual(asked, ['registry.example.invalid:443']);
    await new Promise((resolve) => proxy.close(resolve));
  });

  it('tries once more on a new connection when a kept one had been closed', async () => {
    await using registry = await FakeRegistry.start();
    using http = new HttpClient({ clock: new HurriedClock(), env: {} });
    const url = new URL('/v2/', registry.url);
    await (await http.send({ method: 'GET', url })).body.bytes(100, 'it');
    let dropped = 0;
    registry.fault = (request) => {
      if (dropped++ > 0) return false;
      request.socket.resetAndDestroy();
      return true;
    };
    assert.equal((await http.send({ method: 'GET', url })).status, 200);
    await until(() => dropped === 2);
  });

  it('ends a request whose caller leaves', async () => {
    await using registry = await FakeRegistry.start();
    using http = new HttpClient({ clock: new HurriedClock(), env: {} });
    const stop = new AbortController();
    registry.fault = () => {
      stop.abort(new Error('left'));
      return true;
    };
    await assert.rejects(http.send({ method: 'GET', url: new URL(registry.url), signal: stop.signal }), /left/);
    await assert.rejects(http.send({ method: 'GET', url: new URL(registry.url), signal: stop.signal }), /left/);
  });
});
