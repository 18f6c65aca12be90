/** Runs one group: starts its process where and as the table says, waits for it, and says what came out. */
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeNamespace, type Namespace } from '../netns/namespace.ts';
import { identityOf } from '../processes/owner.ts';
import { isRoot } from '../setup/step.ts';
import { killHungFiles } from './hung.ts';
import { type Ground, groundOf, killLeftovers, RUN_VARIABLE } from './machine.ts';
import type { Selected } from './options.ts';
import type { Failure, Report } from './reporter.ts';

export interface Result {
  readonly group: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly failures: readonly Failure[];
  readonly seconds: number;
  readonly notes: readonly string[];
}

export interface Surroundings {
  readonly root: string;
  /** Folder for one log a group. */
  readonly logs: string;
  readonly env: Readonly<Record<string, string>>;
  readonly runnerArguments: readonly string[];
  readonly signal: AbortSignal;
}

export function skippedGroup(group: string, reason: string): Result {
  return { group, passed: 0, failed: 0, skipped: [{ name: group, reason }], failures: [], seconds: 0, notes: [] };
}

export async function runGroup(group: Selected, around: Surroundings): Promise<Result> {
  const started = performance.now();
  const ground = groundOf(group);
  if (ground !== undefined && 'skip' in ground) return skippedGroup(group.name, ground.skip);
  await mkdir(around.logs, { recursive: true });
  const namespace = group.ownNetwork && isRoot() ? await makeNamespace({ label: group.name }) : undefined;
  const mark = `${identityOf()}-${group.name}`;
  const child = await attempt(group, { around, ground, namespace, mark });
  const left = [...killLeftovers(mark), ...((await namespace?.remove()) ?? [])];
  const { report, problem, hung } = child;
  const { passed, skipped } = report;
  const failures = problem === undefined ? report.failures : [...report.failures, problem];
  return {
    ...{ group: group.name, passed, skipped, failures, failed: failures.length },
    seconds: (performance.now() - started) / 1000,
    notes: [
      ...hung.map((file) => `did not end, killed after ${group.fileSeconds} s: ${file}`),
      ...left.map((words) => `left behind, killed: ${words.slice(0, 120)}`),
    ],
  };
}

interface Attempt {
  readonly around: Surroundings;
  readonly ground: Exclude<Ground, { skip: string }> | undefined;
  readonly namespace: Namespace | undefined;
  readonly mark: string;
}

async function attempt(
  group: Selected,
  { around, ground, namespace, mark }: Attempt,
): Promise<{ report: Report; problem: Failure | undefined; hung: readonly string[] }> {
  const reportFile = join(around.logs, `${group.name}.json`);
  const log = join(around.logs, `${group.name}.log`);
  const enter = [...(namespace?.enter ?? []), ...(ground?.enter ?? [])];
  const env = {
    ...process.env,
    ...around.env,
    ...(namespace === undefined ? {} : { WASMLET_TEST_NAMESPACE: namespace.name }),
    ...ground?.env,
    // Types are stripped once, not by each of a hundred files.
    NODE_COMPILE_CACHE: join(around.root, '.cache', 'compile'),
    [RUN_VARIABLE]: mark,
  };
  const argv = [...enter, process.execPath, ...commandOf(group, { reportFile, around })];
  const ended = await execute(argv, { group, env, log, around });
  const text = readFileSync(log, 'utf8');
  const report = group.script === undefined ? readReport(reportFile) : countsOf(text);
  return { report: report ?? NOTHING, problem: problemOf(group, { ended, report, text }), hung: ended.hung };
}

const NOTHING: Report = { passed: 0, failed: 0, skipped: [], failures: [] };

function commandOf(group: Selected, { reportFile, around }: { reportFile: string; around: Surroundings }): string[] {
  if (group.script !== undefined) return [join(around.root, group.script)];
  return [
    ...['--test', `--test-concurrency=${group.concurrency ?? 2}`],
    ...[`--test-reporter=${join(around.root, 'test/run/reporter.ts')}`, `--test-reporter-destination=${reportFile}`],
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...around.runnerArguments,
    ...group.found,
  ];
}

interface Execution {
  readonly group: Selected;
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
  readonly around: Surroundings;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly late: boolean;
  /** Files that did not end by themselves. */
  readonly hung: readonly string[];
}

function execute(argv: readonly string[], { group, env, log, around }: Execution): Promise<Ended> {
  const output = createWriteStream(log);
  const [file = '', ...args] = argv;
  // A process group of its own: a test file's children are ended with it.
  const child = spawn(file, args, { cwd: around.root, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  let late = false;
  function end(name: NodeJS.Signals): void {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // it has ended
    }
  }
  const limit = setTimeout(() => {
    late = true;
    end('SIGTERM');
    setTimeout(() => end('SIGKILL'), 5_000).unref();
  }, group.limitMinutes * 60_000);
  const hung = group.fileSeconds === undefined ? undefined : killHungFiles(child.pid, group.fileSeconds);
  function interrupted(): void {
    end('SIGKILL');
  }
  around.signal.addEventListener('abort', interrupted, { once: true });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // Not 'close': a program that a test left behind may hold the pipe for ever.
    child.on('exit', (code, signal) => {
      clearTimeout(limit);
      hung?.stop();
      around.signal.removeEventListener('abort', interrupted);
      setTimeout(() => output.end(() => resolve({ code, signal, late, hung: hung?.killed ?? [] })), 50);
    });
  });
}

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // it was ended before it could write one
  }
}

/** Of a script of ours: its last line says `N passed, N failed`. */
function countsOf(text: string): Report | undefined {
  const found = [...text.matchAll(/^(\d+) passed, (\d+) failed(?:, \d+ skipped)?$/gm)].at(-1);
  if (found === undefined) return undefined;
  const failed = Number(found[2]);
  const failure = { name: `${failed} of its rules`, file: '', error: '', output: text.slice(-12_000) };
  return { passed: Number(found[1]), failed, skipped: [], failures: failed === 0 ? [] : Array(failed).fill(failure) };
}

/** What went wrong beside the tests that say so themselves. */
function problemOf(
  group: Selected,
  { ended, report, text }: { ended: Ended; report: Report | undefined; text: string },
): Failure | undefined {
  const output = text.slice(-12_000);
  function problem(error: string): Failure {
    return { name: `the group ${group.name}`, file: '', error, output };
  }
  if (ended.late) return problem(`ended after its limit of ${group.limitMinutes} minutes`);
  if (report === undefined) return problem(`ended with ${ended.signal ?? ended.code} and no report`);
  if (report.failures.length > 0) return undefined;
  if (ended.code !== 0) return problem(`ended with ${ended.signal ?? ended.code} though no test failed`);
  if (report.passed + report.skipped.length === 0) return problem('ran no test');
  return undefined;
}
