import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FakeClock } from '#kit';
import type { Exit } from '../contract.ts';
import type { Wasi, WasiOptions } from './contract.ts';
import { wasiClockFrom } from './core/clocks.ts';
import { signalExit } from './exit.ts';
import { createWasi } from './host.ts';

const root = mkdtempSync(join(tmpdir(), 'wasmlet-host-'));
after(() => rmSync(root, { recursive: true, force: true }));
before(() => {
  mkdirSync(join(root, 'data'));
  writeFileSync(join(root, 'data', 'file'), 'abc');
  writeFileSync(join(root, 'secret'), 'outside');
});

const modules = new Map<string, Promise<WebAssembly.Module>>();

function guest(name: string): Promise<WebAssembly.Module> {
  const path = join(import.meta.dirname, `../../../guests/${name}/${name}.wasm`);
  const module = modules.get(name) ?? WebAssembly.compile(readFileSync(path));
  modules.set(name, module);
  return module;
}

interface Ran {
  exit: Exit;
  out: string;
  err: string;
}

/** Runs the scripted guest with these words. */
async function script(words: string, options: WasiOptions = {}, during?: (wasi: Wasi) => unknown): Promise<Ran> {
  const output = { out: '', err: '' };
  await using wasi = await createWasi({
    args: ['scripted', ...words.split(' ').filter((word) => word !== '')],
    preopens: [{ guestPath: '/data', hostPath: join(root, 'data') }],
    stdout: (bytes) => {
      output.out += Buffer.from(bytes);
    },
    stderr: (bytes) => {
      output.err += Buffer.from(bytes);
    },
    ...options,
  });
  const running = wasi.run(await guest('scripted'));
  await during?.(wasi);
  return { exit: await running, ...output };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Turns of the event loop until the guest waits in a call. */
async function untilWaiting(wasi: Wasi): Promise<void> {
  for (let turns = 0; turns < 10_000 && !wasi.stats().waiting; turns++) await turn();
  assert.ok(wasi.stats().waiting);
}

/** Turns of the event loop until the guest sleeps by the clock, and not only gives way. */
async function untilAsleep(clock: FakeClock): Promise<void> {
  for (let turns = 0; turns < 10_000 && clock.sleeping === 0; turns++) await turn();
  assert.equal(clock.sleeping, 1);
}

describe('a program', () => {
  it('prints, reads its environment, works on files, and exits with its code', async () => {
    const words = 'print hello world , error oops , env NAME , write /data/new one two , cat /data/new , exit 9';
    const { exit, out, err } = await script(words, { env: [['NAME', 'value']] });
    assert.equal(out, 'hello world\nNAME=value\none two\n');
    assert.equal(err, 'oops\n');
    assert.deepEqual(exit, { code: 9, reason: 'Error' });
    assert.equal(readFileSync(join(root, 'data', 'new'), 'utf8'), 'one two\n');
  });

  it('completes when it returns, and fails with its own message', async () => {
    assert.deepEqual((await script('print x')).exit, { code: 0, reason: 'Completed' });
    const failed = await script('cat /data/none');
    assert.deepEqual([failed.exit.code, failed.err], [1, 'cat: No such file or directory\n']);
  });

  it('may be written in AssemblyScript', async () => {
    let out = '';
    await using wasi = await createWasi({
      args: ['greeter', 'anna', 'bo'],
      env: [['GREETING', 'hei']],
      stdout: (bytes) => {
        out += Buffer.from(bytes);
      },
    });
    assert.equal((await wasi.run(await guest('greeter'))).code, 2);
    assert.equal(out, 'hei anna\nhei bo\n');
  });

  it('keeps the low byte of its exit code, as POSIX does', async () => {
    assert.equal((await script('exit 256')).exit.code, 0);
    assert.equal((await script('exit 300')).exit.code, 44);
  });

  it('has no file but its preopens, whatever the links', async () => {
    symlinkSync('../secret', join(root, 'data', 'out'));
    const { out } = await script(
      'try cat /data/out , try cat /etc/passwd , try cat /data/../secret , try write /data/out x',
    );
    assert.match(out, /^(try: [^\n]+\n){4}$/);
    assert.equal(readFileSync(join(root, 'secret'), 'utf8'), 'outside');
  });

  it('takes relative paths from the working directory', async () => {
    assert.equal((await script('cat file', { workingDir: '/data' })).out, 'abc');
  });

  it('reads standard input to its end', async () => {
    assert.equal((await script('stdin', { stdin: Buffer.from('typed') })).out, 'typed');
  });

  it('sleeps by the injected clock', async () => {
    const clock = new FakeClock();
    const { out } = await script('sleep 60000 , print awake', { clock: wasiClockFrom(clock) }, async () => {
      await untilAsleep(clock);
      await clock.advance(60_000);
    });
    assert.equal(out, 'awake\n');
  });

  it('has no more memory than its module says, and tells so', async () => {
    const { exit } = await script('eat', { limits: { memoryBytes: 4 * 65_536 } });
    assert.equal(exit.reason, 'OOMKilled');
    assert.equal(exit.code, 137);
  });
});

describe('a trap', () => {
  it('is 134 with words and a backtrace', async () => {
    for (const [words, message] of [
      ['trap', /^wasm trap: wasm `unreachable` instruction executed\nwasm backtrace:\n {2}0: 0x[0-9a-f]+ - /],
      ['divide 0', /integer divide by zero/],
      ['overflow', /call stack exhausted/],
      ['raise 6', /raised signal 6/],
      ['abort', /unreachable/],
    ] as const) {
      const { exit } = await script(words);
      assert.equal(exit.code, 134, words);
      assert.equal(exit.reason, 'Error');
      assert.match(exit.message ?? '', message);
    }
  });
});

describe('kill', () => {
  it('ends a guest that waits, at once and for ever', async () => {
    for (const words of ['forever', 'stdin', 'serve 3']) {
      const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
      const options: WasiOptions = {
        stdin: (async function* () {
          await new Promise(() => {});
        })(),
        listeners: [{ server }],
        clock: wasiClockFrom(new FakeClock()),
      };
      const { exit } = await script(words, options, async (wasi) => {
        await untilWaiting(wasi);
        wasi.kill(signalExit('SIGTERM', 'asked to'));
        wasi.kill(signalExit('SIGKILL'));
      });
      assert.deepEqual(exit, { code: 143, signal: 15, reason: 'Error', message: 'asked to' }, words);
    }
  });

  it('ends a guest that never stops calling', async () => {
    for (const words of ['tick 0', 'spin 1000000']) {
      const { exit } = await script(words, { limits: { sliceMs: 0 } }, async (wasi) => {
        for (let turns = 0; turns < 20; turns++) await turn();
        wasi.kill(signalExit('SIGKILL'));
      });
      assert.equal(exit.code, 137, words);
    }
  });

  it('cannot be caught by the guest, in a wait or at a call; nor can proc_exit', async () => {
    for (const entrypoint of ['_start', 'busy', 'leave']) {
      await using wasi = await createWasi({ clock: wasiClockFrom(new FakeClock()) });
      const module = await guest('catcher');
      const instance = await WebAssembly.instantiate(module, wasi.imports(module));
      const running = wasi.start(instance, entrypoint);
      if (entrypoint !== 'leave') {
        await untilWaiting(wasi);
        wasi.kill(signalExit('SIGKILL'));
      }
      assert.equal((await running).code, entrypoint === 'leave' ? 7 : 137, entrypoint);
      assert.equal((instance.exports['caught'] as WebAssembly.Global).value, 0, entrypoint);
    }
  });

  it('comes from the signal, and before the start too', async () => {
    const stop = new AbortController();
    const { exit } = await script('forever', { signal: stop.signal }, async (wasi) => {
      await untilWaiting(wasi);
      stop.abort();
    });
    assert.equal(exit.code, 137);
    await using wasi = await createWasi();
    wasi.kill(signalExit('SIGINT'));
    assert.equal((await wasi.run(await guest('scripted'))).code, 130);
  });
});

describe('linking', () => {
  /** (module (import "env" "missing" (func)) (import "wasi_snapshot_preview1" "fd_nothing" (func))) */
  const needy = new Uint8Array([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    1,
    4,
    1,
    0x60,
    0,
    0,
    2,
    53,
    2,
    3,
    ...Buffer.from('env'),
    7,
    ...Buffer.from('missing'),
    0,
    0,
    22,
    ...Buffer.from('wasi_snapshot_preview1'),
    10,
    ...Buffer.from('fd_nothing'),
    0,
    0,
  ]);
  needy[15] = needy.byteLength - 16;

  it('names every missing import', async () => {
    await using wasi = await createWasi();
    const module = new WebAssembly.Module(needy);
    assert.throws(() => wasi.imports(module), {
      code: 'WASI_MISSING_IMPORT',
      message: /function 'env\.missing', function 'wasi_snapshot_preview1\.fd_nothing'/,
    });
    const exit = await wasi.run(module);
    assert.deepEqual([exit.code, exit.reason], [128, 'StartError']);
    assert.match(exit.message ?? '', /env\.missing/);
  });

  it('gives nothing of JavaScript to imports with its names', async () => {
    for (const [from, name] of [
      ['wasi_snapshot_preview1', 'constructor'],
      ['__proto__', 'toString'],
      ['constructor', 'assign'],
    ] as const) {
      const body = [1, from.length, ...Buffer.from(from), name.length, ...Buffer.from(name), 0, 0];
      const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, body.length];
      await using wasi = await createWasi();
      const module = new WebAssembly.Module(new Uint8Array([...head, ...body]));
      assert.throws(() => wasi.imports(module), { code: 'WASI_MISSING_IMPORT' }, `${from}.${name}`);
    }
  });

  it('takes imports from the caller', async () => {
    await using wasi = await createWasi({
      imports: { env: { missing: () => 0 }, wasi_snapshot_preview1: { fd_nothing: () => 0 } },
    });
    assert.match((await wasi.run(new WebAssembly.Module(needy))).message ?? '', /exports no function '_start'/);
  });

  it('runs wasi_unstable by its own layouts', async () => {
    let out = '';
    await using wasi = await createWasi({
      preopens: [{ guestPath: '/', hostPath: join(root, 'data') }],
      stdout: (bytes) => {
        out += Buffer.from(bytes);
      },
    });
    assert.deepEqual(await wasi.run(await guest('unstable')), { code: 0, reason: 'Completed' });
    assert.equal(out, 'size 3 links 1\n');
  });
});

