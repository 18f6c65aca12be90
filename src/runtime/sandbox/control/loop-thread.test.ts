import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Exit, WorkloadStats } from '../../contract.ts';
import { assemble, type ModuleSource } from '../../module/assemble.suite.ts';
import { rewrite } from '../../module/rewrite/mod.ts';
import type { WireSpec } from '../protocol/messages.ts';
import { LoopThread } from './loop-thread.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmlet-loop-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const KILLED: Exit = { code: 137, signal: 9, reason: 'Error' };
const SPIN = 'loop\nbr 0\nend';
const WASI = 'wasi_snapshot_preview1';
const memory = { memories: ['1'], exports: ['memory memory 0'] };

let names = 0;

/** A real loop thread without a sandbox around it, and what it says of its guests. */
class Thread implements AsyncDisposable {
  readonly exits = new Map<string, PromiseWithResolvers<Exit>>();
  readonly loop: LoopThread;

  constructor(own?: { readonly heapBytes: number }) {
    this.loop = new LoopThread(
      {
        started: () => {},
        exited: (key, exit) => this.#exit(key).resolve(exit),
        ended: (message, { outOfMemory }) => {
          const exit: Exit = { code: 137, reason: outOfMemory ? 'OOMKilled' : 'Error', message };
          for (const waiting of this.exits.values()) waiting.resolve(exit);
        },
      },
      { insecureTrustedGuests: true, memories: new SharedArrayBuffer(4), own },
    );
  }

  #exit(key: string): PromiseWithResolvers<Exit> {
    const exit = this.exits.get(key) ?? Promise.withResolvers<Exit>();
    this.exits.set(key, exit);
    return exit;
  }

  async start(source: ModuleSource | Uint8Array<ArrayBuffer>, patch: Partial<WireSpec> = {}): Promise<string> {
    const number = names++;
    const key = `pod-${number}/main/0`;
    const rewritten = rewrite(source instanceof Uint8Array ? source : assemble(source));
    assert.ok('bytes' in rewritten, JSON.stringify(rewritten));
    const path = join(folder, `${number}.wasm`);
    writeFileSync(path, rewritten.bytes);
    const spec: WireSpec = {
      key,
      label: key,
      module: { digest: `sha256:${number}`, path },
      entrypoint: '_start',
      args: [],
      env: [],
      workingDir: '/',
      mounts: [],
      listeners: [],
      limits: {},
      logPath: join(folder, `${number}.log`),
      onTerm: 'default',
      execution: { class: 'shared', optimize: 'lazy' },
      ...patch,
    };
    this.#exit(key);
    await this.loop.ask({ do: 'create', create: { spec, moduleFd: undefined, listenerFds: [] } });
    await this.loop.ask({ do: 'start', key });
    return key;
  }

  wait(key: string): Promise<Exit> {
    return this.#exit(key).promise;
  }

  async stats(key: string): Promise<WorkloadStats> {
    return (await this.loop.ask({ do: 'stats', key })) as WorkloadStats;
  }

  /** Until the guest has had so much of the thread. */
  async untilUsed(key: string, nanos: number): Promise<void> {
    while ((await this.stats(key)).cpuNanos < nanos) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  async kill(key: string): Promise<Exit> {
    await this.loop.ask({ do: 'kill', key, exit: KILLED });
    return this.wait(key);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.loop.stop();
  }
}

/** Spins in each way that a guest can be entered or can compute. */
const spinners: Readonly<Record<string, readonly [ModuleSource, Partial<WireSpec>?]>> = {
  'a loop': [{ functions: [{ type: '', code: SPIN, export: '_start' }] }],
  'its start section': [
    {
      functions: [
        { type: '', code: SPIN },
        { type: '', code: '', export: '_start' },
      ],
      start: 0,
    },
  ],
  _initialize: [
    {
      functions: [
        { type: '', code: SPIN, export: '_initialize' },
        { type: '', code: '', export: 'serve' },
      ],
    },
    { entrypoint: 'serve' },
  ],
  'calls of functions without a loop': [
    {
      functions: [
        {
          type: 'i32 ->',
          code: 'local.get 0\nif\nlocal.get 0\ni32.const 1\ni32.sub\ncall 0\nlocal.get 0\ni32.const 1\ni32.sub\ncall 0\nend',
        },
        { type: '', code: 'i32.const 60\ncall 0', export: '_start' },
      ],
    },
  ],
  'tail calls': [{ functions: [{ type: '', code: 'return_call 0', export: '_start' }] }],
  'bulk memory of 1 GiB': [
    {
      memories: ['16384'],
      functions: [
        {
          type: '',
          code: 'loop\ni32.const 0\ni32.const 1\ni32.const 1073741824\nmemory.fill 0\nbr 0\nend',
          export: '_start',
        },
      ],
    },
  ],
  'calls of the host': [
    {
      ...memory,
      imports: [{ module: WASI, name: 'clock_time_get', type: 'i32 i64 i32 -> i32' }],
      functions: [
        { type: '', code: 'loop\ni32.const 1\ni64.const 0\ni32.const 0\ncall 0\ndrop\nbr 0\nend', export: '_start' },
      ],
    },
  ],
  'refused growth': [
    {
      memories: ['1'],
      functions: [{ type: '', code: 'loop\ni32.const 100\nmemory.grow 0\ndrop\nbr 0\nend', export: '_start' }],
    },
    { limits: { memoryBytes: 2 * MIB } },
  ],
  'a handler of all that is thrown': [
    {
      functions: [
        {
          type: '',
          code: 'loop\nblock\ntry_table empty\nbytes 1 2 0\nloop\nbr 0\nend\nend\nend\nbr 0\nend'.replace(
            'try_table empty\nbytes 1 2 0',
            'bytes 1f 40 01 02 00',
          ),
          export: '_start',
        },
      ],
    },
  ],
};

