import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import { Daemon } from './daemon.ts';
import { identityOf } from './owner.ts';

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wasmlet-daemon-'));
});
after(() => rm(dir, { recursive: true, force: true }));

function sleeper(name: string, script = 'echo up; exec sleep 1000'): Daemon {
  return new Daemon({ name, argv: ['sh', '-c', script], log: join(dir, `${name}.log`) });
}

async function up(daemon: Daemon): Promise<void> {
  while (!daemon.tail().includes('up')) await new Promise(setImmediate);
}

test('a daemon starts, is killed, and starts again under the same name', async () => {
  const daemon = sleeper('again');
  daemon.start();
  const first = daemon.pid;
  await up(daemon);
  await daemon.signal('SIGKILL');
  assert.deepEqual([daemon.running, daemon.pid], [false, undefined]);
  daemon.start();
  assert.ok(daemon.running && daemon.pid !== first);
  await daemon.stop();
  assert.equal(daemon.running, false);
});

test('one that does not listen to SIGTERM is killed when its grace is over', async () => {
  const daemon = sleeper('deaf', "trap '' TERM; echo up; while :; do sleep 0.05; done");
  daemon.start();
  await up(daemon);
  await daemon.stop({ grace: 50 });
  assert.equal(daemon.running, false);
});

test('one that cannot be started is not running, and stopping it is no error', async () => {
  const daemon = new Daemon({ name: 'none', argv: ['/no/such/program'], log: join(dir, 'none.log') });
  daemon.start();
  await daemon.ended();
  await daemon.stop();
  assert.equal(daemon.running, false);
});

test('it dies with the process that started it, also when that is killed', async () => {
  const source = fileURLToPath(new URL('./daemon.ts', import.meta.url));
  const script = `
    const { Daemon } = await import(${JSON.stringify(source)});
    const daemon = new Daemon({ name: 'child', argv: ['sleep', '1000'], log: ${JSON.stringify(join(dir, 'child.log'))} });
    daemon.start();
    setTimeout(() => console.log(daemon.pid), 200);
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [words] = (await once(owner.stdout, 'data')) as [Buffer];
  const pid = Number(String(words));
  assert.notEqual(identityOf(pid), undefined);
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  while (identityOf(pid) !== undefined) await new Promise(setImmediate);
});

test('a command gives its output, and its last words when it fails', async () => {
  const { stdout } = await run(['cat'], { input: 'hello' });
  assert.equal(stdout, 'hello');
  await assert.rejects(run(['sh', '-c', 'echo why >&2; exit 3']), /ended with 3\nwhy/);
  assert.equal((await run(['sh', '-c', 'exit 3'], { accept: [3] })).code, 3);
  await assert.rejects(run(['/no/such/program']), /Cannot run \/no\/such\/program/);
});
