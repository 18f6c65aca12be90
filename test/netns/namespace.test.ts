import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../processes/command.ts';
import { identityOf, isAlive } from '../processes/owner.ts';
import { connect, listNamespaces, makeNamespace, sweepNamespaces } from './namespace.ts';

test('a namespace has loopback, its host address and no way out', async () => {
  await using namespace = await makeNamespace({ label: 'alone' });
  const { stdout } = await run([...namespace.enter, 'ip', '-o', 'address']);
  assert.match(stdout, /127\.0\.0\.1\/8/);
  assert.match(stdout, /10\.250\.0\.1\/32/);
  const links = await run([...namespace.enter, 'ip', '-o', 'link', 'show', 'up']);
  assert.equal(links.stdout.trim().split('\n').length, 1);
  const routes = await run([...namespace.enter, 'ip', 'route']);
  assert.equal(routes.stdout.trim(), '');
});

test('two namespaces joined by a cable reach each other', async () => {
  await using one = await makeNamespace({ label: 'one', address: '10.250.0.1' });
  await using two = await makeNamespace({ label: 'two', address: '10.250.0.2' });
  await connect([one, '10.250.1.1'], [two, '10.250.1.2']);
  const listen = `require('net').createServer((s) => s.end('hello')).listen(8080, '10.250.1.2', () => console.log('up'))`;
  const server = spawn(two.enter[0] ?? '', [...two.enter.slice(1), process.execPath, '-e', listen]);
  await once(server.stdout, 'data');
  const ask = `require('net').connect(8080, '10.250.1.2').on('data', (d) => console.log(String(d)))`;
  const { stdout } = await run([...one.enter, process.execPath, '-e', ask]);
  assert.equal(stdout.trim(), 'hello');
});

test('removing a namespace kills what is still inside and says what it was', async () => {
  const namespace = await makeNamespace({ label: 'left' });
  const child = spawn(namespace.enter[0] ?? '', [...namespace.enter.slice(1), 'sleep', '1000']);
  const exited = once(child, 'exit');
  while ((await namespace.processes()).length === 0) await new Promise(setImmediate);
  const killed = await namespace.remove();
  await exited;
  assert.equal(killed.length, 1);
  assert.ok(!listNamespaces().includes(namespace.name));
});

test('namespaces of an owner that was killed are swept, those of a living one are not', async () => {
  await using mine = await makeNamespace({ label: 'mine' });
  const source = fileURLToPath(new URL('./namespace.ts', import.meta.url));
  const script = `
    const { makeNamespace } = await import(${JSON.stringify(source)});
    const { spawn } = await import('node:child_process');
    const n = await makeNamespace({ label: 'orphan' });
    const c = spawn(n.enter[0], [...n.enter.slice(1), 'sleep', '1000'], { detached: true, stdio: 'ignore' });
    console.log(n.name, c.pid);
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [words] = (await once(owner.stdout, 'data')) as [Buffer];
  const [name = '', pid = ''] = String(words).trim().split(' ');
  assert.ok(listNamespaces().includes(name));
  const gone = once(owner, 'exit');
  owner.kill('SIGKILL');
  await gone;
  // Another test file's sweep may be faster than ours: what counts is that it is gone.
  await sweepNamespaces();
  assert.ok(!listNamespaces().includes(name));
  assert.ok(listNamespaces().includes(mine.name));
  assert.equal(identityOf(Number(pid)), undefined);
});

test('an identity names one process, not whoever gets its number later', () => {
  assert.equal(isAlive(`${process.pid}-1`), false);
  assert.equal(isAlive('garbage'), false);
  assert.equal(isAlive('99999999-1'), false);
});
