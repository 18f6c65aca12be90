/**
 * `npm test`: the one command that sets up and passes every test (docs/decisions/0006-tests.md). Reads the tables of
 * groups (groups.ts) and of setup steps (setup/mod.ts); says what it will install, does it, runs the groups, prints the
 * failures as they come and the table at the end.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { groups } from './groups.ts';
import { sweepNamespaces } from './netns/namespace.ts';
import { type Result, runGroup, skippedGroup } from './run/group.ts';
import { killOrphans } from './run/machine.ts';
import { type Options, parseOptions, type Selected, select, USAGE } from './run/options.ts';
import { runTasks, type Task } from './run/schedule.ts';
import { announce, type Plan, planSetup } from './run/setup.ts';
import { failureText, tableOf, timeOf, totalsOf } from './run/table.ts';
import { steps } from './setup/mod.ts';
import { isRoot, type Step } from './setup/step.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const logs = join(root, '.cache', 'test-logs');
const controller = new AbortController();

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  process.chdir(root);
  let options: Options;
  try {
    options = parseOptions(
      argv,
      [...groups, ...(argv.includes('--setup') ? steps : [])].map(({ name }) => name),
    );
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  const selected = select(groups, { options, glob: (pattern) => globSync(pattern, { cwd: root }) });
  if (options.help || options.list) {
    say(options.help ? USAGE : list(selected));
    return 0;
  }
  const plan = planSetup(steps, [...selected.flatMap(({ needs }) => needs), ...stepsNamed(options)]);
  if (selected.length === 0 && !options.setup) {
    process.stderr.write(`Cannot run '${argv.join(' ')}': no test file is meant by it\n`);
    return 2;
  }
  listenForInterrupts();
  await permission(plan, options);
  return await runAll({ selected: options.setup ? [] : selected, plan, options });
}

async function runAll({
  selected,
  plan,
  options,
}: {
  selected: Selected[];
  plan: Plan;
  options: Options;
}): Promise<number> {
  const started = performance.now();
  for (const words of killOrphans()) say(`left behind by a killed run, ended: ${words.slice(0, 120)}`);
  const broken = new Map(plan.obstacles);
  const failedSteps: Result[] = [];
  const results: Result[] = [];
  const around = { root, logs, runnerArguments: options.runnerArguments, signal: controller.signal };
  const tasks: Task[] = [
    ...plan.todo.map((step, index) => setupTask(step, { earlier: plan.todo.slice(0, index), broken, failedSteps })),
    ...selected.map((group): Task => {
      async function run(): Promise<void> {
        const missing = group.needs.map((name) => broken.get(name)).find((why) => why !== undefined);
        // Read anew: a step that was just done gives its variables only now.
        const env = missing === undefined ? planSetup(steps, group.needs).variables : {};
        const result =
          missing === undefined ? await runGroup(group, { ...around, env }) : skippedGroup(group.name, missing);
        results.push(result);
        tell(result);
      }
      return { name: group.name, places: group.alone ? 2 : 1, after: group.needs.map(stepTask), run };
    }),
  ];
  await runTasks(tasks, { signal: controller.signal });
  if (isRoot()) await sweepNamespaces();
  if (controller.signal.aborted) return 130;
  return finish([...failedSteps, ...inOrder(results)], performance.now() - started);
}

function finish(results: readonly Result[], milliseconds: number): number {
  const { passed, failed, skipped } = totalsOf(results);
  const strict = process.env['CI'] === 'true';
  say(`\n${tableOf(results)}\n`);
  if (strict && skipped > 0) say('CI=true: what is skipped counts as failed.');
  say(`All in ${timeOf(milliseconds / 1000)}; whole output in ${logs}`);
  say(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || (strict && skipped > 0) ? 1 : 0;
}

function stepTask(name: string): string {
  return `setup ${name}`;
}

/** Steps run one after the other: package managers lock each other out, and builds use every core as it is. */
function setupTask(
  step: Step,
  { earlier, broken, failedSteps }: { earlier: readonly Step[]; broken: Map<string, string>; failedSteps: Result[] },
): Task {
  async function run(): Promise<void> {
    const started = performance.now();
    let output = '';
    say(`… setup ${step.name}: ${step.what}`);
    try {
      const blocked = (step.after ?? []).find((name) => broken.has(name));
      if (blocked !== undefined) throw new Error(`it needs '${blocked}', which could not be set up`);
      await step.install({ log: (text) => (output = `${output}${text}`.slice(-8_000)), signal: controller.signal });
      if (step.present() === undefined) throw new Error('it was installed, and is still not found');
      say(`✔ setup ${step.name} ${timeOf((performance.now() - started) / 1000)}`);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      const failure = { name: `setup ${step.name}`, file: '', error: words, output };
      const result = { ...skippedGroup(`setup ${step.name}`, ''), skipped: [], failed: 1, failures: [failure] };
      broken.set(step.name, `setup ${step.name} failed`);
      failedSteps.push(result);
      tell(result);
    }
  }
  const after = earlier.map(({ name }) => stepTask(name));
  return { name: stepTask(step.name), places: 1, after, run };
}

/** What will be installed, and five seconds to stop it for a person at a terminal. */
async function permission(plan: Plan, { yes }: Options): Promise<void> {
  const words = announce(plan);
  if (words === '') return;
  say(words);
  if (yes || !process.stdin.isTTY || !process.stdout.isTTY) return;
  for (let seconds = 5; seconds > 0 && !controller.signal.aborted; seconds--) {
    process.stdout.write(`\rStarting in ${seconds} s (Ctrl-C stops) `);
    await setTimeout(1000);
  }
  say('\n');
}

function listenForInterrupts(): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => {
      say(`\n${name}: ending what runs …`);
      controller.abort();
    });
  }
}

function tell(result: Result): void {
  // What an interrupt cut short is no news.
  if (controller.signal.aborted) return;
  const { group, passed, failed, skipped, seconds, failures } = result;
  const mark = failed > 0 ? '✖' : passed > 0 ? '✔' : '-';
  const why = passed + failed === 0 && skipped[0] !== undefined ? ` (${skipped[0].reason})` : '';
  say(`${mark} ${group}: ${passed} passed, ${failed} failed, ${skipped.length} skipped${why}, ${timeOf(seconds)}`);
  for (const text of new Set(failures.map((failure) => failureText(group, failure)))) say(text);
}

function stepsNamed({ names, setup }: Options): string[] {
  return setup ? names.filter((name) => steps.some((step) => step.name === name)) : [];
}

function inOrder(results: readonly Result[]): Result[] {
  return groups.flatMap(({ name }) => results.filter(({ group }) => group === name));
}

function list(selected: readonly Selected[]): string {
  const rows = selected.map(({ name, what, needs, root: right, found }) => {
    const wants = [...needs, ...(right === undefined ? [] : ['root'])].join(', ');
    return `${name.padEnd(16)}${what}${wants === '' ? '' : `; needs ${wants}`}${found.length === 0 ? '' : `; ${found.length} files`}`;
  });
  const kept = steps.map(
    (step) => `${step.name.padEnd(16)}${step.present() === undefined ? step.what : `${step.what} (there)`}`,
  );
  return `${rows.join('\n')}\n\nWhat they need:\n${kept.join('\n')}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
