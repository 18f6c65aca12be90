/** Runs attempts one after the other and makes their table. */
import type { Attempt, Outcome, Row } from './attempt.ts';
import type { Ground } from './ground.ts';
import { Refused } from './ground.ts';

export async function tryAttempt(attempt: Attempt<Ground>, ground: Ground): Promise<Row> {
  const { area, name, skip } = attempt;
  if (typeof skip === 'string') return { area, name, happened: skip, wall: '', verdict: 'skipped' };
  let outcome: Outcome;
  try {
    outcome = await attempt.run(ground);
  } catch (error) {
    if (!(error instanceof Refused)) throw new Error(`Cannot try '${area}: ${name}'`, { cause: error });
    outcome = { happened: `${error.code}: ${error.message}`, wall: wallOf(error.code) };
  }
  const happened = printable(outcome.happened);
  if (outcome.wall === undefined) return { area, name, happened, wall: 'NONE', verdict: 'ESCAPED' };
  return { area, name, happened, wall: outcome.wall, verdict: 'refused' };
}

function wallOf(code: string): Outcome['wall'] {
  if (code.startsWith('MODULE_')) return 'admission';
  if (code === 'RUNTIME_CREATE_FAILED') return 'Landlock';
  return code.startsWith('RUNTIME_') ? 'node' : undefined;
}

/** A guest's words go to a terminal here. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7eüÄ-ſ·…–]+/g, ' ').slice(0, 300);
}

export function tableOf(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ area, name }) => area.length + name.length)) + 2;
  let lines = '';
  for (const { area, name, happened, wall, verdict } of rows) {
    const mark = verdict === 'refused' ? '✔' : verdict === 'skipped' ? '-' : '✖';
    lines += `${mark} ${`${area}: ${name}`.padEnd(width)}  ${wall.padEnd(12)}  ${happened.slice(0, 100)}\n`;
  }
  return lines;
}
