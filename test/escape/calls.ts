/** Ways out by what WASI's calls are given: descriptors, sizes, counts, times, signals; and by how often they are called. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attempt, breach, type Outcome, refused, type Wall } from './attempt.ts';
import { answers } from './files.ts';
import { type Ground, HOSTILE, type Run, SCRIPTED } from './ground.ts';

const MIB = 1024 * 1024;
const LIMITS = { memoryBytes: 64 * MIB };

function mountOf(ground: Ground, name: string) {
  const hostPath = ground.folder(name);
  writeFileSync(join(hostPath, 'mine'), 'mine');
  return { guestPath: '/data', hostPath, readOnly: false };
}

/** Runs to its end beside a neighbour. */
async function beside(
  ground: Ground,
  args: readonly string[],
  judge: (output: string, code: number) => Outcome,
  run: Run = {},
): Promise<Outcome> {
  const neighbour = await ground.neighbour();
  const mounts = [mountOf(ground, args[0] ?? 'data')];
  const { exit, output } = await ground.run(
    HOSTILE,
    { args: ['hostile', ...args], mounts, limits: LIMITS, ...run },
    30,
  );
  const lost = await neighbour.lost();
  return lost === undefined ? judge(output, exit.code) : breach(lost);
}

/** Does it for ever: the neighbour goes on, and a kill ends it alone. */
export async function forEver(
  ground: Ground,
  module: string | Uint8Array,
  { seconds = 1, wall = 'scheduler', ...run }: Run & { seconds?: number; wall?: Wall } = {},
): Promise<Outcome> {
  const neighbour = await ground.neighbour();
  const guest = await ground.start(module, { limits: LIMITS, ...run });
  const exit = await guest.exit(seconds);
  const lost = await neighbour.lost();
  if (lost !== undefined) {
    await guest.forget();
    return breach(lost);
  }
  const where = guest.verdict.execution?.class;
  if (exit !== undefined) {
    await guest.forget();
    const text = `exit ${exit.code} ${exit.reason}, ${exit.message ?? guest.output().slice(0, 60)}`;
    return refused(exit.reason === 'OOMKilled' ? 'limit' : 'engine', `${text}, pause ${neighbour.pause()} ms`);
  }
  const after = await guest.kill();
  const ended = await neighbour.lost();
  if (after === undefined) return breach('it could not be killed');
  await guest.forget();
  if (ended !== undefined) return breach(ended);
  return refused(
    wall,
    `goes on alone (${where ?? 'shared'}), killed in ${Math.round(after)} ms, pause ${neighbour.pause()} ms`,
  );
}

const HOSTILE_ENDS = (expected: RegExp) => (output: string, code: number) =>
  expected.test(output) && code === 0
    ? refused('WASI', answers(output) || output.trim().split('\n').join(' · '))
    : breach(`exit ${code}: ${output.slice(0, 200)}`);

/** As much as it can for a time: the disk it takes is bounded. */
async function flood(ground: Ground, kind: string): Promise<Outcome> {
  const neighbour = await ground.neighbour();
  const guest = await ground.start(HOSTILE, { args: ['hostile', 'flood', kind] });
  await sleep(3000);
  const folder = dirname(guest.spec.logPath);
  const held = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const lost = await neighbour.lost();
  const killed = await guest.kill();
  const files = readdirSync(folder).length;
  await guest.forget();
  if (lost !== undefined) return breach(lost);
  if (killed === undefined) return breach('it could not be killed');
  if (held > 70 * MIB) return breach(`its log has ${Math.round(held / MIB)} MiB`);
  return refused('limit', `${Math.round(held / MIB)} MiB in ${files} files, killed in ${Math.round(killed)} ms`);
}

async function forge(ground: Ground): Promise<Outcome> {
  const guest = await ground.start(HOSTILE, { args: ['hostile', 'forge'], label: 'evil/\u001b[2J\nforged' });
  await guest.exit();
  const { readFileSync } = await import('node:fs');
  const lines = readFileSync(guest.spec.logPath, 'latin1').split('\n').slice(0, -1);
  await guest.forget();
  const wrong = lines.filter((line) => !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) [PF] /.test(line));
  const year = new Date().getUTCFullYear();
  const forged = lines.filter((line) => !line.startsWith(`${year}`));
  if (wrong.length > 0 || forged.length > 0) return breach(`lines of its own making: ${[...wrong, ...forged]}`);
  return refused('WASI', `${lines.length} lines, each begins with our time and stream`);
}

async function signals(ground: Ground): Promise<Outcome> {
  const codes: string[] = [];
  for (const signal of [0, 6, 9, 15, 17, 19, 31, 255, 65536]) {
    const neighbour = await ground.neighbour();
    const { exit, output } = await ground.run(HOSTILE, { args: ['hostile', 'raises', `${signal}`] });
    const lost = await neighbour.lost();
    if (lost !== undefined) return breach(`signal ${signal}: ${lost}`);
    codes.push(`${signal}→${output.includes(': ') ? output.trim().split(': ')[1] : `exit ${exit.code}`}`);
  }
  return refused('WASI', codes.join(' '));
}