describe('a guest that spins', { timeout: 120_000 }, () => {
  let thread: Thread;
  before(() => {
    thread = new Thread();
  });
  after(() => thread[Symbol.asyncDispose]());

  for (const [name, [source, patch]] of Object.entries(spinners)) {
    it(`in ${name} gives the thread to its neighbour, and is killed alone`, async () => {
      const spinner = await thread.start(source, patch);
      const neighbour = await thread.start({ functions: [{ type: '', code: SPIN, export: '_start' }] });
      await Promise.all([thread.untilUsed(spinner, 20e6), thread.untilUsed(neighbour, 20e6)]);
      assert.deepEqual(await thread.kill(spinner), KILLED);
      const before = (await thread.stats(neighbour)).cpuNanos;
      await thread.untilUsed(neighbour, before + 10e6);
      assert.deepEqual(await thread.kill(neighbour), KILLED);
    });
  }

  it('shares the thread by its weight and no more than its quota', async () => {
    const source = { functions: [{ type: '', code: SPIN, export: '_start' }] };
    const began = performance.now();
    const light = await thread.start(source, { limits: { cpuShares: 256 } });
    const heavy = await thread.start(source, { limits: { cpuShares: 1024 } });
    const limited = await thread.start(source, { limits: { cpuShares: 1024, cpuMillis: 50 } });
    await thread.untilUsed(heavy, 800e6);
    const [a, b, c] = await Promise.all([light, heavy, limited].map((key) => thread.stats(key)));
    const ratio = (b?.cpuNanos ?? 0) / (a?.cpuNanos ?? 1);
    assert.ok(ratio > 3 && ratio < 5, `${ratio}`);
    const quota = (performance.now() - began + 100) * 1e6 * 0.05;
    assert.ok((c?.cpuNanos ?? 0) < quota * 1.1 + 5e6, `${c?.cpuNanos} of ${quota}`);
    assert.equal(await thread.loop.ask({ do: 'resize', key: limited, limits: { cpuShares: 1024 } }), true);
    await thread.untilUsed(limited, 400e6);
    for (const key of [light, heavy, limited]) await thread.kill(key);
  });
});

describe('the stacks of killed guests', { timeout: 120_000 }, () => {
  const sleeper: ModuleSource = {
    ...memory,
    imports: [{ module: WASI, name: 'poll_oneoff', type: 'i32 i32 i32 i32 -> i32' }],
    // One subscription to the monotonic clock, for ever.
    data: [{ at: 16, bytes: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16] }],
    functions: [
      {
        type: '',
        code: 'i32.const 0\ni32.const 128\ni32.const 1\ni32.const 120\ncall 0\ndrop',
        export: '_start',
      },
    ],
  };
  const mappings = (): number => readFileSync('/proc/self/maps', 'utf8').split('\n').length;

  for (const [name, source] of Object.entries({
    wait: sleeper,
    spin: { functions: [{ type: '', code: SPIN, export: '_start' }] },
  })) {
    it(`are given back, of those that ${name}`, async () => {
      await using thread = new Thread();
      async function round(): Promise<number> {
        const keys: string[] = [];
        for (let at = 0; at < 100; at++) keys.push(await thread.start(source));
        for (const key of keys) while ((await thread.stats(key)).cpuNanos === 0) await thread.stats(key);
        for (const key of keys) assert.deepEqual(await thread.kill(key), KILLED);
        for (const key of keys) await thread.loop.ask({ do: 'delete', key });
        return mappings();
      }
      await round();
      const before = await round();
      // Each stack is two mappings.
      assert.ok((await round()) - before < 100);
    });
  }
});

