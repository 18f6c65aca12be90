/** What happens to guests when the node, or a sandbox, ends in a way that nobody planned. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '#kit';
import { startTimeOf } from '#kit/os';
import type { WorkloadSpec } from '../contract.ts';
import { logged, logLines, makePlace, type Place, podFolder, scripted } from '../scripted.suite.ts';
import { createRuntime, type SandboxRuntime } from './mod.ts';
import { encodeFrame } from './protocol/frames.ts';

const program = fileURLToPath(new URL('./node-process.suite.ts', import.meta.url));

/** A node process that has started these workloads and was then killed. */
async function killedNode(dataDir: string, specs: readonly WorkloadSpec[]): Promise<void> {
  const child = spawn(process.execPath, ['--no-warnings', program, dataDir], { stdio: ['pipe', 'pipe', 'inherit'] });
  for (const spec of specs) {
    child.stdin.write(`${JSON.stringify(spec)}\n`);
    await once(child.stdout, 'data');
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function endAll(runtime: SandboxRuntime): Promise<void> {
  for (const { tenant } of runtime.sandboxes())
    if (tenant !== undefined) await runtime.release({ tenant, isolation: 'tenant' });
  await runtime[Symbol.asyncDispose]();
}

describe('a sandbox', { timeout: 120_000 }, () => {
  let place: Place;
  beforeEach(() => {
    place = makePlace();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  it('goes on when the node is killed, and the next node takes it over with all that happened since', async () => {
    const { dataDir } = place;
    const runs = scripted(dataDir, 'tick 20');
    const waits = scripted(dataDir, 'print up , await /pod/go , exit 9');
    const folder = podFolder(dataDir, waits, 'volume');
    const exits = { ...waits, mounts: [{ guestPath: '/pod', hostPath: folder, readOnly: false }] };
    await killedNode(dataDir, [runs, exits]);
    const [id = ''] = readdirSync(join(dataDir, 'sandboxes'));
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'sandboxes', id, 'record.json'), 'utf8')) as { pid: number };
    await logged(exits, 'up');
    writeFileSync(join(folder, 'go'), '');
    // The exit is on disk before anybody could hear of it.
    while (readdirSync(join(dataDir, 'sandboxes', id, 'exits')).filter((name) => name.endsWith('.json')).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const lines = logLines(runs).length;
    const runtime = await createRuntime({ dataDir, warm: 0 });
    const { exit } = await runtime.wait(exits.id);
    assert.equal(exit.code, 9);
    const report = runtime.list().find(({ id }) => id.podUid === runs.id.podUid);
    assert.equal(report?.state.phase, 'running');
    assert.deepEqual(
      runtime.sandboxes().map((sandbox) => sandbox.pid),
      [pid],
    );
    await logged(runs, `tick ${lines + 3}`);
    await runtime.create(runs);
    await runtime.start(runs.id);
    await runtime.kill(runs.id, 'SIGTERM');
    assert.equal((await runtime.wait(runs.id)).exit.code, 143);
    assert.equal(logLines(runs).filter((line) => line.endsWith('F tick 0')).length, 1);
    await endAll(runtime);
    assert.deepEqual(readdirSync(join(dataDir, 'sandboxes')), []);
  });

  it('whose workloads have all ended goes with the node, and the next one hears how they ended', async () => {
    const { dataDir } = place;
    const spec = scripted(dataDir, 'exit 9');
    const first = await createRuntime({ dataDir, warm: 0 });
    await first.create(spec);
    await first.start(spec.id);
    assert.equal((await first.wait(spec.id)).exit.code, 9);
    const pid = first.sandboxes()[0]?.pid ?? 0;
    await first[Symbol.asyncDispose]();
    assert.equal(startTimeOf(pid), undefined);
    const next = await createRuntime({ dataDir, warm: 0 });
    assert.equal((await next.wait(spec.id)).exit.code, 9);
    await endAll(next);
  });

  it('that died while the node was away leaves its exits; what was running counts as crashed', async () => {
    const { dataDir } = place;
    const done = scripted(dataDir, 'exit 4');
    const runs = scripted(dataDir, 'forever');
    await killedNode(dataDir, [done, runs]);
    const [id = ''] = readdirSync(join(dataDir, 'sandboxes'));
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'sandboxes', id, 'record.json'), 'utf8')) as { pid: number };
    while (readdirSync(join(dataDir, 'sandboxes', id, 'exits')).filter((name) => name.endsWith('.json')).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    process.kill(pid, 'SIGKILL');
    while (startTimeOf(pid) !== undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    const runtime = await createRuntime({ dataDir, warm: 0 });
    assert.equal((await runtime.wait(done.id)).exit.code, 4);
    const lost = await runtime.wait(runs.id);
    assert.equal(lost.exit.code, 137);
    assert.match(lost.exit.message ?? '', /while the node was away/);
    await runtime[Symbol.asyncDispose]();
    const again = await createRuntime({ dataDir, warm: 0 });
    assert.deepEqual(await again.wait(runs.id), lost);
    await again.delete(runs.id);
    await again.delete(done.id);
    await again[Symbol.asyncDispose]();
    assert.deepEqual(readdirSync(join(dataDir, 'sandboxes')), []);
  });

  it('that is killed takes down its own workloads and no others, and the tenant gets a new one', async () => {
    const { dataDir } = place;
    const runtime = await createRuntime({ dataDir, warm: 0 });
    const here = scripted(dataDir, 'forever', { tenant: 'blue' });
    const there = scripted(dataDir, 'print up , forever', { tenant: 'green' });
    for (const spec of [here, there]) {
      await runtime.create(spec);
      await runtime.start(spec.id);
    }
    process.kill(runtime.sandboxes().find(({ tenant }) => tenant === 'blue')?.pid ?? 0, 'SIGKILL');
    const { exit } = await runtime.wait(here.id);
    assert.deepEqual([exit.code, exit.reason], [137, 'Error']);
    const next = scripted(dataDir, 'exit 2', { id: { ...here.id, attempt: 1 } });
    await runtime.create(next);
    await runtime.start(next.id);
    assert.equal((await runtime.wait(next.id)).exit.code, 2);
    assert.equal(runtime.list().find(({ id }) => id.podUid === there.id.podUid)?.state.phase, 'running');
    await endAll(runtime);
  });

  it('that hangs is killed, and its workloads count as crashed', async () => {
    const { dataDir } = place;
    // The same waits, a fortieth as long.
    const clock: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(Math.max(1, ms / 40), options) };
    const hangs = scripted(dataDir, 'forever');
    await killedNode(dataDir, [hangs]);
    const runtime = await createRuntime({ dataDir, warm: 0, clock });
    process.kill(runtime.sandboxes()[0]?.pid ?? 0, 'SIGSTOP');
    const { exit } = await runtime.wait(hangs.id);
    assert.equal(exit.code, 137);
    assert.match(exit.message ?? '', /did not answer/);
    await endAll(runtime);
  });

  for (const [name, garbage] of [
    ['bytes that are no frame', randomBytes(4096)],
    [
      'events of workloads that it was not given',
      encodeFrame({ event: 1, workload: 'other/main/0', state: { phase: 'running', startedAt: 1 } }),
    ],
    ['an unknown message', encodeFrame({ hello: 'again' })],
  ] as const) {
    it(`that sends ${name} is ended, and the node goes on`, async () => {
      const { dataDir } = place;
      const victim = scripted(dataDir, 'forever');
      await killedNode(dataDir, [victim]);
      const [id = ''] = readdirSync(join(dataDir, 'sandboxes'));
      const folder = join(dataDir, 'sandboxes', id);
      const record = JSON.parse(readFileSync(join(folder, 'record.json'), 'utf8')) as {
        pid: number;
        startTime: number;
      };
      // An impostor at the socket says a good hello, and then what it likes.
      process.kill(record.pid, 'SIGSTOP');
      const { rmSync } = await import('node:fs');
      rmSync(join(folder, 'c'));
      const hello = {
        hello: 'wasmlet-sandbox',
        versions: { min: 1, max: 1 },
        sandbox: id,
        pid: record.pid,
        startTime: 1,
        sequence: 0,
        walls: [],
      };
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.write(encodeFrame(hello));
        socket.once('data', () => {
          socket.write(
            encodeFrame({
              id: 1,
              ok: {
                event: 0,
                workloads: [{ workload: `${victim.id.podUid}/main/0`, state: { phase: 'running', startedAt: 1 } }],
              },
            }),
          );
          setTimeout(() => socket.write(garbage), 100);
        });
      }).listen(join(folder, 'c'));
      await once(server, 'listening');
      const runtime = await createRuntime({ dataDir, warm: 0 });
      const { exit } = await runtime.wait(victim.id);
      assert.equal(exit.code, 137);
      assert.equal(startTimeOf(record.pid), undefined);
      const next = scripted(dataDir, 'exit 2');
      await runtime.create(next);
      await runtime.start(next.id);
      assert.equal((await runtime.wait(next.id)).exit.code, 2);
      server.close();
      await endAll(runtime);
    });
  }
});
