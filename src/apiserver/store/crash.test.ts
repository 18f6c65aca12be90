import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Store } from './store.ts';

/** Kills the writer after it answered `answers` writes; returns the last one answered. */
function writeAndKill(path: string, answers: number): Promise<string[]> {
  const program = fileURLToPath(new URL('./crash.fixture.ts', import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString();
    if (text.split('\n').length > answers) child.kill('SIGKILL');
  });
  return new Promise((resolve) => {
    child.once('close', () => resolve(text.split('\n').slice(0, -1)));
  });
}

describe('a writer that is killed', () => {
  it('has lost nothing that it answered and has nothing by halves', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wasmlet-crash-'));
    const path = join(folder, 'state.db');
    try {
      for (const answers of [3, 61, 140]) {
        const said = await writeAndKill(path, answers);
        using store = new Store(path);
        const last = new Map(said.map((line) => [line.split(' ')[2] ?? '', line.split(' ')] as const));
        assert.ok(store.revision >= Number(said.at(-1)?.split(' ')[0]));
        for (const [name, [revision = '', verb]] of last) {
          const entry = store.get({ storage: 'pods', namespace: 'default', name });
          const later = store.since('pods', Math.max(Number(revision), store.compacted));
          if (later.some((change) => change.entry.name === name)) continue;
          assert.equal(entry !== undefined, verb === 'put', `${name} after ${verb}`);
          if (entry !== undefined) assert.equal(entry.revision, Number(revision));
        }
        for (const { value } of store.list('pods')) assert.equal(String(value['filler']).length, value['check']);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
