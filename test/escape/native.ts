/**
 * The walls of a sandbox and of the admission process, tried from inside of them: the node starts them on a program of ours that puts the
 * probe before their own code, and changes nothing else.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { entryUrl } from '../../src/kit/mod.ts';
import { mayBecome } from '../../src/kit/os/mod.ts';
import { DEFAULT_USERS, type LaunchPlan } from '../../src/runtime/sandbox/testing.ts';
import { errnoOf, type Row, type Wall } from './attempt.ts';
import { Ground, SCRIPTED } from './ground.ts';
import { type Aim, BETWEEN_PROCESSES, NATIVE, STORM, STORM_THREADS, STORMED } from './probe.ts';

const here = import.meta.dirname;
const QUOTE = /[^A-Za-z0-9/_.:=?@,-]/;

interface Probed {
  readonly thread: string;
  readonly walled: boolean;
  readonly status: string;
  readonly results: Readonly<Record<string, number>>;
}

function probeUrl(aim: Aim): string {
  return `file://${here}/probe.ts?about=${Buffer.from(JSON.stringify(aim)).toString('base64url')}`;
}

/** A program in Node's place: as it is, or with the probe before a sandbox's entry. */
function writeProgram(path: string, aim?: Aim): void {
  if (QUOTE.test(process.execPath) || QUOTE.test(here))
    throw new Error(`Cannot probe from '${here}': its name needs quotes`);
  let plan = '"$3"';
  if (aim !== undefined) {
    const edit = [
      `s|"flags":\\[|"flags":["--import","${probeUrl(aim)}",|`,
      `s|"grants":\\[|"grants":[{"path":"${here}","access":"read"},|`,
    ].join(';');
    plan = `"$(printf %s "$3" | /usr/bin/env sed '${edit}')"`;
  }
  writeFileSync(path, `#!/bin/sh\nexec ${process.execPath} "$1" "$2" ${plan}\n`, { mode: 0o755 });
  chmodSync(path, 0o755);
}

function placeOf(name: string): string {
  const cache = join(here, '..', '..', '.cache');
  const folder = existsSync(cache) && process.getuid?.() === 0 ? cache : '/tmp';
  return join(folder, `${name}-${process.pid}`);
}

function aimAt(ground: Ground): Omit<Aim, 'own' | 'report'> {
  return {
    dataDir: ground.dataDir,
    victimSecret: ground.victimSecret,
    victimPid: ground.sandboxPid('victim') ?? 0,
    nodePid: process.pid,
  };
}

async function probeSandbox(): Promise<Row[]> {
  const place = placeOf('probe-sandbox');
  writeProgram(place);
  try {
    await using ground = await Ground.open({ node: place });
    await ground.start(SCRIPTED, { tenant: 'victim', args: ['scripted', 'forever'] });
    writeProgram(place, { ...aimAt(ground), own: ground.folder('data'), report: 1 });
    await ground.start(SCRIPTED, { args: ['scripted', 'forever'] });
    const probed = await told(() => ground.sandboxLog('evil'), 2);
    assert.deepEqual(new Set(probed.map(({ thread }) => thread)), new Set(['main', 'loop']));
    const main = probed.find(({ thread }) => thread === 'main')?.results[STORMED];
    return [...probed.flatMap(({ thread, results }) => rowsOf(`${thread} thread`, results)), stormRow(main)];
  } finally {
    rmSync(place, { force: true });
  }
}

function stormRow(threads: number | undefined): Row {
  const row = { area: 'native, main thread, system', name: STORM };
  if (threads === undefined) return { ...row, happened: 'it is in no control group', wall: '', verdict: 'skipped' };
  const happened = `${threads} threads and no more`;
  if (threads < STORM_THREADS) return { ...row, happened, wall: 'cgroup', verdict: 'refused' };
  return { ...row, happened: `${threads} threads`, wall: 'NONE', verdict: 'ESCAPED' };
}

