/** What stands around a sandbox that the node's rights can build, seen from outside; and what happens where it cannot stand. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findCgroups, landlockAbi, mayBecome } from '#kit/os';
import type { WorkloadSpec } from '../contract.ts';
import { logged, makePlace, type Place, podFolder, scripted } from '../scripted.suite.ts';
import { createRuntime, type SandboxRuntime } from './mod.ts';
import { DEFAULT_USERS } from './walls.ts';

const asRoot = mayBecome(DEFAULT_USERS) && landlockAbi() > 0;

async function begin(runtime: SandboxRuntime, spec: WorkloadSpec): Promise<WorkloadSpec> {
  await runtime.create(spec);
  await runtime.start(spec.id);
  return spec;
}

async function exitOf(runtime: SandboxRuntime, spec: WorkloadSpec): Promise<number> {
  return (await runtime.wait((await begin(runtime, spec)).id)).exit.code;
}

async function endAll(runtime: SandboxRuntime): Promise<void> {
  for (const { tenant } of runtime.sandboxes())
    for (const isolation of ['tenant', 'pod'] as const)
      if (tenant !== undefined) await runtime.release({ tenant, isolation });
  await runtime[Symbol.asyncDispose]();
}

function pidOf(runtime: SandboxRuntime, wanted: string): number {
  return runtime.sandboxes().find(({ tenant }) => tenant === wanted)?.pid ?? 0;
}

/** The numbers of a line of /proc/<pid>/status. */
function statusLine(pid: number, name: string): string {
  return (
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]?.trim() ?? ''
  );
}

describe('a sandbox of a node that may change users', { skip: !asRoot && 'this process may not' }, () => {
  let place: Place;
  let runtime: SandboxRuntime;
  before(async () => {
    place = makePlace();
    runtime = await createRuntime({ dataDir: place.dataDir, warm: 0 });
  });
  after(async () => {
    await endAll(runtime);
    await place[Symbol.asyncDispose]();
  });

  it('is a user of its tenant, with one capability, no new privileges and a filter', async () => {
    const spec = await begin(runtime, scripted(place.dataDir, 'print up , forever'));
    await begin(runtime, scripted(place.dataDir, 'forever', { tenant: 'green' }));
    await logged(spec, 'up');
    const { uid } = lstatSync(join(place.dataDir, 'tenants', 'blue'));
    assert.ok(uid >= DEFAULT_USERS.first && uid <= DEFAULT_USERS.last);
    assert.notEqual(lstatSync(join(place.dataDir, 'tenants', 'green')).uid, uid);
    const pid = pidOf(runtime, 'blue');
    assert.equal(statusLine(pid, 'Uid'), [uid, uid, uid, uid].join('\t'));
    assert.equal(statusLine(pid, 'Gid'), [uid, uid, uid, uid].join('\t'));
    assert.equal(statusLine(pid, 'Groups'), '');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.equal(statusLine(pid, set), '0000000000000002', set);
    assert.equal(statusLine(pid, 'NoNewPrivs'), '1');
    assert.equal(statusLine(pid, 'Seccomp'), '2');
    assert.equal(lstatSync(spec.logPath).uid, uid);
  });

  it('works on folders and files of root, as a container of root does', async () => {
    const old = join(place.dataDir, 'tenants', 'old');
    mkdirSync(old, { recursive: true, mode: 0o755 });
    const spec = scripted(place.dataDir, 'write /data/mine yes , write /data/theirs no , exit 3', { tenant: 'old' });
    const hostPath = podFolder(place.dataDir, spec, 'data');
    writeFileSync(join(hostPath, 'theirs'), 'before', { mode: 0o600 });
    assert.equal(await exitOf(runtime, { ...spec, mounts: [{ guestPath: '/data', hostPath, readOnly: false }] }), 3);
    assert.notEqual(lstatSync(old).uid, 0);
    assert.equal(lstatSync(join(hostPath, 'mine')).uid, lstatSync(old).uid);
    assert.equal(lstatSync(join(hostPath, 'theirs')).uid, 0);
    assert.notEqual(readFileSync(join(hostPath, 'theirs'), 'utf8'), 'before');
  });

  it('is in a control group with the shares and limits of its workloads, which goes with it', async (t) => {
    const groups = findCgroups();
    if (groups === undefined) return t.skip('no control group can be written to');
    const limits = { cpuShares: 100, memoryBytes: 64 * 1024 * 1024 };
    await begin(runtime, scripted(place.dataDir, 'forever', { tenant: 'grouped', limits }));
    const { pid, id, walls } = runtime.sandboxes().find(({ tenant }) => tenant === 'grouped') ?? { pid: 0, id: '' };
    assert.equal(walls?.['cgroup'], true);
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'latin1'), new RegExp(`:/wasmlet/${id}$`, 'm'));
    await runtime.release({ tenant: 'grouped', isolation: 'tenant' });
    // The process is over, and counts until it is reaped.
    const files = groups.create(id);
    while (files.some((file) => readFileSync(file, 'utf8') !== ''))
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(groups.remove(id), true);
  });
});

