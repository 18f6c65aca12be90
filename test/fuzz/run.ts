/**
 * `npm run fuzz -- NAME… | all [--minutes N] [--seed N] [--runs N]`: fuzzers until the time is over or one finds something.
 * Without a seed each start has another, which is printed. What is found is saved, with the seed that makes it again.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Finding, type Fuzzer, type FuzzOptions } from './fuzzer.ts';
import { FUZZERS } from './table.ts';

const FOUND = join(import.meta.dirname, '..', '..', '.cache', 'fuzz');

interface Arguments {
  readonly chosen: readonly Fuzzer[];
  readonly seed: number;
  readonly minutes: number;
  readonly runs: number;
}

function parse(argv: string[]): Arguments | string {
  try {
    const options = { minutes: { type: 'string' }, seed: { type: 'string' }, runs: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
    const wrong = positionals.filter((name) => name !== 'all' && !FUZZERS.some((fuzzer) => fuzzer.name === name));
    if (wrong.length > 0) return `Cannot fuzz ${wrong.map((name) => `'${name}'`).join(', ')}: no such fuzzer`;
    const chosen = FUZZERS.filter(({ name }) => positionals.includes(name) || positionals.includes('all'));
    if (chosen.length === 0) return '';
    const seed = Number(values.seed ?? Date.now() % 2 ** 31);
    const runs = Number(values.runs ?? Number.POSITIVE_INFINITY);
    const minutes = Number(values.minutes ?? (values.runs === undefined ? 1 : Number.POSITIVE_INFINITY));
    if (Number.isSafeInteger(seed) && seed >= 0 && minutes > 0 && runs > 0) return { chosen, seed, minutes, runs };
    return 'Cannot fuzz: minutes, seed and runs are numbers';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function report(fuzzer: Fuzzer, finding: Finding): void {
  mkdirSync(FOUND, { recursive: true });
  const path = join(FOUND, `${fuzzer.name}-${finding.seed ?? 0}`);
  writeFileSync(path, finding.input);
  process.stdout.write(`${fuzzer.name}: ${finding.message}\n`);
  if (finding.cause instanceof Error) process.stdout.write(`${finding.cause.stack}\n`);
  process.stdout.write(
    `${fuzzer.name}: 1 difference; its input: ${path}\nagain: npm run fuzz -- ${fuzzer.name} --seed ${finding.seed} --runs 1\n`,
  );
}

/** True when nothing was found. */
async function runOne(fuzzer: Fuzzer, options: Omit<FuzzOptions, 'log'>): Promise<boolean> {
  const log = (line: string) => process.stderr.write(`${fuzzer.name}: ${line}\n`);
  log(`seed ${options.seed}`);
  try {
    const { runs } = await fuzzer.run({ ...options, log });
    process.stdout.write(`${fuzzer.name}: ${runs} runs, 0 differences\n`);
    return true;
  } catch (error) {
    report(fuzzer, error instanceof Finding ? error : new Finding('it failed itself', '', error));
    return false;
  }
}

async function main({ chosen, seed, minutes, runs }: Arguments): Promise<number> {
  let code = 0;
  for (const fuzzer of chosen) {
    const until = performance.now() + (minutes * 60_000) / chosen.length;
    if (!(await runOne(fuzzer, { seed, until, runs }))) code = 1;
  }
  return code;
}

const parsed = parse(process.argv.slice(2));
if (typeof parsed === 'string') {
  const list = FUZZERS.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}\n`).join('');
  process.stderr.write(
    `${parsed}${parsed === '' ? '' : '\n'}usage: npm run fuzz -- NAME… | all [--minutes N] [--seed N] [--runs N]\n${list}`,
  );
  process.exitCode = 2;
} else process.exitCode = await main(parsed);
