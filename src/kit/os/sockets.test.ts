import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { boundTo, listenTcp, probeTcp } from './mod.ts';

describe('listenTcp()', () => {
  for (const address of ['127.0.0.1', '127.42.3.9', '::1']) {
    it(`binds ${address} for a server that is made from the descriptor`, async () => {
      const fd = listenTcp({ address, port: 0 });
      const bound = boundTo(fd);
      assert.equal(bound.address, address);
      const server = createServer((socket) => socket.end('hello')).listen({ fd });
      const client = connect(bound.port, address);
      const chunks: Buffer[] = [];
      for await (const chunk of client) chunks.push(chunk as Buffer);
      assert.equal(Buffer.concat(chunks).toString(), 'hello');
      await new Promise((resolve) => server.close(resolve));
    });
  }

  it('says that a port is taken, and lets two addresses have the same port', () => {
    const fd = listenTcp({ address: '127.0.0.1', port: 0 });
    const { port } = boundTo(fd);
    assert.throws(() => listenTcp({ address: '127.0.0.1', port }), { code: 'EADDRINUSE' });
    probeTcp({ address: '127.42.7.7', port });
    closeSync(fd);
    probeTcp({ address: '127.0.0.1', port });
  });

  it('says that an address is not ours, and refuses what is no address or port', () => {
    assert.throws(() => listenTcp({ address: '192.0.2.1', port: 0 }), { code: 'EADDRNOTAVAIL' });
    assert.throws(() => listenTcp({ address: 'localhost', port: 0 }), TypeError);
    assert.throws(() => listenTcp({ address: '127.0.0.1', port: 70000 }), RangeError);
  });
});
