import type { Result } from './group.ts';
import type { Failure } from './reporter.ts';

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function totalsOf(results: readonly Result[]): Totals {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of results) {
    totals.passed += passed;
    totals.failed += failed;
    totals.skipped += skipped.length;
  }
  return totals;
}

/** The table at the end: group, passed, failed, skipped (why), time. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map(({ group, passed, failed, skipped, seconds }) => [
    group,
    String(passed),
    String(failed),
    String(skipped.length),
    timeOf(seconds),
  ]);
  const head = ['group', 'passed', 'failed', 'skipped', 'time'];
  const widths = head.map((word, column) => Math.max(word.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  const skips = results.flatMap(({ group, skipped }) =>
    skipped.map(({ name, reason }) => `skipped: ${name === group ? group : `${group}: ${name}`} (${reason})`),
  );
  const notes = results.flatMap(({ group, notes: words }) => words.map((note) => `${group}: ${note}`));
  return [...lines, ...skips, ...notes].join('\n');
}

/** A failed test as a person needs it: its name, its file, the error, and what the file wrote. */
export function failureText(group: string, { name, file, error, output }: Failure): string {
  const lines = [`✖ ${group}: ${name}${file === '' ? '' : ` (${file})`}`, indent(error)];
  if (output.trim() !== '') lines.push('  what was written there:', indent(output.trimEnd()));
  return lines.join('\n');
}

export function timeOf(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
