/** Ways out by names: `..`, links of every kind, races with somebody who swaps them, magic links, odd bytes. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Attempt, breach, type Outcome, refused } from './attempt.ts';
import { type Ground, HOSTILE, SCRIPTED } from './ground.ts';

interface Trap {
  /** What the guest gets as /data. */
  readonly inside: string;
  readonly mount: { readonly guestPath: string; readonly hostPath: string; readonly readOnly: boolean };
  /** What lies around it. */
  around(): string;
}

/** A volume full of links that lead out of it, and a secret beside it. */
function makeTrap(ground: Ground, name: string, readOnly = false): Trap {
  const outside = ground.folder(name);
  const inside = join(outside, 'data');
  rmSync(outside, { recursive: true, force: true });
  mkdirSync(join(inside, 'inner'), { recursive: true });
  writeFileSync(join(outside, 'secret'), ground.secret);
  writeFileSync(join(inside, 'mine'), 'mine');
  writeFileSync(join(outside, 'public'), 'public');
  linkSync(join(outside, 'public'), join(inside, 'hard'));
  const links = {
    up: '..',
    absolute: join(ground.victimSecret, '..'),
    etc: '/etc',
    loop: 'loop',
    proc: '/proc',
    magic: `/proc/self/root${outside}`,
    'inner/up': '../..',
    chain: 'chain1',
  };
  for (const [from, to] of Object.entries(links)) symlinkSync(to, join(inside, from));
  for (let i = 1; i < 8; i++) symlinkSync(i === 7 ? '..' : `chain${i + 1}`, join(inside, `chain${i}`));
  execFileSync('mkfifo', [join(inside, 'pipe')]);
  return {
    inside,
    mount: { guestPath: '/data', hostPath: inside, readOnly },
    around: () =>
      `${readdirSync(outside).sort()} ${readFileSync(join(outside, 'secret'))} ${readdirSync(join(ground.dataDir, 'tenants')).sort()}`,
  };
}

const ERRNO: Readonly<Record<string, string>> = {
  2: 'EACCES',
  8: 'EBADF',
  20: 'EEXIST',
  28: 'EINVAL',
  31: 'EISDIR',
  32: 'ELOOP',
  37: 'ENAMETOOLONG',
  44: 'ENOENT',
  54: 'ENOTDIR',
  58: 'ENOTSUP',
  63: 'EPERM',
  69: 'EROFS',
  75: 'EXDEV',
  76: 'ENOTCAPABLE',
};

/** How often which answer: `ENOTCAPABLE 120, ENOENT 33`. */
export function answers(output: string): string {
  const counts = new Map<string, number>();
  for (const [, code = ''] of output.matchAll(/: (\d+)$/gm)) {
    const name = ERRNO[code] ?? (code === '0' ? 'done' : code);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, 6);
  return sorted.map(([name, count]) => `${name} ${count}`).join(', ');
}

/** The guest tries; nothing of outside was read or changed. */
async function tryPaths(ground: Ground, way: string, readOnly = false): Promise<Outcome> {
  const trap = makeTrap(ground, `${way}${readOnly}`, readOnly);
  const before = trap.around();
  const neighbour = await ground.neighbour();
  const { exit, output } = await ground.run(HOSTILE, { args: ['hostile', way], mounts: [trap.mount] });
  if (output.includes(ground.secret)) return breach(`it read the secret: ${/.*SECRET.*/.exec(output)?.[0]}`);
  if (/root:x:0|HOME=/.test(output)) return breach('it read a file of the machine');
  if (trap.around() !== before) return breach(`what lies around changed: ${trap.around()}`);
  const lost = await neighbour.lost();
  if (lost !== undefined) return breach(lost);
  if (exit.code !== 0) return breach(`the guest ended with ${exit.code}: ${exit.message}`);
  return refused('WASI', answers(output));
}

/** Swaps a folder and a link to outside, as fast as a thread can. */
const SWAPPER = `
  const { workerData } = require('node:worker_threads');
  const { renameSync, symlinkSync, mkdirSync, rmSync } = require('node:fs');
  const { swap, link, real, spare } = workerData;
  for (;;) {
    try { renameSync(swap, spare); renameSync(link, swap); renameSync(swap, link); renameSync(spare, swap); } catch {}
  }`;

async function race(ground: Ground, path: string): Promise<Outcome> {
  const trap = makeTrap(ground, `race${path.replace('/', '')}`);
  const at = (name: string) => join(trap.inside, name);
  mkdirSync(at('swap'));
  writeFileSync(at('swap/secret'), 'harmless');
  symlinkSync(path.startsWith('swap/') ? '../' : join(ground.victimSecret, '..'), at('link'));
  const workerData = { swap: at('swap'), link: at('link'), spare: at('spare') };
  const swapper = new Worker(SWAPPER, { eval: true, workerData });
  try {
    const run = { args: ['hostile', 'race', 'swap/secret', '40000'], mounts: [trap.mount] };
    const { output } = await ground.run(HOSTILE, run, 60);
    if (output.includes(ground.secret)) return breach('it won the race and read the secret');
    return refused('WASI', output.trim());
  } finally {
    await swapper.terminate();
  }
}

/** A pipe that nobody writes to: opening it waits for ever, in the kernel. */
async function pipe(ground: Ground): Promise<Outcome> {
  const trap = makeTrap(ground, 'pipe');
  const neighbour = await ground.neighbour();
  const guest = await ground.start(SCRIPTED, { args: ['scripted', 'cat', '/data/pipe'], mounts: [trap.mount] });
  const exit = await guest.exit(1);
  const lost = await neighbour.lost();
  await guest.forget();
  if (lost !== undefined) return breach(lost);
  return refused('WASI', exit === undefined ? 'it waits alone' : `exit ${exit.code}: ${guest.output().trim()}`);
}

async function foreignMount(ground: Ground, hostPath: string): Promise<Outcome> {
  const mounts = [{ guestPath: '/data', hostPath, readOnly: true }];
  const { output, exit } = await ground.run(SCRIPTED, { args: ['scripted', 'list', '/data'], mounts });
  return breach(`it got a mount of ${hostPath}: exit ${exit.code} ${output}`);
}

function attempt(name: string, run: Attempt<Ground>['run']): Attempt<Ground> {
  return { area: 'paths', name, run };
}

export const files: readonly Attempt<Ground>[] = [
  attempt('41 names that lead out, by each call that reads', (ground) => tryPaths(ground, 'paths')),
  attempt('41 names that lead out, by each call that changes', (ground) => tryPaths(ground, 'changes')),
  attempt('the same in a read-only mount', (ground) => tryPaths(ground, 'changes', true)),
  attempt('names of a megabyte, of dots, of every byte', (ground) => tryPaths(ground, 'names')),
  attempt('a folder swapped for a link to outside, while it opens', (ground) => race(ground, 'swap/secret')),
  attempt("a folder swapped for a link to another tenant's", (ground) => race(ground, 'swap')),
  attempt('a pipe that nobody writes to', pipe),
  attempt("a mount of another tenant's volume", (ground) => foreignMount(ground, join(ground.victimSecret, '..'))),
  attempt("a mount of the node's keys", (ground) => foreignMount(ground, join(ground.dataDir, 'pki'))),
  attempt('a mount of /proc', (ground) => foreignMount(ground, '/proc')),
  attempt('a mount of /', (ground) => foreignMount(ground, '/')),
];
