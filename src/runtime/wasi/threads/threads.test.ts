import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Exit } from '../../contract.ts';
import { signalExit } from '../exit.ts';
import { AnsweringMailbox, CallingMailbox } from './mailbox.ts';
import { createThreadedWorld, type GuestWorld, sharedMemoriesOf, type ThreadedOptions } from './mod.ts';

const bytes = readFileSync(new URL('../../../../guests/threads/threads.wasm', import.meta.url));
const module = new WebAssembly.Module(bytes);
const memories = sharedMemoriesOf(bytes) ?? [];

interface Run {
  readonly exit: Promise<Exit>;
  readonly world: GuestWorld;
  /** Resolves when the guest has written this text. */
  readonly wrote: (text: string) => Promise<void>;
  readonly out: () => string;
}

async function start(scenario: string, options: Partial<ThreadedOptions> = {}): Promise<Run> {
  let out = '';
  const waiting: { text: string; resolve: () => void }[] = [];
  const world = await createThreadedWorld({
    memories,
    stdout: (piece) => {
      out += Buffer.from(piece);
      for (const { text, resolve } of waiting) if (out.includes(text)) resolve();
    },
    ...options,
  });
  const wrote = (text: string): Promise<void> =>
    new Promise((resolve) => (out.includes(text) ? resolve() : waiting.push({ text, resolve })));
  return { exit: world.run(module, scenario), world, wrote, out: () => out };
}

async function exitOf(
  scenario: string,
  options: Partial<ThreadedOptions> = {},
): Promise<Exit & { readonly out: string }> {
  const { exit, world, out } = await start(scenario, options);
  const ended = await exit;
  await world[Symbol.asyncDispose]();
  return { ...ended, out: out() };
}

function threadsOfProcess(): number {
  return readdirSync('/proc/self/task').length;
}

describe('a guest with threads', () => {
  it('counts in one memory from all of them, and waits for them by it', async () => {
    assert.equal((await exitOf('join')).code, 30);
  });

  it('ends with the code of any thread that exits', async () => {
    const exit = await exitOf('exit');
    assert.deepEqual([exit.code, exit.reason], [7, 'Error']);
  });

  it('ends with the trap of any thread', async () => {
    const exit = await exitOf('trap');
    assert.deepEqual([exit.code, exit.reason], [134, 'Error']);
    assert.match(exit.message ?? '', /unreachable[\s\S]*thread/);
  });

  it('ends well when its first thread returns, whatever the others do', async () => {
    assert.deepEqual(await exitOf('leave'), { code: 0, reason: 'Completed', out: '' });
  });

  it('calls the host from two threads at once', async () => {
    const { code, out } = await exitOf('write');
    const lines = out.split('\n');
    assert.deepEqual(
      [code, lines.filter((line) => line === 'a').length, lines.filter((line) => line === 'b').length],
      [0, 50, 50],
    );
  });

  it('waits in a call with one thread while the others go on', async () => {
    const input = Promise.withResolvers<Uint8Array>();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield await input.promise;
    }
    const { exit, wrote, world } = await start('read', { stdin: source() });
    await wrote('go\n');
    input.resolve(Uint8Array.of(33));
    assert.equal((await exit).code, 33);
    await world[Symbol.asyncDispose]();
  });

  it('hands over memory that a thread has just grown', async () => {
    const { code, out } = await exitOf('grow');
    assert.deepEqual([code, out], [0, 'g']);
  });

  it('has one monotonic clock', async () => {
    assert.equal((await exitOf('later')).code, 0);
  });

  it('gets an error for what it may not touch, also in calls that the thread answers itself', async () => {
    assert.equal((await exitOf('hostile')).code, 31);
  });
});

describe('the limits of a guest with threads', () => {
  it('refuse threads beyond the number', async () => {
    assert.equal((await exitOf('fill', { maxThreads: 4 })).code, 3);
  });

  it('have no more threads than the memory limit pays for', async () => {
    const MIB = 1024 * 1024;
    assert.equal((await exitOf('fill', { limits: { memoryBytes: 4 * MIB } })).code, 3);
    assert.equal((await exitOf('fill', { limits: { memoryBytes: 48 * MIB } })).code, 5);
  });

  it('cap its memory, which it then cannot grow', async () => {
    assert.equal((await exitOf('grow', { limits: { memoryBytes: 65_536 } })).reason, 'OOMKilled');
  });

  it('refuse a memory that begins beyond them', async () => {
    const exit = await exitOf('join', { limits: { memoryBytes: 1000 } });
    assert.deepEqual([exit.code, exit.signal, exit.reason], [137, 9, 'OOMKilled']);
    assert.match(exit.message ?? '', /65536 bytes of memory to begin with; its limit is 1000/);
  });
});

