import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { encodeFrame, FrameError, FrameReader, MAX_FRAME_BYTES } from './frames.ts';
import { helloShape, readMessage, requestShape, stateShape, workloadIdOf, workloadName } from './messages.ts';
import { ShapeError } from './shape.ts';
import { negotiate, VERSIONS } from './version.ts';

const spec = {
  key: 'uid/main/0',
  label: 'default/web',
  module: { digest: 'sha256:00', path: '/m.wasm', token: 'a'.repeat(32) },
  entrypoint: '_start',
  args: ['web'],
  env: [['A', 'b']],
  workingDir: '/',
  mounts: [{ guestPath: '/data', hostPath: '/host', readOnly: true }],
  listeners: [{ name: 'http', address: '127.42.0.2', port: 80, token: 'b'.repeat(32) }],
  limits: { memoryBytes: 1 },
  logPath: '/log',
  onTerm: 'default',
};

describe('FrameReader', () => {
  it('puts frames together from single bytes and from several at once', () => {
    const messages = [{ a: 1 }, { text: 'ü'.repeat(999) }, []];
    const bytes = Buffer.concat(messages.map(encodeFrame));
    const whole = new FrameReader();
    assert.deepEqual([...whole.push(bytes)], messages);
    const split = new FrameReader();
    const found = [...bytes].flatMap((byte) => [...split.push(Buffer.from([byte]))]);
    assert.deepEqual(found, messages);
  });

  it('refuses a length beyond the bound before the bytes arrive', () => {
    const header = Buffer.alloc(4);
    header.writeUInt32LE(MAX_FRAME_BYTES + 1);
    assert.throws(() => [...new FrameReader().push(header)], FrameError);
  });

  it('refuses what is not UTF-8 and what is not JSON', () => {
    for (const body of [Buffer.from('{'), Buffer.from([0x22, 0xff, 0x22]), Buffer.alloc(0)]) {
      const header = Buffer.alloc(4);
      header.writeUInt32LE(body.byteLength);
      assert.throws(() => [...new FrameReader().push(Buffer.concat([header, body]))], FrameError);
    }
  });

  it('ends garbage with an error or goes on waiting, and throws nothing else', () => {
    for (let round = 0; round < 300; round++) {
      const reader = new FrameReader();
      try {
        for (const message of reader.push(randomBytes(64))) readMessage(message);
      } catch (error) {
        assert.ok(error instanceof FrameError || error instanceof ShapeError);
      }
    }
  });
});

describe('encodeFrame()', () => {
  it('refuses what no reader would take', () => {
    assert.throws(() => encodeFrame('x'.repeat(MAX_FRAME_BYTES)), RangeError);
  });
});

describe('requestShape', () => {
  it('takes a whole create and passes it on unchanged', () => {
    const request = { id: 1, do: 'create', spec };
    assert.deepEqual(requestShape(request, 'request'), request);
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['a list', []],
    ['an unknown verb', { id: 1, do: 'format' }],
    ['a verb of every object', { id: 1, do: 'constructor' }],
    ['an unknown property', { id: 1, do: 'ping', more: 1 }],
    ['no number', { do: 'ping' }],
    ['a number that is not whole', { id: 1.5, do: 'ping' }],
    ['a workload that leaves its folder', { id: 1, do: 'start', workload: '../a/0' }],
    ['a relative log', { id: 1, do: 'create', spec: { ...spec, logPath: 'log' } }],
    ['a path with a NUL', { id: 1, do: 'create', spec: { ...spec, logPath: '/a\0b' } }],
    ['a token of another length', { id: 1, do: 'create', spec: { ...spec, module: { ...spec.module, token: 'ab' } } }],
    ['an env that is no pair', { id: 1, do: 'create', spec: { ...spec, env: [['A']] } }],
    ['an unknown signal', { id: 1, do: 'kill', workload: 'u/c/0', signal: 'SIGSTOP' }],
    ['a negative limit', { id: 1, do: 'create', spec: { ...spec, limits: { memoryBytes: -1 } } }],
  ];
  for (const [name, value] of bad) {
    it(`refuses ${name}`, () => assert.throws(() => requestShape(value, 'request'), ShapeError));
  }
});

describe('readMessage()', () => {
  it('tells events from answers', () => {
    const state = { phase: 'running', startedAt: 5 };
    assert.deepEqual(readMessage({ event: 1, workload: 'u/c/0', state }), { event: 1, workload: 'u/c/0', state });
    assert.deepEqual(readMessage({ id: 1, ok: true }), { id: 1, ok: true });
  });

  it('refuses states that the contract does not have', () => {
    for (const state of [
      { phase: 'paused' },
      { phase: 'running' },
      { phase: 'exited', finishedAt: 1, exit: { code: 300, reason: 'Error' } },
    ]) {
      assert.throws(() => stateShape(state, 'state'), ShapeError);
    }
  });
});

describe('negotiate()', () => {
  const hello = {
    hello: 'wasmlet-sandbox',
    sandbox: 'a',
    pid: 1,
    startTime: 1,
    sequence: 0,
    walls: [['landlock', true]],
  };
  const neighbours = [
    ['the same release', { min: 1, max: 2 }, 2],
    ['the next release, which speaks one back', { min: 2, max: 3 }, 2],
    ['the one after, which does not', { min: 3, max: 4 }, undefined],
    ['the one before', { min: 1, max: 1 }, 1],
  ] as const;
  for (const [name, versions, chosen] of neighbours) {
    it(`meets ${name}`, () => {
      const theirs = helloShape({ ...hello, versions, somethingNew: true }, 'hello').versions;
      assert.equal(negotiate(VERSIONS, theirs), chosen);
      assert.equal(negotiate(theirs, VERSIONS), chosen);
    });
  }
});

describe('workloadName', () => {
  it('is read back as the id that it was made from', () => {
    assert.deepEqual(workloadIdOf(workloadName('u-1/main/7', 'name')), {
      podUid: 'u-1',
      container: 'main',
      attempt: 7,
    });
  });
});
