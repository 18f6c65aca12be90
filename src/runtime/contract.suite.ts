/**
 * What every runtime must do, whatever it is made of: `contract.ts` as tests. A runtime's own test file calls `testRuntime`.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { boundTo, listenTcp } from '#kit/os';
import { type Runtime, type WorkloadReport, type WorkloadSpec, workloadKey } from './contract.ts';
import { logged, logLines, podFolder, scripted } from './scripted.suite.ts';

const MIB = 1024 * 1024;

export interface RuntimeUnderTest extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly dataDir: string;
}

export interface Suite {
  readonly name: string;
  readonly open: () => Promise<RuntimeUnderTest>;
}

export function testRuntime({ name, open }: Suite): void {
  describe(name, { timeout: 120_000 }, () => {
    let opened: RuntimeUnderTest;
    let runtime: Runtime;
    before(async () => {
      opened = await open();
      runtime = opened.runtime;
    });
    after(() => opened[Symbol.asyncDispose]());

    const make = (steps: string, patch?: Parameters<typeof scripted>[2]) => scripted(opened.dataDir, steps, patch);
    async function begin(spec: WorkloadSpec): Promise<WorkloadSpec> {
      await runtime.create(spec);
      await runtime.start(spec.id);
      return spec;
    }
    async function run(steps: string, patch?: Parameters<typeof scripted>[2]) {
      const spec = await begin(make(steps, patch));
      const { exit } = await runtime.wait(spec.id);
      return { spec, exit };
    }

    describe('a life', () => {
      it('goes from created over running to exited, each told once and in order', async () => {
        const spec = make('print hello , error oops');
        const told: WorkloadReport[] = [];
        const stop = runtime.subscribe(
          (report) => workloadKey(report.id) === workloadKey(spec.id) && told.push(report),
        );
        await runtime.create(spec);
        assert.deepEqual(runtime.list().find(({ id }) => id.podUid === spec.id.podUid)?.state, { phase: 'created' });
        await runtime.start(spec.id);
        const exited = await runtime.wait(spec.id);
        stop();
        assert.deepEqual(
          told.map(({ state }) => state.phase),
          ['created', 'running', 'exited'],
        );
        assert.deepEqual(exited.exit, { code: 0, reason: 'Completed' });
        assert.ok((exited.startedAt ?? 0) <= exited.finishedAt && (exited.startedAt ?? 0) > 0);
        assert.deepEqual(logLines(spec), ['stdout F hello', 'stderr F oops']);
      });

      it('gives the guest its arguments, environment, files and working directory', async () => {
        const spec = make('args one two , env COLOR , cat /data/in , write /data/out written', {
          env: [['COLOR', 'blue=green']],
        });
        const folder = podFolder(opened.dataDir, spec, 'data');
        writeFileSync(join(folder, 'in'), 'from the host\n');
        await begin({ ...spec, mounts: [{ guestPath: '/data', hostPath: folder, readOnly: false }] });
        await runtime.wait(spec.id);
        assert.deepEqual(
          logLines(spec),
          ['0 one', '1 two', 'COLOR=blue=green', 'from the host'].map((line) => `stdout F ${line}`),
        );
        assert.match(readFileSync(join(folder, 'out'), 'utf8'), /^written/);
      });

      it('gives the guest its listener as descriptor 3, and the caller keeps its own', async () => {
        const fd = listenTcp({ address: '127.0.0.1', port: 0 });
        const { address, port } = boundTo(fd);
        const spec = await begin(make('serve 3', { listeners: [{ name: 'http', address, port, fd }] }));
        assert.ok((await talk(port)).length > 0);
        const held = await runtime.listenersOf(spec.id.podUid);
        assert.deepEqual(
          held.map(({ name, port }) => ({ name, port })),
          [{ name: 'http', port }],
        );
        assert.deepEqual(boundTo(held[0]?.fd ?? -1), { address, port });
        await runtime.kill(spec.id, 'SIGKILL');
        await runtime.wait(spec.id);
        // The next attempt has the same socket; who connected in between waits in its backlog.
        const waiting = talk(port);
        const next = await begin(
          make('serve 3', { id: { ...spec.id, attempt: 1 }, listeners: [{ name: 'http', address, port, fd }] }),
        );
        assert.ok((await waiting).length > 0);
        await runtime.kill(next.id, 'SIGKILL');
        await runtime.wait(next.id);
        for (const { fd } of held) closeSync(fd);
        closeSync(fd);
      });
    });

    describe('an exit', () => {
      const cases: readonly (readonly [string, string, Partial<WorkloadSpec>, object])[] = [
        ['has the code of the guest', 'exit 7', {}, { code: 7, reason: 'Error' }],
        [
          'is OOMKilled when the guest gives up at its limit',
          'eat',
          { limits: { memoryBytes: 32 * MIB } },
          { code: 137, reason: 'OOMKilled' },
        ],
        [
          'is OOMKilled when the limit is too small to begin with',
          'print x',
          { limits: { memoryBytes: 1 } },
          { code: 137, reason: 'OOMKilled' },
        ],
        [
          'is StartError without the entrypoint',
          'print x',
          { entrypoint: 'nothing' },
          { code: 128, reason: 'StartError' },
        ],
      ];
      for (const [title, steps, patch, wanted] of cases) {
        it(title, async () => {
          const { exit } = await run(steps, patch);
          assert.deepEqual({ code: exit.code, reason: exit.reason }, wanted);
        });
      }

      for (const steps of ['trap', 'divide 0', 'overflow']) {
        it(`tells what happened when the guest traps (${steps})`, async () => {
          const { exit } = await run(steps);
          assert.equal(exit.reason, 'Error');
          assert.notEqual(exit.code, 0);
          assert.ok((exit.message ?? '').length > 10 && (exit.message ?? '').length <= 4096);
        });
      }

      it('lets growth fail in the guest at the limit, and the guest go on', async () => {
        const { exit, spec } = await run('try grow 100 , print alive', { limits: { memoryBytes: 24 * MIB } });
        assert.deepEqual(exit, { code: 0, reason: 'Completed' });
        assert.equal(logLines(spec).at(-1), 'stdout F alive');
      });
    });

    describe('kill()', () => {
      it('ends a waiting guest at once: SIGTERM with 143, SIGKILL with 137', async () => {
        for (const [signal, code] of [
          ['SIGTERM', 143],
          ['SIGKILL', 137],
        ] as const) {
          const spec = await begin(make('print up , forever'));
          await logged(spec, 'up');
          await runtime.kill(spec.id, signal);
          const { exit } = await runtime.wait(spec.id);
          assert.deepEqual([exit.code, exit.signal], [code, code - 128]);
        }
      });

      it('leaves a guest with grace to SIGKILL', async () => {
        const spec = await begin(make('print up , tick 10', { onTerm: 'grace' }));
        await logged(spec, 'tick 1');
        await runtime.kill(spec.id, 'SIGTERM');
        const lines = logLines(spec).length;
        await logged(spec, `tick ${lines + 3}`);
        await runtime.kill(spec.id, 'SIGKILL');
        assert.equal((await runtime.wait(spec.id)).exit.code, 137);
      });

      it('ends a guest that never waits, and its neighbours go on', async () => {
        const neighbour = await begin(make('print up , tick 5', { tenant: 'crowded' }));
        await logged(neighbour, 'tick 1');
        const spec = await begin(make('print up , loop', { tenant: 'crowded' }));
        await logged(spec, 'up');
        const ticks = logLines(neighbour).length;
        await logged(neighbour, `tick ${ticks + 20}`);
        await runtime.kill(spec.id, 'SIGTERM');
        assert.equal((await runtime.wait(spec.id)).exit.code, 143);
        const later = logLines(neighbour).length;
        await logged(neighbour, `tick ${later + 20}`);
        await runtime.kill(neighbour.id, 'SIGKILL');
        assert.deepEqual((await runtime.wait(neighbour.id)).exit, { code: 137, signal: 9, reason: 'Error' });
      });

      it('does nothing to what has exited, is unknown or was never started', async () => {
        const { spec } = await run('exit 1');
        await runtime.kill(spec.id, 'SIGKILL');
        assert.equal((await runtime.wait(spec.id)).exit.code, 1);
        await runtime.kill({ podUid: 'nobody', container: 'x', attempt: 0 }, 'SIGKILL');
        const created = make('print never');
        await runtime.create(created);
        await runtime.kill(created.id, 'SIGKILL');
        assert.equal((await runtime.wait(created.id)).exit.code, 137);
        assert.deepEqual(logLines(created), []);
      });
    });

    describe('idempotence', () => {
      it('takes every verb again', async () => {
        const spec = make('print once');
        await Promise.all([runtime.create(spec), runtime.create(spec)]);
        await runtime.create(spec);
        await Promise.all([runtime.start(spec.id), runtime.start(spec.id)]);
        const first = await runtime.wait(spec.id);
        await runtime.start(spec.id);
        await runtime.create(spec);
        assert.deepEqual(await runtime.wait(spec.id), first);
        assert.deepEqual(logLines(spec), ['stdout F once']);
        await runtime.delete(spec.id);
        await runtime.delete(spec.id);
        await assert.rejects(runtime.wait(spec.id), { code: 'RUNTIME_UNKNOWN_WORKLOAD' });
        assert.equal(
          runtime.list().some(({ id }) => id.podUid === spec.id.podUid),
          false,
        );
      });

      it('refuses to start the unknown and to delete the running', async () => {
        await assert.rejects(runtime.start({ podUid: 'nobody', container: 'x', attempt: 0 }), {
          code: 'RUNTIME_UNKNOWN_WORKLOAD',
        });
        const spec = await begin(make('forever'));
        await assert.rejects(runtime.delete(spec.id), { code: 'RUNTIME_STILL_RUNNING' });
        await runtime.kill(spec.id, 'SIGKILL');
        await runtime.wait(spec.id);
        await runtime.delete(spec.id);
      });
    });

    describe('create()', () => {
      it('forgets what could not be created', async () => {
        const spec = make('print x');
        const mounts = [
          { guestPath: '/x', hostPath: join(opened.dataDir, 'tenants', 'blue', 'not-there'), readOnly: true },
        ];
        await assert.rejects(runtime.create({ ...spec, mounts }), { code: 'RUNTIME_CREATE_FAILED' });
        await begin(spec);
        assert.equal((await runtime.wait(spec.id)).exit.code, 0);
      });

      it('refuses ids and tenants that would leave their folders', async () => {
        const bad = { podUid: '../../etc', container: 'main', attempt: 0 };
        await assert.rejects(runtime.create(make('print x', { id: bad })), { code: 'RUNTIME_BAD_SPEC' });
        const spec = make('print x', { placement: { tenant: '..', isolation: 'tenant' } });
        await assert.rejects(runtime.create(spec), { code: 'RUNTIME_BAD_SPEC' });
      });

      it('refuses what is too large to tell', async () => {
        const env = [['BIG', 'x'.repeat(1024 * 1024)]] as const;
        await assert.rejects(runtime.create(make('print x', { env })), { code: 'RUNTIME_BAD_SPEC' });
      });
    });

    describe('stats(), resize() and wait()', () => {
      it('tell memory while it runs and nothing after', async () => {
        const spec = await begin(make('grow 2 , print up , forever'));
        await logged(spec, 'up');
        const stats = await runtime.stats(spec.id);
        assert.ok((stats?.memoryBytes ?? 0) >= 2 * MIB);
        assert.ok((stats?.cpuNanos ?? 0) > 0);
        assert.equal(stats?.logBytesDropped, 0);
        const stop = new AbortController();
        const waiting = runtime.wait(spec.id, { signal: stop.signal });
        stop.abort(new Error('enough'));
        await assert.rejects(waiting, /enough/);
        await runtime.kill(spec.id, 'SIGKILL');
        await runtime.wait(spec.id);
        assert.equal(await runtime.stats(spec.id), undefined);
        assert.equal(await runtime.resize(spec.id, {}), false);
      });

      it('change memory in place, but not below what is in use', async () => {
        const spec = await begin(make('grow 8 , print up , forever', { limits: { memoryBytes: 40 * MIB } }));
        await logged(spec, 'up');
        assert.equal(await runtime.resize(spec.id, { memoryBytes: 20 * MIB }), false);
        assert.equal(await runtime.resize(spec.id, { memoryBytes: 28 * MIB }), true);
        await runtime.kill(spec.id, 'SIGKILL');
        const grown = await begin(
          make('grow 8 , print up , sleep 300 , try grow 16 , grow 16 , print more', {
            limits: { memoryBytes: 32 * MIB },
          }),
        );
        await logged(grown, 'up');
        assert.equal(await runtime.resize(grown.id, { memoryBytes: 64 * MIB }), true);
        assert.equal((await runtime.wait(grown.id)).exit.code, 0);
        assert.equal(logLines(grown).at(-1), 'stdout F more');
      });

      it('give CPU time by the limit, which changes in place', async () => {
        const limited = await begin(make('print up , loop', { tenant: 'busy', limits: { cpuMillis: 50 } }));
        const free = await begin(make('print up , loop', { tenant: 'busy' }));
        await Promise.all([logged(limited, 'up'), logged(free, 'up')]);
        const used = async (spec: WorkloadSpec) => (await runtime.stats(spec.id))?.cpuNanos ?? 0;
        while ((await used(free)) < 1e9) await new Promise((resolve) => setTimeout(resolve, 20));
        assert.ok((await used(limited)) < 0.4 * (await used(free)));
        assert.equal(await runtime.resize(limited.id, {}), true);
        const before = { limited: await used(limited), free: await used(free) };
        while ((await used(free)) < before.free + 0.5e9) await new Promise((resolve) => setTimeout(resolve, 20));
        assert.ok((await used(limited)) - before.limited > 0.25e9);
        for (const { id } of [limited, free]) await runtime.kill(id, 'SIGKILL');
      });
    });

    describe('placement', () => {
      it('gives a tenant one sandbox, another tenant another, and an isolated pod its own', async () => {
        const podUid = randomUUID();
        const isolated = { tenant: 'red', isolation: 'pod' } as const;
        const specs = [
          make('forever', { tenant: 'red' }),
          make('forever', { tenant: 'red' }),
          make('forever', { tenant: 'green' }),
          make('forever', { tenant: 'red', placement: isolated, id: { podUid, container: 'main', attempt: 0 } }),
        ];
        for (const spec of specs) await begin(spec);
        const counts = runtime.sandboxes().filter(({ tenant }) => tenant === 'red' || tenant === 'green');
        assert.deepEqual(counts.map(({ tenant, workloads }) => `${tenant} ${workloads}`).sort(), [
          'green 1',
          'red 1',
          'red 2',
        ]);
        for (const { id } of specs) {
          await runtime.kill(id, 'SIGKILL');
          await runtime.wait(id);
        }
        await runtime.release({ ...isolated, podUid });
        await runtime.release({ tenant: 'green', isolation: 'tenant' });
        assert.deepEqual(runtime.sandboxes().filter(({ tenant }) => tenant === 'red' || tenant === 'green').length, 1);
        assert.equal(
          runtime.list().some(({ id }) => id.podUid === podUid),
          false,
        );
      });
    });

    describe('admit()', () => {
      it('tells what a module is, and refuses by value what is none', async () => {
        const verdict = await runtime.admit(make('').module);
        assert.equal(verdict.kind, 'command');
        assert.equal(verdict.refusal, undefined);
        const path = join(opened.dataDir, 'bad.wasm');
        writeFileSync(path, '#!/bin/sh\necho no\n');
        const refused = await runtime.admit({ digest: 'sha256:bad', path });
        assert.equal(refused.refusal?.code, 'MODULE_NOT_WASM');
      });
    });
  });
}

/** What a server says to one line. */
function talk(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk as Buffer));
    socket.on('end', () => {
      socket.end();
      resolve(Buffer.concat(chunks).toString());
    });
    socket.on('error', reject);
  });
}
