/**
 * `npm run escape`: a hostile guest, and native calls from inside of a sandbox, try each way out; prints a table of attempts, what
 * happened, and which wall refused it. As root it does so twice: as root, and as a user without rights.
 * `npm run escape -- WORD…` tries only what has the words in its name.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import type { Row } from './attempt.ts';
import { attempts } from './attempts.ts';
import { probes } from './native.ts';
import { Grounds, tableOf } from './suite.ts';

const NOBODY = 65534;
const { values, positionals } = parseArgs({
  options: { as: { type: 'string' }, json: { type: 'boolean', default: false } },
  allowPositionals: true,
});

function wanted({ area, name }: { area: string; name: string }): boolean {
  return positionals.every((word) => `${area}: ${name}`.includes(word));
}

async function everything(): Promise<Row[]> {
  const rows: Row[] = [];
  function add(more: readonly Row[]): void {
    rows.push(...more);
    if (!values.json) process.stdout.write(tableOf(more));
  }
  for (const { area, names, probe } of probes) {
    if (names.some((name) => wanted({ area, name }))) add((await probe()).filter(wanted));
  }
  const chosen = attempts.filter(wanted);
  if (chosen.length === 0) return rows;
  await using grounds = await Grounds.open();
  const tried = chosen.map((attempt) => grounds.try(attempt));
  for (const row of tried) row.catch(() => {});
  for (const row of tried) add([await row]);
  return rows;
}

async function here(): Promise<number> {
  const rows = await everything();
  if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
  const count = (verdict: Row['verdict']) => rows.filter((row) => row.verdict === verdict).length;
  const who = process.getuid?.() === 0 ? 'root' : `user ${process.getuid?.()}`;
  process.stdout.write(
    `\nas ${who}: ${rows.length} attempts, ${count('refused')} refused, ${count('ESCAPED')} escaped, ${count('skipped')} not tried\n`,
  );
  return count('ESCAPED') > 0 ? 1 : 0;
}

async function asUser(): Promise<number> {
  const child = spawn(process.execPath, ['--no-warnings', import.meta.filename, '--as', 'user', ...positionals], {
    stdio: 'inherit',
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function both(): Promise<number> {
  const own = await here();
  const users = process.getuid?.() === 0 && values.as === undefined ? await asUser() : 0;
  return Math.max(own, users);
}

const isAny = attempts.some(wanted) || probes.some(({ area, names }) => names.some((name) => wanted({ area, name })));
if (!isAny) process.stderr.write(`Cannot try '${positionals.join(' ')}': no attempt has these words in its name\n`);
process.exitCode = isAny ? await both() : 2;
