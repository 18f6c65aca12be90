import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { landlockAbi, lockFile, signalProcess, startTimeOf, threadCpuClock, threadId, threadTicks } from './mod.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmlet-os-'));
after(() => rmSync(folder, { recursive: true }));
const os = new URL('./mod.ts', import.meta.url).href;

function runNode(code: string) {
  return spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], { encoding: 'utf8' });
}

describe('signalProcess()', () => {
  it('ends the process that it names and spares one with another start time', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const pid = child.pid ?? 0;
    const startTime = startTimeOf(pid);
    assert.ok(startTime !== undefined);
    assert.equal(signalProcess({ pid, startTime: startTime + 1 }, 'SIGKILL'), false);
    assert.equal(signalProcess({ pid, startTime }, 'none'), true);
    const ended = once(child, 'exit');
    assert.equal(signalProcess({ pid, startTime }, 'SIGKILL'), true);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.equal(startTimeOf(pid), undefined);
    assert.equal(signalProcess({ pid, startTime }, 'SIGKILL'), false);
  });
});

describe('threadCpuClock()', () => {
  it('moves with what the thread computes, and never back', () => {
    const cpu = threadCpuClock();
    const before = cpu();
    for (let at = 0, last = before; at < 1000; at++) {
      const now = cpu();
      assert.ok(now >= last);
      last = now;
    }
    assert.ok(cpu() > before);
  });
});

describe('threadTicks()', () => {
  it('knows its own thread and no foreign one', () => {
    assert.ok((threadTicks(threadId()) ?? -1) >= 0);
    assert.equal(threadTicks(1), undefined);
  });
});

describe('lockFile()', () => {
  it('lets one process in and tells the next who has it', () => {
    const path = join(folder, 'lock');
    const lock = lockFile(path);
    assert.ok('path' in lock);
    const code = `import { lockFile } from ${JSON.stringify(os)}; console.log(JSON.stringify(lockFile(${JSON.stringify(path)})))`;
    assert.deepEqual(JSON.parse(runNode(code).stdout), { holder: process.pid });
    lock[Symbol.dispose]();
    assert.deepEqual(JSON.parse(runNode(code).stdout), { path });
  });
});

describe('restrictSelf()', { skip: landlockAbi() === 0 && 'this kernel has no Landlock' }, () => {
  it('leaves what is granted, in a process that it executes too, and nothing else', () => {
    writeFileSync(join(folder, 'inside'), 'in');
    const outside = mkdtempSync(join(tmpdir(), 'wasmlet-os-'));
    writeFileSync(join(outside, 'secret'), 'out');
    const probe = `
      const fs = require('node:fs'), net = require('node:net');
      const name = (call) => { try { return call() ?? 'done'; } catch (error) { return error.code; } };
      const result = [
        name(() => fs.readFileSync(${JSON.stringify(join(folder, 'inside'))}, 'utf8')),
        name(() => fs.writeFileSync(${JSON.stringify(join(folder, 'new'))}, '')),
        name(() => fs.readFileSync(${JSON.stringify(join(outside, 'secret'))}, 'utf8')),
        name(() => fs.writeFileSync(${JSON.stringify(join(outside, 'new'))}, '')),
        name(() => fs.readdirSync('/etc').length),
      ];
      net.createServer().on('error', (error) => console.log(JSON.stringify([...result, error.code]))).listen(0, '127.0.0.1');`;
    const code = `
      import { restrictSelf, setNoNewPrivs } from ${JSON.stringify(os)};
      setNoNewPrivs();
      restrictSelf({ isolateNetwork: true, grants: [
        { path: process.execPath, access: 'execute' }, { path: '/lib', access: 'execute' }, { path: '/lib64', access: 'execute' },
        { path: '/usr/lib', access: 'execute' }, { path: '/etc/ld.so.cache', access: 'read' }, { path: '/etc/ssl/openssl.cnf', access: 'read' }, { path: '/not/there', access: 'read' },
        { path: ${JSON.stringify(folder)}, access: 'write' } ] });
      process.execve(process.execPath, [process.execPath, '-e', ${JSON.stringify(probe)}]);`;
    const { stdout, stderr } = runNode(code);
    const expected = ['in', 'done', 'EACCES', 'EACCES', 'EACCES', landlockAbi() >= 4 ? 'EACCES' : undefined];
    assert.deepEqual(stdout === '' ? stderr : JSON.parse(stdout), expected);
    rmSync(outside, { recursive: true });
  });
});
