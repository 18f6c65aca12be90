/**
 * `npm run chaos -- [--minutes N] [--seed N]`: a standalone node under load, its processes killed and stopped at random. As root in a
 * network namespace of its own, so that a node that runs on this machine is not in its way.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { currentNamespace, makeNamespace } from '../netns/namespace.ts';
import { runChaos } from './chaos.ts';

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } },
  strict: false,
  allowPositionals: true,
});
const isKnown = positionals.length === 0 && Object.keys(values).every((name) => name === 'minutes' || name === 'seed');
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const minutes = Number(values.minutes);

async function inside(): Promise<number> {
  const from = performance.now();
  const log = (line: string) =>
    process.stderr.write(`${((performance.now() - from) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  log(`seed ${seed}`);
  const { kills, pods, requests, lost } = await runChaos({ seed, milliseconds: minutes * 60_000, log });
  for (const what of lost) process.stdout.write(`lost: ${what}\n`);
  process.stdout.write(`${kills} kills, ${pods} pods, ${requests} requests answered, ${lost.length} lost\n`);
  if (lost.length > 0) process.stdout.write(`again: npm run chaos -- --minutes ${minutes} --seed ${seed}\n`);
  return lost.length > 0 ? 1 : 0;
}

async function ownNetwork(): Promise<number> {
  await using namespace = await makeNamespace({ label: 'chaos' });
  const [file = '', ...enter] = namespace.enter;
  const args = [...enter, process.execPath, import.meta.filename, '--minutes', `${minutes}`, '--seed', `${seed}`];
  const env = { ...process.env, WASMLET_TEST_NAMESPACE: namespace.name };
  const child = spawn(file, args, { stdio: 'inherit', env });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

if (!isKnown || !(minutes > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write('usage: npm run chaos -- [--minutes N] [--seed N]\n');
  process.exitCode = 2;
} else
  process.exitCode = process.getuid?.() === 0 && currentNamespace() === undefined ? await ownNetwork() : await inside();