describe('a guest with threads that is killed', () => {
  for (const scenario of ['spin', 'wait']) {
    it(`ends at once while its threads ${scenario}, and gives its threads back`, async () => {
      const before = threadsOfProcess();
      const { exit, world, wrote } = await start(scenario);
      await wrote('go\n');
      assert.ok(world.stats().memoryBytes >= 65_536);
      assert.ok(threadsOfProcess() >= before + 2);
      world.kill(signalExit('SIGTERM'));
      assert.equal((await exit).code, 143);
      await world[Symbol.asyncDispose]();
      assert.ok(threadsOfProcess() <= before + 1);
    });
  }

  it('ends before it has begun', async () => {
    const world = await createThreadedWorld({ memories });
    world.kill(signalExit('SIGKILL'));
    assert.equal((await world.run(module, 'spin')).code, 137);
    await world[Symbol.asyncDispose]();
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    const { exit, world, wrote } = await start('spin', { signal: controller.signal });
    await wrote('go\n');
    controller.abort();
    assert.equal((await exit).code, 137);
    await world[Symbol.asyncDispose]();
  });

  it('was charged the processor time of all its threads', async () => {
    const { exit, world, wrote } = await start('spin');
    await wrote('go\n');
    while (world.stats().cpuNanos < 20e6) await new Promise((resolve) => setImmediate(resolve));
    world.kill(signalExit('SIGKILL'));
    await exit;
    await world[Symbol.asyncDispose]();
    assert.ok(world.stats().cpuNanos >= 20e6);
  });
});

describe('a module with threads', () => {
  it('is known by its imports', () => {
    assert.deepEqual(memories, [{ module: 'env', name: 'memory', initial: 1, maximum: 16 }]);
    const plain = readFileSync(new URL('../../../../guests/numbers/numbers.wasm', import.meta.url));
    assert.equal(sharedMemoriesOf(plain), undefined);
  });

  it('is nothing in garbage', () => {
    for (const length of [0, 3, 8, 9, 40, 200]) {
      const cut = bytes.subarray(0, length);
      assert.doesNotThrow(() => sharedMemoriesOf(cut));
      const broken = Uint8Array.from(bytes, (byte, at) => (at > 8 && at % 7 === length % 7 ? byte ^ 0x55 : byte));
      assert.doesNotThrow(() => sharedMemoriesOf(broken));
    }
  });

  it('is refused with the names that nobody provides', async () => {
    // (import "env" "f" (func)), (func (export "_start")), no memory
    const wasm = Uint8Array.from(
      Buffer.from(
        '0061736d01000000010401600000020901 03656e76016600000302010007 0a01065f7374617274 00010a040102000b'.replaceAll(
          ' ',
          '',
        ),
        'hex',
      ),
    );
    await using world = await createThreadedWorld({ memories: [] });
    const exit = await world.run(new WebAssembly.Module(wasm));
    assert.equal(exit.reason, 'StartError');
    assert.match(exit.message ?? '', /function 'env\.f'/);
  });

  it('without the named function is a StartError', async () => {
    const exit = await exitOf('nothing');
    assert.deepEqual([exit.code, exit.reason], [128, 'StartError']);
  });
});

describe('a mailbox', () => {
  it('carries numbers of both widths, and zero for what is no number', async () => {
    const host = new AnsweringMailbox();
    const words = new Int32Array(host.buffer);
    const asked = host.next();
    // What the caller would stand still for is there before it asks.
    Atomics.store(words, 1, 1);
    words[4] = 21;
    const guest = new CallingMailbox(host.buffer);
    const given = [1, -1, 2n ** 63n - 1n, -1n, undefined, {}, 1.5, 2 ** 31, ...Array(20).fill(9)];
    assert.equal(guest.call(5, given), 21);
    const call = await asked;
    assert.equal(call?.index, 5);
    assert.deepEqual(call?.args.slice(0, 8), [1, -1, 2n ** 63n - 1n, -1n, 0, 0, 1, -(2 ** 31)]);
    assert.equal(call?.args.length, 16);
  });

  it('stops waiting when it is woken', async () => {
    const host = new AnsweringMailbox();
    const asked = host.next();
    host.wake();
    assert.equal(await asked, undefined);
  });
});
