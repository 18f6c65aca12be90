/**
 * docs/what-ends-guests.md, a case a cell: the page's table is read, each row has an action here, and what becomes of a
 * guest is held against what the cell says.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sandboxesOf } from '../../../src/cli/node-process.ts';
import { run } from '../../processes/command.ts';
import { type StartOptions, WASMLET } from '../node-process.ts';
import { apply, eventually, isReady, podOf, remove, statusOf, steps, until, type World } from '../world.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PAGE = join(ROOT, 'docs', 'what-ends-guests.md');

/** The page's columns. */
type Column = '`wasmlet up` in the foreground' | '`wasmlet up --detach`' | '`wasmlet join`';
/** Ends the node as the row says; the answer is how it is started again. */
type Action = (world: World, column: Column) => Promise<StartOptions | undefined>;

const stop =
  (signal: NodeJS.Signals): Action =>
  async ({ node }) => {
    await node.end(signal);
    return undefined;
  };

const ACTIONS: Readonly<Record<string, { readonly start?: (world: World) => StartOptions; readonly end: Action }>> = {
  'Ctrl-C (SIGINT)': { end: stop('SIGINT') },
  'SIGTERM of the node': { end: stop('SIGTERM') },
  '`wasmlet down`': { end: down },
  // What systemd does with KillMode=process: SIGTERM for the node alone, then the same command again.
  'restart of the service': { end: stop('SIGTERM') },
  'kill -9 of the node': { end: stop('SIGKILL') },
  'a crash of the node': { end: stop('SIGABRT') },
  'an upgrade': { end: upgrade },
  'shutdown of the machine': { start: (world) => ({ env: stoppingSystem(world) }), end: stop('SIGTERM') },
  'power cut': { end: powerCut },
};

const OUTCOMES: readonly (readonly [RegExp, (world: World, seen: Seen) => Promise<void>])[] = [
  [/^stay$/, stays],
  [/^ended, gracefully$/, isEnded(143)],
  [/^gone; started again, a restart is counted$/, isEnded(undefined)],
];

export function endingCases(world: () => World, column: Column): void {
  for (const [row, cell] of cellsOf(column)) {
    if (cell === 'no terminal') continue;
    it(`${row}, ${column}: ${cell}`, async () => {
      const action = ACTIONS[row];
      const outcome = OUTCOMES.find(([words]) => words.test(cell))?.[1];
      assert.ok(action !== undefined && outcome !== undefined, `'${row}: ${cell}' has no test`);
      await settle(world(), column, action.start?.(world()));
      try {
        const seen = await startGuest(world());
        const again = await action.end(world(), column);
        await world().node.start({ detach: column === '`wasmlet up --detach`', ...again });
        await outcome(world(), seen);
      } finally {
        if (world().node.pid === undefined) await world().node.start();
        await remove(world(), POD);
      }
    });
  }
}

function cellsOf(column: Column): [row: string, cell: string][] {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const [head = [], , ...rows] = lines
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const at = head.indexOf(column);
  assert.ok(at > 0 && rows.length > 0, `the page has a column ${column}`);
  assert.deepEqual(rows.map(([, row = '']) => row).sort(), Object.keys(ACTIONS).sort(), 'a row, an action');
  return rows.map((cells) => [cells[1] ?? '', cells[at] ?? '']);
}

const POD = 'guest';

/** A node as the column says, whatever the case before left. */
async function settle(world: World, column: Column, options: StartOptions = {}): Promise<void> {
  const detach = column === '`wasmlet up --detach`';
  if (world.node.pid !== undefined && world.node.detached === detach && options.env === undefined) return;
  await world.node.end('SIGTERM');
  await world.node.start({ detach, ...options });
}

interface Seen {
  readonly containerID: string | undefined;
  readonly sandboxes: readonly number[];
  readonly tick: number;
}