describe('sockets', () => {
  it('serve HTTP from a guest in C that accepts and waits', async () => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    const path = join(root, 'http');
    server.listen(path);
    await once(server, 'listening');
    const { exit } = await script('env LISTEN_FDS , answer 3 2 from guest', { listeners: [{ server }] }, async () => {
      for (const name of ['/one', '/two']) {
        const client = connect(path);
        client.end(`GET ${name} HTTP/1.1\r\nhost: x\r\n\r\n`);
        const text = (await client.setEncoding('utf8').toArray()).join('');
        assert.match(text, new RegExp(`^HTTP/1.1 200 OK\r\n.*\r\n\r\n${name} from guest\n$`, 's'));
      }
    });
    assert.equal(exit.code, 0);
    server.close();
  });
});

describe('accounting', () => {
  it('counts the time that a guest computes, and not the time that it waits', async () => {
    const clock = new FakeClock();
    await script('spin 20 , sleep 3600000 , print', { clock: wasiClockFrom(steady(clock)) }, async (wasi) => {
      await untilAsleep(clock);
      const computed = wasi.stats().cpuNanos;
      assert.ok(computed > 0);
      await turn();
      await turn();
      assert.equal(wasi.stats().cpuNanos, computed);
      await clock.advance(3_600_000);
    });
  });
});

/** The fake clock, but each look at it takes a millisecond, so that a spinning guest sees time pass. */
function steady(clock: FakeClock) {
  let looks = 0;
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() + looks++,
    sleep: (ms: number, options?: { signal?: AbortSignal | undefined }) => clock.sleep(ms, options),
  };
}

describe('creation', () => {
  it('refuses what cannot be opened, and leaves nothing open', async () => {
    const missing = { guestPath: '/x', hostPath: join(root, 'none') };
    await assert.rejects(createWasi({ preopens: [missing] }), { code: 'WASI_BAD_PREOPEN' });
    const relative = { guestPath: 'x', hostPath: root };
    await assert.rejects(createWasi({ preopens: [relative] }), { code: 'WASI_BAD_OPTION' });
    await assert.rejects(createWasi({ signal: AbortSignal.abort(new Error('no')) }), /no/);
  });

  it('counts what the guest holds', async () => {
    await using wasi = await createWasi({ preopens: [{ guestPath: '/', hostPath: root }] });
    const expected = { descriptors: 4, memoryBytes: 0, cpuNanos: 0, waiting: false, bytesWritten: 0 };
    assert.deepEqual(wasi.stats(), expected);
  });
});