describe('a sandbox that was started with fewer walls than are demanded now', {
  skip: !asRoot && 'there is no other',
}, () => {
  it('keeps its guests when it is taken over, and gets no new ones', async () => {
    await using place = makePlace();
    const nobody = { first: 0xffff_fff0, last: 0xffff_ffff };
    const before = await createRuntime({ dataDir: place.dataDir, warm: 0, users: nobody, demanded: [] });
    const old = await begin(before, scripted(place.dataDir, 'print up , forever'));
    const pid = pidOf(before, 'blue');
    await before[Symbol.asyncDispose]();
    const runtime = await createRuntime({ dataDir: place.dataDir, warm: 0 });
    assert.equal(pidOf(runtime, 'blue'), pid);
    const spec = await begin(runtime, scripted(place.dataDir, 'print new , forever'));
    await logged(spec, 'new');
    const found = runtime.sandboxes().filter(({ tenant }) => tenant === 'blue');
    assert.deepEqual(found.map(({ walls, workloads }) => [walls['uid'], workloads]).sort(), [
      [false, 1],
      [true, 1],
    ]);
    await runtime.kill(old.id, 'SIGKILL');
    assert.equal((await runtime.wait(old.id)).exit.code, 137);
    await endAll(runtime);
  });
});

describe('demanded walls', () => {
  it('that cannot stand keep every guest from starting, and say which', async () => {
    await using place = makePlace();
    const nobody = { first: 0xffff_fff0, last: 0xffff_ffff };
    const runtime = await createRuntime({ dataDir: place.dataDir, warm: 0, users: nobody, demanded: ['uid'] });
    const spec = scripted(place.dataDir, 'exit 0');
    await assert.rejects(runtime.create(spec), { code: 'RUNTIME_NO_WALLS', message: /demanded walls: uid/ });
    assert.deepEqual(runtime.sandboxes(), []);
    await runtime[Symbol.asyncDispose]();
  });
});

describe('processes of pods’ own', () => {
  it('are bounded in number, and an empty one gives way', async () => {
    await using place = makePlace();
    const runtime = await createRuntime({ dataDir: place.dataDir, warm: 0, mostOwnProcesses: 1 });
    const own = () => scripted(place.dataDir, 'forever', { placement: { tenant: 'blue', isolation: 'pod' } });
    const first = await begin(runtime, own());
    await assert.rejects(runtime.create(own()), { code: 'RUNTIME_TOO_MANY_PROCESSES' });
    await runtime.kill(first.id, 'SIGKILL');
    await runtime.wait(first.id);
    await runtime.delete(first.id);
    const pid = pidOf(runtime, 'blue');
    const second = await begin(runtime, own());
    assert.equal(existsSync(`/proc/${pid}/exe`) && statusLine(pid, 'State').startsWith('R'), false);
    await runtime.kill(second.id, 'SIGKILL');
    await runtime.wait(second.id);
    await endAll(runtime);
  });
});

describe('a Node without node:ffi', () => {
  function start(options: string): string {
    const code = `
      import { createRuntime } from ${JSON.stringify(new URL('./mod.ts', import.meta.url).href)};
      import { makePlace, scripted } from ${JSON.stringify(new URL('../scripted.suite.ts', import.meta.url).href)};
      await using place = makePlace();
      try {
        const runtime = await createRuntime({ dataDir: place.dataDir, warm: 0, ${options} });
        const spec = scripted(place.dataDir, 'print up , exit 4');
        await runtime.create(spec);
        await runtime.start(spec.id);
        const { exit } = await runtime.wait(spec.id);
        const walls = Object.values(runtime.sandboxes()[0].walls).filter(Boolean).length;
        const listeners = [{ name: 'http', address: '127.0.0.1', port: 1, fd: 0 }];
        const refused = await runtime.create(scripted(place.dataDir, 'exit 0', { listeners })).catch(({ code }) => code);
        await runtime.release({ tenant: 'blue', isolation: 'tenant' });
        await runtime[Symbol.asyncDispose]();
        console.log(exit.code, walls, refused);
      } catch (error) {
        console.log(error.code);
      }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '--no-experimental-ffi' },
    });
    return stdout.trim() || stderr;
  }

  it('starts no guest', () => assert.equal(start(''), 'RUNTIME_NO_WALLS'));

  it('starts those that are trusted, with no wall and no listener', () => {
    assert.equal(start('insecureTrustedGuests: true'), '4 0 RUNTIME_NO_WALLS');
  });
});