describe('memory', { timeout: 60_000 }, () => {
  let thread: Thread;
  before(() => {
    thread = new Thread();
  });
  after(() => thread[Symbol.asyncDispose]());
  const keys: string[] = [];
  afterEach(async () => {
    for (const key of keys.splice(0)) await thread.kill(key);
  });

  /** Grows by a page at a time as long as it may, then does what follows. */
  const grower = (then: string): ModuleSource => ({
    ...memory,
    imports: [{ module: WASI, name: 'sched_yield', type: '-> i32' }],
    functions: [
      {
        type: '',
        code: `block\nloop\ni32.const 1\nmemory.grow 0\ni32.const -1\ni32.eq\nbr_if 1\nbr 0\nend\nend\n${then}`,
        export: '_start',
      },
    ],
  });

  it('beyond the limit is refused, and a guest that gives up then is OOMKilled', async () => {
    const key = await thread.start(grower('unreachable'), { limits: { memoryBytes: 4 * MIB } });
    const { code, reason, message } = await thread.wait(key);
    assert.deepEqual({ code, reason }, { code: 137, reason: 'OOMKilled' });
    assert.match(message ?? '', /memory limit of 4194304 bytes/);
  });

  it('that was refused long ago is not what a guest ends of', async () => {
    const key = await thread.start(grower('call 0\ndrop\nunreachable'), { limits: { memoryBytes: 4 * MIB } });
    assert.equal((await thread.wait(key)).code, 134);
  });

  it('is not what a guest ends of that traps for another reason near its limit', async () => {
    const source = { memories: ['60'], functions: [{ type: '', code: 'unreachable', export: '_start' }] };
    const key = await thread.start(source, { limits: { memoryBytes: 4 * MIB } });
    assert.deepEqual([(await thread.wait(key)).reason, (await thread.wait(key)).code], ['Error', 134]);
  });

  it('that a module declares beyond its limit is OOMKilled before it starts', async () => {
    const key = await thread.start(
      { memories: ['100'], functions: [{ type: '', code: SPIN, export: '_start' }] },
      { limits: { memoryBytes: MIB } },
    );
    assert.equal((await thread.wait(key)).reason, 'OOMKilled');
  });

  it('of tables counts', async () => {
    const source: ModuleSource = {
      tables: ['funcref 1'],
      memories: ['1'],
      functions: [
        {
          type: '',
          code: 'ref.null func\ni32.const 60000\ntable.grow 0\ni32.const -1\ni32.eq\nif\nunreachable\nend',
          export: '_start',
        },
      ],
    };
    const { reason, message } = await thread.wait(await thread.start(source, { limits: { memoryBytes: MIB } }));
    assert.equal(reason, 'OOMKilled', message ?? '');
    assert.equal((await thread.wait(await thread.start(source, { limits: { memoryBytes: 2 * MIB } }))).code, 0);
  });

  it('has a limit that changes while the guest runs, and not below what is in use', async () => {
    const key = await thread.start(grower('loop\ni32.const 1\nmemory.grow 0\ndrop\nbr 0\nend'), {
      limits: { memoryBytes: 4 * MIB },
    });
    keys.push(key);
    await thread.untilUsed(key, 20e6);
    assert.equal((await thread.stats(key)).memoryBytes, 4 * MIB);
    assert.equal(await thread.loop.ask({ do: 'resize', key, limits: { memoryBytes: MIB } }), false);
    assert.equal(await thread.loop.ask({ do: 'resize', key, limits: { memoryBytes: 8 * MIB } }), true);
    while ((await thread.stats(key)).memoryBytes < 8 * MIB) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal((await thread.stats(key)).memoryBytes, 8 * MIB);
  });
});

describe('a guest with objects on the engine\u2019s heap', { timeout: 60_000 }, () => {
  const gc = (): Uint8Array<ArrayBuffer> =>
    new Uint8Array(readFileSync(join(import.meta.dirname, '../../../../guests/gc/gc.wasm')));

  it('is OOMKilled when it keeps more than its limit, and ends its own thread alone', async () => {
    await using other = new Thread();
    await using thread = new Thread({ heapBytes: 16 * MIB });
    const neighbour = await other.start({ functions: [{ type: '', code: SPIN, export: '_start' }] });
    const key = await thread.start(gc(), { entrypoint: 'hoard' });
    assert.deepEqual([(await thread.wait(key)).reason, (await thread.wait(key)).code], ['OOMKilled', 137]);
    const before = (await other.stats(neighbour)).cpuNanos;
    await other.untilUsed(neighbour, before + 10e6);
    await other.kill(neighbour);
  });

  it('goes on when it keeps nothing, and is killed as others are', async () => {
    await using thread = new Thread({ heapBytes: 16 * MIB });
    const key = await thread.start(gc(), { entrypoint: 'garbage' });
    await thread.untilUsed(key, 300e6);
    assert.deepEqual(await thread.kill(key), KILLED);
  });
});
