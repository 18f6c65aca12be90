import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createWasi, signalExit } from '#runtime/wasi';
import { build, folder, GUESTS } from './build.ts';

const scratch = mkdtempSync(join(tmpdir(), 'wasmlet-guests-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

describe('a compiled copy', () => {
  for (const guest of GUESTS.filter(({ kept }) => kept)) {
    it(`of ${guest.name} is what its source compiles to`, async () => {
      const output = join(scratch, `${guest.name}.wasm`);
      await build(guest, output);
      const same = readFileSync(output).equals(readFileSync(join(folder, guest.output)));
      assert.ok(same, `guests/${guest.output} is old: run node guests/build.ts ${guest.name}`);
    });
  }

  it('is small', () => {
    for (const { output, kept } of GUESTS) {
      if (kept) assert.ok(readFileSync(join(folder, output)).byteLength < 100_000, output);
    }
  });
});

describe('every step of the scripted guest', () => {
  it('is in the guide', () => {
    const source = readFileSync(join(folder, 'scripted/scripted.c'), 'utf8');
    const guide = readFileSync(join(folder, 'README.md'), 'utf8');
    const steps = [...source.matchAll(/\{"([a-z-]+)", \d, step_/g)].map(([, name]) => name ?? '');
    assert.ok(steps.length > 40);
    assert.deepEqual(
      steps.filter((name) => !guide.includes(`\`${name}`)),
      [],
    );
  });
});

it('a Go program serves HTTP over the listener that it is given', async () => {
  const guest = GUESTS.find(({ name }) => name === 'go-server');
  assert.ok(guest !== undefined);
  const output = join(scratch, 'go-server.wasm');
  await build(guest, output);
  writeFileSync(join(scratch, 'greeting'), 'hello from a file');
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let out = '';
  await using wasi = await createWasi({
    args: ['go-server', 'greeting'],
    preopens: [{ guestPath: '/data', hostPath: scratch }],
    workingDir: '/data',
    listeners: [{ server, name: 'http' }],
    stdout: (bytes) => {
      out += Buffer.from(bytes);
    },
  });
  const running = wasi.run(await WebAssembly.compile(readFileSync(output)));
  const { port } = server.address() as AddressInfo;
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      const response = await fetch(`http://127.0.0.1:${port}/path/${at}`, {
        method: 'POST',
        body: 'x'.repeat(at * 1000),
      });
      return await response.text();
    }),
  );
  assert.deepEqual(
    answers,
    answers.map((_, at) => `POST /path/${at} ${at * 1000}\n`),
  );
  wasi.kill(signalExit('SIGTERM'));
  assert.equal((await running).code, 143);
  assert.equal(out, 'working directory /data <nil>\nhello from a file <nil>\n');
  server.close();
});
