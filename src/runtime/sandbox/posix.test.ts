/** The POSIX extension through the whole runtime: behind the walls of a sandbox, with signals that come from the node. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Runtime, WorkloadSpec } from '../contract.ts';
import { logged, logLines, makePlace, podFolder, type SpecPatch, scripted } from '../scripted.suite.ts';
import { createRuntime } from './mod.ts';

const path = join(import.meta.dirname, '../../../guests/posix/posix.wasm');
const GRANT = { uid: 0, gid: 0, groups: [5], hostname: 'pod-a' };

describe('a workload with the POSIX extension', { timeout: 120_000 }, () => {
  const place = makePlace();
  let runtime: Runtime;
  before(async () => {
    runtime = await createRuntime({ dataDir: place.dataDir, warm: 0 });
  });
  after(async () => {
    for (const { tenant } of runtime.sandboxes()) {
      if (tenant !== undefined) await runtime.release({ tenant, isolation: 'tenant' });
    }
    await runtime[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  async function begin(words: string[], patch: SpecPatch = {}): Promise<WorkloadSpec> {
    const module = { digest: 'sha256:posix', path };
    const spec = scripted(place.dataDir, '', { module, args: ['posix', ...words], posix: GRANT, ...patch });
    const mounts = [{ guestPath: '/data', hostPath: podFolder(place.dataDir, spec, 'data'), readOnly: false }];
    await runtime.create({ ...spec, mounts });
    await runtime.start(spec.id);
    return spec;
  }

  it('has its functions behind the walls', async () => {
    const spec = await begin([], { limits: { memoryBytes: 32 << 20, cpuMillis: 2500 } });
    assert.equal((await runtime.wait(spec.id)).exit.code, 0);
    const lines = logLines(spec).map((line) => line.replace('stdout F ', ''));
    const { mode } = { mode: lines.find((line) => line.startsWith('fd_mode_set')) };
    // On a file system that keeps no attributes the guest is told so.
    if (mode === 'fd_mode_set 0')
      assert.ok(lines.includes('owner 7 9') && lines.includes('path_status_get 100640'), lines.join('\n'));
    else assert.match(mode ?? '', /Not supported/);
    for (const line of [
      'groups_get 1',
      'process_get 1',
      'system_info_get 3',
      'Linux',
      'umask_set 22',
      'signal_wait 12',
      '0::/',
      String(32 << 20),
    ]) {
      assert.ok(lines.includes(line), `${line}\n\n${lines.join('\n')}`);
    }
  });

  it('gets the SIGTERM that it declared, and ends by itself', async () => {
    const spec = await begin(['term']);
    await logged(spec, 'ready');
    await runtime.kill(spec.id, 'SIGTERM');
    assert.deepEqual((await runtime.wait(spec.id)).exit, { code: 0, reason: 'Completed' });
    assert.deepEqual(logLines(spec), ['stdout F ready', 'stdout F signal 15']);
  });

  it('ends at once by a SIGTERM that it did not declare', async () => {
    const spec = await begin(['deaf']);
    await logged(spec, 'ready');
    await runtime.kill(spec.id, 'SIGTERM');
    assert.equal((await runtime.wait(spec.id)).exit.code, 143);
  });

  it('ends by SIGKILL whatever it declared', async () => {
    const spec = await begin(['term']);
    await logged(spec, 'ready');
    await runtime.kill(spec.id, 'SIGKILL');
    assert.equal((await runtime.wait(spec.id)).exit.code, 137);
  });

  it('is not there without the grant', async () => {
    const spec = await begin(['term'], { posix: undefined });
    const { exit } = await runtime.wait(spec.id);
    assert.equal(exit.reason, 'StartError');
    assert.match(exit.message ?? '', /wasmlet_posix_0/);
  });
});
