import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { processesWith } from './left-behind.ts';

it('an interrupted run ends what has its folder in the command line, and removes the folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-left-'));
  const script = `
    import { spawn } from 'node:child_process';
    import { leaveNothing } from ${JSON.stringify(join(import.meta.dirname, 'left-behind.ts'))};
    const folder = process.env.FOLDER;
    leaveNothing(folder);
    spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', folder], { detached: true, stdio: 'ignore' }).unref();
    setInterval(() => {}, 1000);
    console.log('started');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], {
    env: { ...process.env, FOLDER: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.equal(processesWith(folder).length, 1);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [143, null]);
  assert.equal(existsSync(folder), false);
  while (processesWith(folder).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});
