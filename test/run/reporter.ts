import { basename, relative, resolve } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** What became of one run of node's test runner, as the reporter below writes it: one line of JSON at the end. */
export interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly name: string;
  readonly file: string;
  readonly error: string;
  /** The last of what the file's tests wrote. */
  readonly output: string;
}

const OUTPUT_LIMIT = 8_000;

interface TestData {
  readonly name: string;
  readonly nesting: number;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined; readonly error?: Error & { failureType?: string } };
}

/**
 * A reporter for `node --test --test-reporter=…`: counts as the runner does (suites are not tests, an expected failure
 * that is marked `todo` is none), and keeps for each failure what a person needs to see.
 */
export async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const state = { passed: 0, skipped: [] as { name: string; reason: string }[], failures: [] as Failure[] };
  const outputs = new Map<string, string>();
  const names: string[] = [];
  for await (const event of source) {
    if (event.type === 'test:stdout' || event.type === 'test:stderr') {
      const file = placeOf(event.data.file);
      outputs.set(file, `${outputs.get(file) ?? ''}${event.data.message}`.slice(-OUTPUT_LIMIT));
    } else if (event.type === 'test:start') {
      names.length = event.data.nesting;
      names.push(event.data.name);
    } else if (event.type === 'test:pass') {
      pass(state, event.data as TestData, names);
    } else if (event.type === 'test:fail') {
      fail(state, event.data as TestData, names);
    }
  }
  // What a test wrote can arrive after its result.
  const failures = state.failures.map((failure) => ({ ...failure, output: outputs.get(failure.file) ?? '' }));
  yield `${JSON.stringify({ ...state, failures, failed: failures.length } satisfies Report)}\n`;
}

// node's test runner takes a reporter by its module's default export, and by nothing else.
// biome-ignore lint/style/noDefaultExport: see above
export default report;

type State = { passed: number; skipped: { name: string; reason: string }[]; failures: Failure[] };

function pass(state: State, data: TestData, names: readonly string[]): void {
  if (data.details.type === 'suite') return;
  if (data.skip === undefined || data.skip === false) state.passed++;
  else
    state.skipped.push({
      name: nameOf(data, names),
      reason: data.skip === true ? 'no reason given' : String(data.skip),
    });
}

function fail(state: State, data: TestData, names: readonly string[]): void {
  const { error } = data.details;
  // Its parts have been told already.
  if (error?.failureType === 'subtestsFailed') return;
  if (data.todo !== undefined && data.todo !== false) return;
  const cause = error?.cause ?? error;
  state.failures.push({
    name: nameOf(data, names),
    file: placeOf(data.file),
    error: (typeof cause === 'string' ? cause : inspect(cause, { depth: 4 })).replace(/\n +at .*\(?node:.*/g, ''),
    output: '',
  });
}

/** The runner names files sometimes by their whole path, sometimes from here. */
function placeOf(file: string | undefined): string {
  return file === undefined ? '' : relative(process.cwd(), resolve(file));
}

function nameOf({ name, nesting, file }: TestData, names: readonly string[]): string {
  // A file that could not be loaded is reported as a test of its path.
  if (name === file) return basename(name);
  return [...names.slice(0, nesting), name].join(' > ');
}
