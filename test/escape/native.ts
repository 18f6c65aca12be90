/**
 * The walls of a sandbox, tried from inside of it: the node starts its sandboxes on a program of ours that puts the probe before
 * the sandbox's own code, and changes nothing else.
 */
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, type Row, type Wall } from './attempt.ts';
import { Ground, SCRIPTED } from './ground.ts';
import { type Aim, NATIVE } from './probe.ts';

const here = import.meta.dirname;
const QUOTE = /[^A-Za-z0-9/_.:=?@,-]/;

interface Probed {
  readonly thread: string;
  readonly walled: boolean;
  readonly status: string;
  readonly results: Readonly<Record<string, number>>;
}

/** A program in Node's place: as it is, or with the probe before a sandbox's entry. */
function writeProgram(path: string, aim?: Aim): void {
  if (QUOTE.test(process.execPath) || QUOTE.test(here))
    throw new Error(`Cannot probe from '${here}': its name needs quotes`);
  const url = `file://${here}/probe.ts?about=${Buffer.from(JSON.stringify(aim ?? {})).toString('base64url')}`;
  const edit = [
    `s|"flags":\\[|"flags":["--import","${url}",|`,
    `s|"grants":\\[|"grants":[{"path":"${here}","access":"read"},|`,
  ].join(';');
  const plan = aim === undefined ? '"$3"' : `"$(printf %s "$3" | /usr/bin/env sed '${edit}')"`;
  writeFileSync(path, `#!/bin/sh\nexec ${process.execPath} "$1" "$2" ${plan}\n`, { mode: 0o755 });
  chmodSync(path, 0o755);
}

export async function probeSandbox(): Promise<Probed[]> {
  const program = join(here, '..', '..', '.cache', `probe-${process.pid}`);
  const place =
    existsSync(join(here, '..', '..', '.cache')) && process.getuid?.() === 0 ? program : `/tmp/probe-${process.pid}`;
  writeProgram(place);
  try {
    await using ground = await Ground.open({ node: place });
    await ground.start(SCRIPTED, { tenant: 'victim', args: ['scripted', 'forever'] });
    const aim: Aim = {
      dataDir: ground.dataDir,
      victimSecret: ground.victimSecret,
      victimPid: ground.sandboxPid('victim') ?? 0,
      nodePid: process.pid,
      own: ground.folder('data'),
      report: 1,
    };
    writeProgram(place, aim);
    await ground.start(SCRIPTED, { args: ['scripted', 'forever'] });
    return await told(() => ground.sandboxLog('evil'), 2);
  } finally {
    rmSync(place, { force: true });
  }
}

/** Lines of the log that the probe wrote, one a thread. */
async function told(log: () => string, count: number): Promise<Probed[]> {
  for (let waits = 0; waits < 150; waits++) {
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

export function rowsOf({ thread, results }: Probed): Row[] {
  return NATIVE.map(({ area, name }): Row => {
    const result = results[`${area}: ${name}`] ?? 0;
    const wall = wallOf(area, name, result);
    const row = { area: `native, ${thread} thread, ${area}`, name, happened: errnoOf(result) };
    return wall === undefined ? { ...row, wall: 'NONE', verdict: 'ESCAPED' } : { ...row, wall, verdict: 'refused' };
  });
}