/** Whoever breaks the process that reads modules: started as `module/examiner.ts` does, with a folder to report to. */
async function probeAdmission(): Promise<Row[]> {
  await using ground = await Ground.open();
  await ground.start(SCRIPTED, { tenant: 'victim', args: ['scripted', 'forever'] });
  const own = ground.folder('data');
  const report = join(own, 'report');
  const plan: LaunchPlan = {
    entry: 'admission',
    inherited: false,
    grants: [
      { path: here, access: 'read' },
      { path: own, access: 'write' },
    ],
    flags: ['--import', probeUrl({ ...aimAt(ground), own, report }), '--no-warnings'],
    insecure: false,
    config: {},
  };
  const args = ['--no-warnings', fileURLToPath(entryUrl('launcher')), JSON.stringify(plan)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
  try {
    const probed = await told(() => (existsSync(report) ? readFileSync(report, 'utf8') : ''), 1);
    return probed.flatMap(({ results }) => rowsOf('admission', results));
  } finally {
    child.kill('SIGKILL');
  }
}

async function probeUser(): Promise<Row[]> {
  const row = (name: string) => ({ area: 'native, another user alone, processes', name });
  if (!mayBecome(DEFAULT_USERS))
    return BETWEEN_PROCESSES.map(({ name }) => ({
      ...{ ...row(name), happened: 'this process may not change its user', wall: '', verdict: 'skipped' },
    }));
  await using ground = await Ground.open();
  await ground.start(SCRIPTED, { tenant: 'victim', args: ['scripted', 'forever'] });
  const aim: Aim = { ...aimAt(ground), own: ground.folder('data'), report: 1 };
  const args = ['--no-warnings', join(here, 'alone.ts'), String(DEFAULT_USERS.last), JSON.stringify(aim)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const results = JSON.parse(stdout) as Readonly<Record<string, number>>;
  return BETWEEN_PROCESSES.map(({ area, name }): Row => {
    const result = results[`${area}: ${name}`] ?? 0;
    if (REFUSALS.has(result)) return { ...row(name), happened: errnoOf(result), wall: 'uid', verdict: 'refused' };
    return { ...row(name), happened: errnoOf(result), wall: 'NONE', verdict: 'ESCAPED' };
  });
}

export interface Probe {
  readonly area: string;
  /** What is tried. */
  readonly names: readonly string[];
  readonly probe: () => Promise<Row[]>;
}

const NAMES = NATIVE.map(({ name }) => name);
export const probes: readonly Probe[] = [
  { area: 'native, main thread, loop thread', names: [...NAMES, STORM], probe: probeSandbox },
  { area: 'native, admission', names: NAMES, probe: probeAdmission },
  { area: 'native, another user alone', names: BETWEEN_PROCESSES.map(({ name }) => name), probe: probeUser },
];

/** Lines of the log that the probe wrote, one a thread. */
async function told(log: () => string, count: number): Promise<Probed[]> {
  for (let waits = 0; waits < 400; waits++) {
    const lines = [...log().matchAll(/^PROBE (.*)$/gm)].map(
      ([, text]) => JSON.parse(text ?? '') as Probed & { error?: string },
    );
    for (const { error } of lines) if (error !== undefined) throw new Error(error);
    if (lines.length >= count) return lines;
    await sleep(100);
  }
  throw new Error(`Cannot hear of the probe: ${log()}`);
}

const EPERM = -1;
/** What Landlock answers where a link would give a file more rights than it had. */
const EXDEV = -18;
const EACCES = -13;
/** Answers that an open way gives, too: there was nothing at its end, or the arguments were of no use. */
const REFUSALS: ReadonlySet<number> = new Set([EPERM, EACCES, -38]);

function wallOf(area: string, name: string, result: number): Wall | undefined {
  if (result === EXDEV && area === 'files') return 'Landlock';
  if (!REFUSALS.has(result)) return undefined;
  if (area === 'files')
    return name.includes('device in') || name.includes('execute') || name.includes('handle') ? 'seccomp' : 'Landlock';
  if (name.includes('become root')) return 'no_new_privs';
  return result === EACCES ? 'Landlock' : 'seccomp';
}

function rowsOf(where: string, results: Probed['results']): Row[] {
  return NATIVE.map(({ area, name }): Row => {
    const result = results[`${area}: ${name}`] ?? 0;
    const wall = wallOf(area, name, result);
    const row = { area: `native, ${where}, ${area}`, name, happened: errnoOf(result) };
    return wall === undefined ? { ...row, wall: 'NONE', verdict: 'ESCAPED' } : { ...row, wall, verdict: 'refused' };
  });
}
