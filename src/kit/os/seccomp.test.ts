import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

const os = new URL('./mod.ts', import.meta.url).href;

describe('refuseSystemCalls()', () => {
  it('leaves files, threads and wasm, and refuses programs, sockets and foreign processes', () => {
    const code = `
      import { refuseRings, refuseSystemCalls, setNoNewPrivs, syscall } from ${JSON.stringify(os)};
      import { spawnSync } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      import { createSocket } from 'node:dgram';
      import { connect } from 'node:net';
      import { Worker } from 'node:worker_threads';
      if (process.argv.at(-1) !== 'executed') {
        setNoNewPrivs();
        refuseRings();
        process.execve(process.execPath, [process.execPath, ...process.execArgv, 'executed']);
      }
      refuseSystemCalls();
      const heard = (emitter, name) => new Promise((resolve) => emitter.once(name, resolve));
      const result = {
        spawn: spawnSync('/bin/true').error?.code,
        kill: (() => { try { process.kill(1, 0); return 'done'; } catch (error) { return error.code; } })(),
        self: process.kill(process.pid, 0),
        connect: (await heard(connect(9, '127.0.0.1'), 'error')).code,
        datagram: await new Promise((resolve) => { try { createSocket('udp4').on('error', (e) => resolve(e.code)).bind(0); } catch (e) { resolve(e.code); } }),
        ptrace: syscall(process.arch === 'x64' ? 101 : 117, 0, 0, 0, 0),
        worker: await heard(new Worker('process.getBuiltinModule("node:worker_threads").parentPort.postMessage(process.getBuiltinModule("node:fs").readFileSync("/proc/self/stat").length > 0)', { eval: true }), 'message'),
        inside: await heard(new Worker('process.getBuiltinModule("node:worker_threads").parentPort.postMessage(process.getBuiltinModule("node:child_process").spawnSync("/bin/true").error.code)', { eval: true }), 'message'),
        file: readFileSync('/proc/self/stat').length > 0,
        wasm: WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
      };
      console.log(JSON.stringify(result));
      process.exit(0);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
      encoding: 'utf8',
    });
    assert.deepEqual(stdout === '' ? stderr : JSON.parse(stdout), {
      spawn: 'EPERM',
      kill: 'EPERM',
      self: true,
      connect: 'EPERM',
      datagram: 'EPERM',
      ptrace: -1,
      worker: true,
      inside: 'EPERM',
      file: true,
      wasm: true,
    });
  });

  it('answers every call of its table with EPERM, on a thread that was there before too', () => {
    const code = `
      import { refuseRings, refuseSystemCalls, setNoNewPrivs, syscall } from ${JSON.stringify(os)};
      import { refusedCalls } from ${JSON.stringify(new URL('./seccomp.ts', import.meta.url).href)};
      import { Worker } from 'node:worker_threads';
      if (process.argv.at(-1) !== 'executed') {
        setNoNewPrivs();
        refuseRings();
        process.execve(process.execPath, [process.execPath, ...process.execArgv, 'executed']);
      }
      const program = \`
        const { parentPort } = process.getBuiltinModule('node:worker_threads');
        parentPort.once('message', async () => {
          const { syscall } = await import(${JSON.stringify(os)});
          parentPort.postMessage(syscall(process.arch === 'x64' ? 41 : 198, 1, 1, 0));
        });\`;
      const before = new Worker(program, { eval: true });
      await new Promise((resolve) => before.once('online', resolve));
      refuseSystemCalls();
      // Were there no filter, the calls below would do what they are refused for.
      if (syscall(refusedCalls().get('tkill'), 0, 0) !== -1) throw new Error('there is no filter');
      const open = [...refusedCalls()].filter(([, number]) => syscall(number, 0, 0, 0, 0, 0, 0) !== -1).map(([name]) => name);
      before.postMessage('go');
      const socket = await new Promise((resolve) => before.once('message', resolve));
      console.log(JSON.stringify({ open, socket, count: refusedCalls().size > 90 }));
      process.exit(0);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
      encoding: 'utf8',
    });
    assert.deepEqual(stdout === '' ? stderr : JSON.parse(stdout), { open: [], socket: -1, count: true });
  });

  const foreign = process.arch !== 'x64' && 'x86-64 alone has a second set of numbers';
  it('ends a process that calls by the numbers of x32', { skip: foreign }, () => {
    const code = `
      import { refuseRings, setNoNewPrivs, syscall } from ${JSON.stringify(os)};
      setNoNewPrivs();
      refuseRings();
      syscall(0x40000000 + 39);
      console.log('alive');`;
    const { stdout, signal } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
      encoding: 'utf8',
    });
    assert.deepEqual([stdout, signal], ['', 'SIGSYS']);
  });
});