async function startGuest(world: World): Promise<Seen> {
  await apply(world, podOf(world, POD, { main: steps('tick 100') }, { restartPolicy: 'Always' }));
  const { containerID, restartCount } = statusOf(await until(world, POD, isReady), 'main');
  assert.equal(restartCount, 0);
  const tick = await eventually('its first lines', async () => lastTick(await said(world)));
  return { containerID, sandboxes: pidsOf(world), tick };
}

/** The same container in the same process, and it goes on where it was. */
async function stays(world: World, seen: Seen): Promise<void> {
  assert.deepEqual(pidsOf(world), seen.sandboxes);
  await eventually('later lines', async () => {
    const tick = lastTick(await said(world));
    return tick !== undefined && tick > seen.tick + 5 ? tick : undefined;
  });
  const status = statusOf(await until(world, POD, isReady), 'main');
  assert.deepEqual([status.containerID, status.restartCount], [seen.containerID, 0]);
}

function isEnded(exitCode: number | undefined) {
  return async (world: World, seen: Seen): Promise<void> => {
    const pod = await until(
      world,
      POD,
      (found) => isReady(found) && found.status?.containerStatuses?.[0]?.restartCount === 1,
      { seconds: 90 },
    );
    const { lastState, containerID } = statusOf(pod, 'main');
    assert.notEqual(containerID, seen.containerID);
    const ended = lastState?.terminated;
    assert.ok(ended !== undefined && ended.exitCode !== 0, JSON.stringify(lastState));
    if (exitCode !== undefined) assert.equal(ended.exitCode, exitCode, JSON.stringify(lastState));
  };
}

async function down(world: World): Promise<undefined> {
  await run([process.execPath, WASMLET, 'down', '--data-dir', world.dataDir]);
  assert.deepEqual(pidsOf(world), [], 'no sandbox is left');
  await world.node.end('SIGTERM');
}

/** The next release in a folder of its own. A standalone node that is told to stop ends its guests: it is killed, and the new one takes over. */
async function upgrade(world: World, column: Column): Promise<StartOptions> {
  const root = join(world.dataDir, '..', 'next');
  rmSync(root, { recursive: true, force: true });
  for (const name of ['bin', 'scripts', 'src', 'package.json'])
    cpSync(join(ROOT, name), join(root, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const version = join(root, 'src', 'kit', 'version.ts');
  writeFileSync(version, readFileSync(version, 'utf8').replace(/VERSION = '[^']+'/, "VERSION = '0.99.0'"));
  await world.node.end(column === '`wasmlet join`' ? 'SIGTERM' : 'SIGKILL');
  return { program: join(root, 'bin', 'wasmlet') };
}

/** A `systemctl` that says what systemd's says while the machine goes down. */
function stoppingSystem({ dataDir }: World): Record<string, string> {
  const folder = join(dataDir, '..', 'stopping');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'systemctl');
  writeFileSync(path, '#!/bin/sh\necho stopping\nexit 1\n');
  chmodSync(path, 0o755);
  return { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
}

async function powerCut(world: World): Promise<undefined> {
  const sandboxes = pidsOf(world);
  await world.node.end('SIGKILL');
  for (const pid of sandboxes) process.kill(pid, 'SIGKILL');
  await eventually('that all is gone', async () => (pidsOf(world).length === 0 ? true : undefined));
}

/** The guests' sandboxes; not the spare ones, which come and go. */
function pidsOf({ dataDir }: World): number[] {
  return sandboxesOf(dataDir)
    .filter(({ tenant }) => tenant === 'default')
    .map(({ pid }) => pid)
    .sort();
}

async function said(world: World): Promise<string> {
  return (await world.kubectl(['logs', POD], { accept: 'any' })).stdout;
}

function lastTick(logs: string): number | undefined {
  const last = [...logs.matchAll(/^tick (\d+)$/gm)].at(-1)?.[1];
  return last === undefined ? undefined : Number(last);
}
