import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { END_NOTE, endingOf } from './ending.ts';

const cases: readonly (readonly [
  wanted: 'keep' | 'end',
  note: string | undefined,
  system: string,
  expected: string,
])[] = [
  ['keep', undefined, 'running', 'keep'],
  ['keep', undefined, 'degraded', 'keep'],
  ['keep', undefined, '', 'keep'],
  ['keep', undefined, 'stopping', 'end'],
  ['keep', `${process.pid}\n`, 'running', 'end'],
  ['keep', '1', 'running', 'keep'],
  ['keep', 'garbage', 'running', 'keep'],
  ['end', undefined, 'running', 'end'],
];

for (const [wanted, note, system, expected] of cases) {
  const words = `asked to ${wanted}, ${note === undefined ? 'no note' : `the note '${note.trim()}'`}, a system '${system}'`;
  test(`guests: ${expected} when ${words.replace(String(process.pid), 'PID')}`, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'wasmlet-'));
    try {
      if (note !== undefined) await writeFile(join(dataDir, END_NOTE), note);
      assert.equal(await endingOf(wanted, { dataDir, ask: async () => system }), expected);
      assert.equal(existsSync(join(dataDir, END_NOTE)), false);
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
}