/** Hundreds of guests, each of which waits for thousands of things at once. */
async function promises(ground: Ground): Promise<Outcome> {
  const neighbour = await ground.neighbour();
  const run: Run = { args: ['hostile', 'polls', '2000', 'forever'], limits: LIMITS };
  const guests = await Promise.all(Array.from({ length: 200 }, () => ground.start(HOSTILE, run)));
  await sleep(1000);
  const lost = await neighbour.lost();
  const ended = (await Promise.all(guests.map((guest) => guest.exit(0)))).filter((exit) => exit !== undefined);
  await Promise.all(guests.map((guest) => guest.forget()));
  const after = await neighbour.lost();
  if (lost !== undefined || after !== undefined) return breach(lost ?? after ?? '');
  return refused('scheduler', `200 guests with 2000 waits each; ${ended.length} ended by themselves`);
}

async function argumentsTooLarge(ground: Ground, bytes: number): Promise<Outcome> {
  const neighbour = await ground.neighbour();
  const run: Run = { args: ['scripted', 'print', 'x'.repeat(bytes)], env: [['A', 'x'.repeat(bytes)]] };
  let what: string;
  try {
    const { exit } = await ground.run(SCRIPTED, run);
    what = `exit ${exit.code}`;
  } catch (error) {
    what = (error as { code?: string }).code ?? String(error);
  }
  const lost = await neighbour.lost();
  if (lost !== undefined) return breach(lost);
  return refused('node', what);
}

async function logPath(ground: Ground): Promise<Outcome> {
  const { exit } = await ground.run(SCRIPTED, {
    args: ['scripted', 'print', 'planted'],
    logName: '../../victim/logs/planted',
  });
  return breach(`it ran with a log in another tenant: exit ${exit.code}`);
}

type Judge = (output: string, code: number) => Outcome;
function call(area: string, name: string, args: readonly string[], judge: Judge): Attempt<Ground> {
  return { area, name, run: (ground) => beside(ground, args, judge) };
}

function endless(area: string, name: string, args: readonly string[]): Attempt<Ground> {
  return {
    area,
    name,
    run: (ground) => forEver(ground, HOSTILE, { args: ['hostile', ...args], mounts: [mountOf(ground, args[0] ?? '')] }),
  };
}

const guessed: Judge = (output) =>
  /answered 4, first of others 99999/.test(output)
    ? refused('WASI', 'EBADF to all but the four it has')
    : breach(output);
const renumbered: Judge = (output) =>
  /folder {2}?: 0$/m.test(output) ? breach(output) : refused('WASI', answers(output));
const exhausted: Judge = (output, code) => {
  const count = Number(/exhausted (\d+)/.exec(output)?.[1] ?? (code === 137 ? 0 : 2_000_000));
  return count < 1_000_000 ? refused('limit', output.trim() || `exit ${code}`) : breach(output);
};

export const calls: readonly Attempt<Ground>[] = [
  call('descriptors', 'guess 0 to 65535, and beyond 2^31', ['descriptors'], guessed),
  call('descriptors', 'renumber onto stdio and the mount', ['renumber'], renumbered),
  call('descriptors', 'open until there are no more', ['exhaust'], exhausted),
  endless('descriptors', 'open and close for ever', ['churn']),
  call('sizes', 'vectors, counts and sizes of 4 GiB', ['sizes'], HOSTILE_ENDS(/done/)),
  call('sizes', '10,000 waits at once, with times at the ends of 64 bits', ['polls', '10000'], (output, code) =>
    refused('WASI', output.trim() || `exit ${code}`),
  ),
  call(
    'sizes',
    'a folder of 20,000 names, listed by 64 bytes at a time',
    ['files', '20000'],
    HOSTILE_ENDS(/listed by/),
  ),
  endless('calls', 'the clock for ever', ['clocks']),
  endless('calls', '16 MiB of random bytes for ever', ['randoms']),
  endless('calls', 'sched_yield for ever', ['yields']),
  { area: 'signals', name: 'proc_raise of everything', run: signals },
  { area: 'waits', name: 'a fork of promises: 200 guests, 2000 waits each', run: promises },
  { area: 'logs', name: 'lines at full speed', run: (ground) => flood(ground, 'lines') },
  { area: 'logs', name: 'empty lines at full speed', run: (ground) => flood(ground, 'tiny') },
  { area: 'logs', name: 'one endless line', run: (ground) => flood(ground, 'endless') },
  { area: 'logs', name: 'lines and a label that forge others', run: forge },
  { area: 'logs', name: "a log path in another tenant's folder", run: logPath },
  {
    area: 'arguments',
    name: '200 KB of arguments and environment',
    run: (ground) => argumentsTooLarge(ground, 200_000),
  },
  {
    area: 'arguments',
    name: '2 MB of arguments and environment',
    run: (ground) => argumentsTooLarge(ground, 2_000_000),
  },
];
