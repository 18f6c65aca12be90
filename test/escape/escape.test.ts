/** The table of `npm run escape`, each attempt a test; as root the walls and the names are tried by a user without rights too. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { landlockAbi } from '../../src/kit/os/mod.ts';
import { attempts } from './attempts.ts';
import { probes } from './native.ts';
import { Grounds, LANES, tableOf } from './suite.ts';

const NOBODY = 65534;

describe('native calls from behind the walls', { timeout: 60_000 }, () => {
  const skip = landlockAbi() === 0 && 'this kernel has no Landlock';
  for (const { area, names, probe } of probes) {
    it(`${area}: all are refused`, { skip }, async (test) => {
      const rows = await probe();
      const tried = rows.filter(({ verdict }) => verdict !== 'skipped');
      test.diagnostic(`${tried.length} of ${rows.length} tried`);
      assert.deepEqual(new Set(rows.map(({ name }) => name)), new Set(names));
      assert.equal(tableOf(rows.filter(({ verdict }) => verdict === 'ESCAPED')), '');
    });
  }
});

describe('a hostile guest', { concurrency: LANES }, () => {
  let grounds: Grounds;
  before(async () => {
    grounds = await Grounds.open();
  });
  after(() => grounds?.[Symbol.asyncDispose]());
  for (const attempt of attempts) {
    it(`${attempt.area}: ${attempt.name}`, { timeout: 120_000 }, async (test) => {
      const row = await grounds.try(attempt);
      if (row.verdict === 'skipped') return test.skip(row.happened);
      assert.equal(row.verdict, 'refused', row.happened);
      test.diagnostic(`${row.wall}: ${row.happened}`);
    });
  }
});

describe('as a user without rights', {
  concurrency: LANES,
  skip: process.getuid?.() !== 0 && 'this whole run is one',
}, () => {
  for (const words of ['native', 'paths', 'names of the engine']) {
    it(`${words}: nothing escapes`, { timeout: 180_000 }, async () => {
      const program = join(import.meta.dirname, 'run.ts');
      const options = { uid: NOBODY, gid: NOBODY, cwd: '/', env: { PATH: process.env['PATH'], HOME: '/nonexistent' } };
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--no-warnings', program, '--as', 'user', words],
        options,
      );
      assert.match(stdout, /as user 65534: [1-9]\d* attempts, [1-9]\d* refused, 0 escaped, \d+ not tried/);
    });
  }
});
