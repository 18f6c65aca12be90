import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const WITH_NODE = fileURLToPath(new URL('../../bin/with-node.js', import.meta.url));
let dir: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wasmlet-with-node-'));
});
after(() => rm(dir, { recursive: true, force: true }));

/** Starts a script of these words by bin/with-node.js; resolves with what it wrote and how it ended. */
async function start(text: string, { args = [], signal }: { args?: string[]; signal?: NodeJS.Signals } = {}) {
  const script = join(dir, `${Math.random().toString(36).slice(2)}.ts`);
  await writeFile(script, text);
  const child = spawn(process.execPath, [WITH_NODE, script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
    if (signal !== undefined) child.kill(signal);
  }
  const [code, by] = await exited;
  return { output: output.trim(), code, signal: by };
}

test('the script is TypeScript, gets its arguments, and finds the same node first in PATH', async () => {
  const words =
    'const x: string[] = process.argv.slice(2); console.log(x.join(), process.env.PATH!.split(":")[0], process.execPath)';
  const { output, code } = await start(words, { args: ['a', '--b'] });
  const [given, first, node = ''] = output.split(' ');
  assert.deepEqual([given, first, code], ['a,--b', dirname(node), 0]);
});

test('its exit code is the script’s', async () => {
  assert.equal((await start('process.exit(7)')).code, 7);
});

test('a signal reaches the script', async () => {
  const words = 'process.on("SIGTERM", () => process.exit(42)); setInterval(() => {}, 1000); console.log("up")';
  assert.equal((await start(words, { signal: 'SIGTERM' })).code, 42);
});
