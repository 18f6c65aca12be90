import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  acceptPackets,
  connectPackets,
  listenPackets,
  packetPair,
  peerCredentials,
  pointerTo,
  receiveDescriptor,
  SYS,
  sendDescriptor,
  syscall,
} from './mod.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmlet-os-'));
after(() => rmSync(folder, { recursive: true }));
const token = new Uint8Array(16).fill(7);

describe('sendDescriptor() and receiveDescriptor()', () => {
  it('carry an open file with its token', () => {
    const [near, far] = packetPair();
    writeFileSync(join(folder, 'a'), '');
    const file = openSync(join(folder, 'a'), 'r+');
    sendDescriptor(near, { token, descriptor: file });
    closeSync(file);
    const packet = receiveDescriptor(far);
    assert.ok(packet);
    assert.deepEqual(packet.token, token);
    writeSync(packet.descriptor, 'through');
    assert.equal(readFileSync(join(folder, 'a'), 'utf8'), 'through');
    for (const fd of [packet.descriptor, near, far]) closeSync(fd);
  });

  it('tell an empty socket from a closed one', () => {
    const [near, far] = packetPair();
    assert.equal(receiveDescriptor(far), undefined);
    closeSync(near);
    assert.equal(receiveDescriptor(far), null);
    closeSync(far);
  });

  it('refuse a packet without a descriptor', () => {
    const [near, far] = packetPair();
    writeSync(near, Buffer.alloc(16));
    assert.throws(() => receiveDescriptor(far), { code: 'EPROTO' });
    for (const fd of [near, far]) closeSync(fd);
  });

  it('keep the buffers of a message alive while memory is collected around them', () => {
    const [from, to] = packetPair();
    const descriptor = openSync('/dev/null', 'r');
    const junk: Uint8Array[] = [];
    for (let round = 0; round < 30_000; round++) {
      const token = randomBytes(16);
      sendDescriptor(from, { token, descriptor });
      const packet = receiveDescriptor(to);
      assert.ok(packet && Buffer.compare(packet.token, token) === 0, `round ${round}`);
      closeSync(packet.descriptor);
      junk[round % 64] = new Uint8Array(100 + (round % 5000));
    }
    for (const fd of [from, to, descriptor]) closeSync(fd);
  });

  it('refuse a token of another length', () => {
    assert.throws(() => sendDescriptor(0, { token: new Uint8Array(3), descriptor: 0 }), RangeError);
  });
});

describe('listenPackets() and connectPackets()', () => {
  for (const [name, depth] of [
    ['a short path', 0],
    ['a path longer than a socket address', 120],
  ] as const) {
    it(`meet at ${name} and know each other`, () => {
      const directory = join(folder, 'd'.repeat(depth));
      mkdirSync(directory, { recursive: true });
      const path = join(directory, 'socket');
      const listener = listenPackets(path);
      assert.equal(acceptPackets(listener), undefined);
      const client = connectPackets(path);
      const server = acceptPackets(listener);
      assert.ok(server !== undefined);
      assert.equal(peerCredentials(server).pid, process.pid);
      assert.equal(peerCredentials(client).uid, process.getuid?.());
      for (const fd of [listener, client, server]) closeSync(fd);
    });
  }

  it('throw when nobody listens', () => {
    assert.throws(() => connectPackets(join(folder, 'nobody')), { code: 'ENOENT' });
  });
});

describe('a packet with two descriptors', () => {
  it('is refused, and neither stays open', () => {
    const [here, there] = packetPair();
    try {
      const token = new Uint8Array(16);
      const control = new Uint8Array(24);
      const view = new DataView(control.buffer);
      view.setBigUint64(0, 24n, true);
      view.setInt32(8, 1, true);
      view.setInt32(12, 1, true);
      view.setInt32(16, here, true);
      view.setInt32(20, here, true);
      const before = readdirSync('/proc/self/fd').length;
      const vector = new BigUint64Array([pointerTo(token), 16n]);
      const header = new BigUint64Array([0n, 0n, pointerTo(vector), 1n, pointerTo(control), 24n, 0n]);
      assert.ok(syscall(SYS.sendmsg, there, pointerTo(header), 0) > 0);
      assert.throws(() => receiveDescriptor(here), /EPROTO/);
      assert.equal(readdirSync('/proc/self/fd').length, before);
    } finally {
      closeSync(here);
      closeSync(there);
    }
  });
});
