/** Where a sandbox comes from, and what its walls keep out. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { landlockAbi } from '#kit/os';
import type { SandboxInfo, WorkloadSpec } from '../contract.ts';
import { logged, makePlace, type Place, podFolder, scripted } from '../scripted.suite.ts';
import { createRuntime, type SandboxRuntime } from './mod.ts';

async function warmOf(runtime: SandboxRuntime): Promise<SandboxInfo> {
  for (;;) {
    const found = runtime
      .sandboxes()
      .find(({ tenant, walls }) => tenant === undefined && walls['no_new_privs'] === true);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function run(runtime: SandboxRuntime, spec: WorkloadSpec) {
  await runtime.create(spec);
  await runtime.start(spec.id);
  return (await runtime.wait(spec.id)).exit;
}

describe('sandboxes', { timeout: 120_000 }, () => {
  let place: Place;
  let runtime: SandboxRuntime;
  beforeEach(async () => {
    place = makePlace();
    runtime = await createRuntime({ dataDir: place.dataDir });
  });
  afterEach(async () => {
    for (const { tenant } of runtime.sandboxes())
      if (tenant !== undefined) await runtime.release({ tenant, isolation: 'tenant' });
    await runtime[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  it('give a new tenant the warm one, with its root, and warm the next', async () => {
    const { pid } = await warmOf(runtime);
    await runtime.prepare({ tenant: 'blue', isolation: 'tenant' });
    const spec = scripted(place.dataDir, 'write /data/here yes , exit 5');
    const hostPath = podFolder(place.dataDir, spec, 'data');
    const exit = await run(runtime, { ...spec, mounts: [{ guestPath: '/data', hostPath, readOnly: false }] });
    assert.equal(exit.code, 5);
    assert.ok(existsSync(join(hostPath, 'here')));
    assert.equal(runtime.sandboxes().find(({ tenant }) => tenant === 'blue')?.pid, pid);
    assert.notEqual((await warmOf(runtime)).pid, pid);
    assert.equal(readdirSync(join(place.dataDir, 'tenants')).filter((name) => name === 'blue').length, 1);
  });

  it('start a new one for a tenant that has files already', async () => {
    const { pid } = await warmOf(runtime);
    mkdirSync(join(place.dataDir, 'tenants', 'blue', 'pods'), { recursive: true });
    assert.equal((await run(runtime, scripted(place.dataDir, 'exit 6'))).code, 6);
    assert.notEqual(runtime.sandboxes().find(({ tenant }) => tenant === 'blue')?.pid, pid);
    assert.equal((await warmOf(runtime)).pid, pid);
  });

  it('leave nothing behind when the runtime is disposed of while none has a workload', async () => {
    const { pid } = await warmOf(runtime);
    await runtime[Symbol.asyncDispose]();
    assert.equal(existsSync(`/proc/${pid}/exe`), false);
    assert.deepEqual(readdirSync(join(place.dataDir, 'sandboxes')), []);
    assert.deepEqual(readdirSync(join(place.dataDir, 'tenants')), []);
  });

  const walled = { skip: landlockAbi() === 0 && 'this kernel has no Landlock' };
  for (const from of ['warm', 'cold'] as const) {
    it(`keep a ${from} one inside its tenant, whatever it is asked to open`, walled, async () => {
      if (from === 'warm') await warmOf(runtime);
      else mkdirSync(join(place.dataDir, 'tenants', 'blue', 'pods'), { recursive: true });
      await runtime.prepare({ tenant: 'blue', isolation: 'tenant' });
      const foreign = join(place.dataDir, 'tenants', 'green', 'pods');
      mkdirSync(foreign, { recursive: true });
      writeFileSync(join(foreign, 'secret'), '');
      const spec = scripted(place.dataDir, 'list /x');
      const inside = podFolder(place.dataDir, spec, 'data');
      symlinkSync(foreign, join(inside, 'link'));
      for (const hostPath of [foreign, '/etc', place.dataDir, join(place.dataDir, 'sandboxes'), join(inside, 'link')]) {
        const mounts = [{ guestPath: '/x', hostPath, readOnly: true }];
        await assert.rejects(runtime.create({ ...spec, mounts }), { code: 'RUNTIME_CREATE_FAILED' }, hostPath);
      }
      const mounts = [{ guestPath: '/x', hostPath: inside, readOnly: true }];
      assert.equal((await run(runtime, { ...spec, mounts })).code, 0);
      assert.equal(runtime.sandboxes().find(({ tenant }) => tenant === 'blue')?.walls['landlock'], true);
    });
  }

  it('keep an isolated pod inside its own folders', walled, async () => {
    const neighbour = scripted(place.dataDir, 'exit 0');
    const theirs = podFolder(place.dataDir, neighbour, 'data');
    const spec = scripted(place.dataDir, 'list /x', { placement: { tenant: 'blue', isolation: 'pod' } });
    const ours = podFolder(place.dataDir, spec, 'data');
    const mount = (hostPath: string) => [{ guestPath: '/x', hostPath, readOnly: true }];
    await assert.rejects(runtime.create({ ...spec, mounts: mount(theirs) }), { code: 'RUNTIME_CREATE_FAILED' });
    assert.equal((await run(runtime, { ...spec, mounts: mount(ours) })).code, 0);
    await runtime.delete(spec.id);
    await runtime.release({ tenant: 'blue', isolation: 'pod', podUid: spec.id.podUid });
    assert.equal(
      runtime.sandboxes().some(({ tenant }) => tenant === 'blue'),
      false,
    );
  });

  it('start a hundred workloads of one module together', async () => {
    const specs = Array.from({ length: 100 }, () => scripted(place.dataDir, 'print up , forever'));
    await Promise.all(
      specs.map(async (spec) => {
        await runtime.create(spec);
        await runtime.start(spec.id);
        await logged(spec, 'up');
      }),
    );
    assert.equal(runtime.sandboxes().find(({ tenant }) => tenant === 'blue')?.workloads, 100);
    const exits = await Promise.all(
      specs.map(async ({ id }) => {
        await runtime.kill(id, 'SIGTERM');
        return (await runtime.wait(id)).exit.code;
      }),
    );
    assert.deepEqual(new Set(exits), new Set([143]));
  });
});

describe('a node of a user who is not root', { skip: process.getuid?.() !== 0 && 'this whole run is one' }, () => {
  it('runs guests behind the same walls', async () => {
    await using place = makePlace();
    chmodSync(place.dataDir, 0o700);
    chownSync(place.dataDir, 65534, 65534);
    const program = fileURLToPath(new URL('./node-process.suite.ts', import.meta.url));
    const child = spawn(process.execPath, ['--no-warnings', program, place.dataDir], {
      uid: 65534,
      gid: 65534,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const spec = scripted(place.dataDir, 'print up , forever');
    child.stdin.write(`${JSON.stringify(spec)}\n`);
    await once(child.stdout, 'data');
    await logged(spec, 'up');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await using runtime = await createRuntime({ dataDir: place.dataDir, warm: 0 });
    assert.equal(runtime.sandboxes()[0]?.walls['no_new_privs'], true);
    assert.equal(runtime.sandboxes()[0]?.walls['landlock'], landlockAbi() > 0);
    await runtime.kill(spec.id, 'SIGKILL');
    assert.equal((await runtime.wait(spec.id)).exit.code, 137);
    await runtime.release({ tenant: 'blue', isolation: 'tenant' });
  });
});
