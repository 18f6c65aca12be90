/**
 * `npm run bench -- NAME…`: measures and prints a line a figure; progress goes to stderr. Lists the names without one.
 * With `--output json` each figure is one line of JSON; `--pods N` measures the claims about many pods with another number.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { leaveNothing } from '../test/processes/left-behind.ts';
import { type Figure, figureLine } from './claim.ts';
import { CLAIMS } from './claims/mod.ts';

const { values, positionals } = parseArgs({
  options: { output: { type: 'string', short: 'o', default: 'text' }, pods: { type: 'string' } },
  allowPositionals: true,
});
const chosen = CLAIMS.filter(({ name }) => positionals.includes(name) || positionals.includes('all'));
const pods = Number(values.pods);
const unknown = positionals.filter((wanted) => wanted !== 'all' && !CLAIMS.some(({ name }) => name === wanted));

function print(bench: string, one: Figure): void {
  process.stdout.write(`${values.output === 'json' ? JSON.stringify({ bench, ...one }) : figureLine(one)}\n`);
}

async function measureAll(): Promise<void> {
  for (const claim of chosen) {
    const folder = mkdtempSync(join(tmpdir(), `wasmlet-bench-${claim.name}-`));
    using _interrupted = leaveNothing(folder);
    try {
      const log = (line: string) => process.stderr.write(`${claim.name}: ${line}\n`);
      const figures = await claim.measure({ folder, log, ...(values.pods === undefined ? {} : { pods }) });
      for (const one of figures) print(claim.name, one);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

if (chosen.length === 0 || unknown.length > 0 || !['text', 'json'].includes(values.output) || pods < 1) {
  const wrong =
    unknown.length > 0 ? `Cannot measure ${unknown.map((name) => `'${name}'`).join(', ')}: no such claim\n` : '';
  const list = CLAIMS.map(({ name, summary }) => `  ${name.padEnd(16)} ${summary}\n`).join('');
  process.stderr.write(`${wrong}usage: npm run bench -- NAME… | all [--output json] [--pods N]\n${list}`);
  process.exitCode = 2;
} else await measureAll();
