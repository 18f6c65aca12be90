/** A process that has a helper thread which hangs ends when it exits all the same. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { ffiAvailable } from '#kit/os';

const PROGRAM = `
const { Offload } = await import(process.argv[1]);
void new Offload().run('openHost', [process.argv[2], 0], { lane: 1 });
setTimeout(() => process.exit(0), 1000);
`;

it('exits though a helper thread waits for ever', { skip: ffiAvailable() ? false : 'no node:ffi' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-exit-'));
  try {
    const fifo = join(folder, 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    const offload = new URL('../../src/runtime/wasi/core/offload.ts', import.meta.url).href;
    const flags = ['--no-warnings', '--input-type=module', '-e', PROGRAM];
    const { signal, stderr } = spawnSync(process.execPath, [...flags, offload, fifo], {
      timeout: 60_000,
      killSignal: 'SIGKILL',
      encoding: 'utf8',
    });
    assert.equal(stderr, '');
    assert.equal(signal, 'SIGALRM');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
