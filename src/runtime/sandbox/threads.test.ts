/** Guests with threads through the whole runtime: admitted as class `process`, in a sandbox of their pod's own, killed with their threads. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Runtime, WorkloadSpec } from '../contract.ts';
import { assemble } from '../module/assemble.suite.ts';
import { logged, logLines, makePlace, scripted } from '../scripted.suite.ts';
import { createRuntime } from './mod.ts';

const path = join(import.meta.dirname, '../../../guests/threads/threads.wasm');

describe('a workload with threads', { timeout: 120_000 }, () => {
  const place = makePlace();
  let runtime: Runtime;
  before(async () => {
    runtime = await createRuntime({ dataDir: place.dataDir, warm: 0 });
  });
  after(async () => {
    for (const { tenant } of runtime.sandboxes()) {
      if (tenant !== undefined) await runtime.release({ tenant, isolation: 'pod' });
    }
    await runtime[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  async function begin(entrypoint: string, patch: Partial<WorkloadSpec> = {}): Promise<WorkloadSpec> {
    const module = { digest: 'sha256:threads', path };
    const spec = scripted(place.dataDir, '', { module, entrypoint, ...patch });
    await runtime.create(spec);
    await runtime.start(spec.id);
    return spec;
  }

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  it('is admitted to a process of its own, with the reason', async () => {
    const { execution, refusal } = await runtime.admit({ digest: 'sha256:threads', path });
    assert.deepEqual([execution?.class, refusal], ['process', undefined]);
    assert.match(execution?.reason ?? '', /shared|thread/);
  });

  it('runs to the code of its threads, in a sandbox of its pod alone', async () => {
    const spec = await begin('join');
    assert.equal((await runtime.wait(spec.id)).exit.code, 30);
    assert.ok(runtime.sandboxes().every(({ workloads }) => workloads <= 1));
  });

  it('is killed while its threads spin, and was charged for them', async () => {
    const spec = await begin('spin');
    await until(() => logLines(spec).includes('stdout F go'));
    await until(async () => ((await runtime.stats(spec.id))?.cpuNanos ?? 0) > 50e6);
    await runtime.kill(spec.id, 'SIGTERM');
    assert.equal((await runtime.wait(spec.id)).exit.code, 143);
  });

  it('is killed while it starts threads without end', async () => {
    const spec = await begin('bomb');
    await logged(spec, 'go');
    await until(async () => ((await runtime.stats(spec.id))?.cpuNanos ?? 0) > 300e6);
    await runtime.kill(spec.id, 'SIGKILL');
    assert.equal((await runtime.wait(spec.id)).exit.code, 137);
  });

  it('has no more table elements than others, in no thread, and its process stays', async () => {
    const tables = join(place.dataDir, 'tables.wasm');
    writeFileSync(tables, growsTables(['funcref 1']));
    const module = { digest: 'sha256:tables', path: tables };
    assert.equal((await runtime.admit(module)).execution?.class, 'process');
    const spec = await begin('_start', { module });
    assert.equal((await runtime.wait(spec.id)).exit.code, 7);
  });

  it('is refused more table elements to begin with', async () => {
    const tables = join(place.dataDir, 'many.wasm');
    writeFileSync(tables, growsTables(['funcref 1', 'externref 4000000']));
    const spec = await begin('_start', { module: { digest: 'sha256:many', path: tables } });
    const { exit } = await runtime.wait(spec.id);
    assert.equal(exit.reason, 'OOMKilled');
    assert.match(exit.message ?? '', /its limit is 3145728/);
  });

  it('has no more memory than its limit', async () => {
    const spec = await begin('grow', { limits: { memoryBytes: 65_536 } });
    assert.equal((await runtime.wait(spec.id)).exit.reason, 'OOMKilled');
  });
});

/** Four threads, and the first, that grow a table for as long as it grows; ends with the last one's size in 16,384 elements. */
function growsTables(tables: readonly string[]): Uint8Array {
  const code = `
    loop empty
      ref.null func
      i32.const 512
      table.grow 0
      i32.const -1
      i32.ne
      br_if 0
    end`;
  const spawn = 'i32.const 0\ncall 0\ndrop\n';
  const wait = 'loop empty\ni32.const 0\ni32.atomic.load 2 0\ni32.const 4\ni32.lt_u\nbr_if 0\nend\n';
  return assemble({
    imports: [
      { module: 'wasi', name: 'thread-spawn', type: 'i32 -> i32' },
      { module: 'wasi_snapshot_preview1', name: 'proc_exit', type: 'i32' },
      { module: 'env', name: 'memory', memory: '1 1 shared' },
    ],
    tables,
    exports: ['memory memory'],
    functions: [
      {
        type: 'i32 i32',
        export: 'wasi_thread_start',
        code: `${code}\ni32.const 0\ni32.const 1\ni32.atomic.rmw.add 2 0\ndrop`,
      },
      {
        type: '',
        export: '_start',
        code: `${spawn.repeat(4)}${code}\n${wait}table.size 0\ni32.const 16384\ni32.div_u\ncall 1`,
      },
    ],
  });
}

/** A function of more than a megabyte that begins with no-ops and never ends: plain, in a process of its own. */
function largeSpinner(): Uint8Array {
  const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]);
  const padding = 1_200_000;
  const code = [0x03, 0x40, 0x0c, 0, 0x0b, 0x0b];
  const body = [...leb(1 + padding + code.length)];
  const section = 1 + body.length + 1 + padding + code.length;
  const head = [
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
    3,
    2,
    1,
    0,
    7,
    10,
    1,
    6,
    ...Buffer.from('_start'),
    0,
    0,
  ];
  return Buffer.concat([
    Buffer.from([...head, 10, ...leb(section), 1, ...body, 0]),
    Buffer.alloc(padding, 0x01),
    Buffer.from(code),
  ]);
}

describe('a module that cannot be rewritten beside others', { timeout: 120_000 }, () => {
  it('runs plain in a process of its own, and is killed by the end of its thread', async () => {
    const place = makePlace();
    const large = join(place.dataDir, 'large.wasm');
    writeFileSync(large, largeSpinner());
    const module = { digest: 'sha256:large', path: large };
    const runtime = await createRuntime({ dataDir: place.dataDir, warm: 0 });
    try {
      assert.equal((await runtime.admit(module)).execution?.class, 'process');
      const spec = scripted(place.dataDir, '', { module });
      await runtime.create(spec);
      await runtime.start(spec.id);
      await runtime.kill(spec.id, 'SIGTERM');
      assert.equal((await runtime.wait(spec.id)).exit.code, 143);
    } finally {
      await runtime.release({ tenant: 'blue', isolation: 'pod' });
      await runtime[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    }
  });
});
