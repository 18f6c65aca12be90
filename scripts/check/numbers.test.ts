/** The bench lists every claim, and docs/numbers.md has what each of them last was. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CLAIMS } from '../../bench/claims/mod.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rows = readFileSync(`${root}/docs/numbers.md`, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'));

describe('numbers', () => {
  it('lists each file of bench/claims by its name', () => {
    const files = readdirSync(`${root}/bench/claims`).filter((name) => name !== 'mod.ts');
    assert.deepEqual(CLAIMS.map(({ name }) => `${name}.ts`).toSorted(), files.toSorted());
  });

  for (const { name } of CLAIMS) {
    it(`has the last figures of ${name}, each with its target and whether it holds`, () => {
      const own = rows.filter((row) => row.startsWith(`| \`${name}\` |`));
      assert.ok(own.length > 0, `docs/numbers.md has no row of ${name}`);
      for (const row of own) assert.match(row, /\| (yes|no|published) \|$/);
    });
  }
});
