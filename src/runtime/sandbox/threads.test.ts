/** Guests with threads through the whole runtime: admitted as class `process`, in a sandbox of their pod's own, killed with their threads. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Runtime, WorkloadSpec } from '../contract.ts';
import { logLines, makePlace, scripted } from '../scripted.suite.ts';
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

  it('has no more memory than its limit', async () => {
    const spec = await begin('grow', { limits: { memoryBytes: 65_536 } });
    assert.equal((await runtime.wait(spec.id)).exit.reason, 'OOMKilled');
  });
});
