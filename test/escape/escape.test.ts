/** The table of `npm run escape`, each attempt a test; as root the walls and the names are tried by a user without rights too. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { landlockAbi } from '../../src/kit/os/mod.ts';
import { attempts } from './attempts.ts';
import { Ground } from './ground.ts';
import { probeSandbox, rowsOf } from './native.ts';
import { tableOf, tryAttempt } from './suite.ts';

const NOBODY = 65534;

describe('native calls from inside of a sandbox', { timeout: 60_000 }, () => {
  it('are refused on each of its threads', { skip: landlockAbi() === 0 && 'this kernel has no Landlock' }, async () => {
    const probed = await probeSandbox();
    assert.deepEqual(new Set(probed.map(({ thread }) => thread)), new Set(['main', 'loop']));
    const rows = probed.flatMap(rowsOf);
    assert.ok(rows.length > 150);
    assert.equal(tableOf(rows.filter(({ verdict }) => verdict === 'ESCAPED')), '');
  });
});

describe('a hostile guest', () => {
  let ground: Ground;
  before(async () => {
    ground = await Ground.open();
  });
  after(() => ground?.[Symbol.asyncDispose]());
  for (const attempt of attempts) {
    it(`${attempt.area}: ${attempt.name}`, { timeout: 120_000 }, async (test) => {
      const row = await tryAttempt(attempt, ground);
      if (row.verdict === 'skipped') return test.skip(row.happened);
      assert.equal(row.verdict, 'refused', row.happened);
      test.diagnostic(`${row.wall}: ${row.happened}`);
    });
  }
});

describe('as a user without rights', { skip: process.getuid?.() !== 0 && 'this whole run is one' }, () => {
  for (const words of ['native', 'paths', 'names of the engine']) {
    it(`${words}: nothing escapes`, { timeout: 180_000 }, async () => {
      const program = join(import.meta.dirname, 'run.ts');
      const options = { uid: NOBODY, gid: NOBODY, cwd: '/', env: { PATH: process.env['PATH'], HOME: '/nonexistent' } };
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--no-warnings', program, '--as', 'user', words],
        options,
      );
      assert.match(stdout, /as user 65534: [1-9]\d* attempts, [1-9]\d* refused, 0 escaped, 0 not tried/);
    });
  }
});
