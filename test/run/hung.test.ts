import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { killHungFiles } from './hung.ts';

test('a child that does not end is killed and named, one that ends is not', async () => {
  // The names of the processes are those of test files: `sh -c SCRIPT NAME`.
  const script = `sh -c 'sleep 1000; :' slow.test.ts & slow=$!; sh -c : quick.test.ts; wait $slow; echo ended`;
  const runner = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  const watch = killHungFiles(runner.pid, 0.5);
  try {
    await once(runner, 'exit');
    assert.deepEqual(watch.killed, ['slow.test.ts']);
  } finally {
    watch.stop();
    // The sleep of the killed shell, which is its own process.
    if (runner.pid !== undefined) process.kill(-runner.pid, 'SIGKILL');
  }
});
