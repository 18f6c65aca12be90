/** `wasmlet up`: a standalone node in the foreground, or, with --detach, in the background once it is Ready. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#kit';
import { connectByKubeconfig } from '#kube';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';
import { type Manifest, readManifests } from '../manifests.ts';
import { commonOptions, untilStopped } from '../node-options.ts';
import { refuseIfTaken, startStandalone } from '../standalone.ts';
import { applyOne } from './apply.ts';

/** How long a detached node has to become Ready. */
const DETACH_MS = 60_000;
/** Set for the process in the background; its value is the file that says that it is Ready. */
const READY_FILE = 'WASMLET_READY_FILE';

export async function run(context: Context, args: Arguments): Promise<number> {
  const paths = args.values('filename');
  // Read first: a mistake in a manifest should not cost a node's start.
  const manifests = paths.length === 0 ? [] : await readManifests(paths, { signal: context.signal });
  return args.has('detach') ? detach(context, args, manifests) : foreground(context, args, manifests);
}

async function foreground(context: Context, args: Arguments, manifests: readonly Manifest[]): Promise<number> {
  const started = systemClock.monotonic();
  const common = commonOptions(context, args);
  const port = args.value('api-port');
  const node = await startStandalone({
    ...common,
    ...(port === undefined ? {} : { apiPort: Number(port) }),
  });
  const stopped = untilStopped(context.signal);
  try {
    for (const note of node.notes) context.log.warn(note);
    const seconds = Math.round((systemClock.monotonic() - started) / 10) / 100;
    context.log.info('the node is Ready', {
      node: node.name,
      server: node.server,
      kubeconfig: node.kubeconfig,
      seconds,
    });
    await applyAll(context, node.kubeconfig, manifests);
    sayReady(context, node.server);
    const failure = await Promise.race([stopped, node.failed]);
    if (failure instanceof Error) throw failure;
  } finally {
    context.log.info('ending the pods', { pods: node.pods().length });
    await node.stop();
  }
  context.log.info('stopped', { state: common.dataDir });
  return 0;
}

async function applyAll(context: Context, kubeconfig: string, manifests: readonly Manifest[]): Promise<void> {
  if (manifests.length === 0) return;
  await using client = await connectByKubeconfig(kubeconfig);
  for (const manifest of manifests)
    context.stdout.write(`${await applyOne(client, manifest, { signal: context.signal })}\n`);
}

function sayReady(context: Context, server: string): void {
  const path = context.env[READY_FILE];
  if (path === undefined || path === '') return;
  const { writeFileSync, renameSync } = process.getBuiltinModule('node:fs');
  writeFileSync(`${path}.new`, `${server}\n`);
  renameSync(`${path}.new`, path);
}

/** Starts the same command in a session of its own, and waits until it says that it is Ready. */
async function detach(context: Context, args: Arguments, manifests: readonly Manifest[]): Promise<number> {
  const { dataDir } = commonOptions(context, args);
  refuseIfTaken(dataDir);
  const logPath = join(dataDir, 'node.log');
  const readyFile = join(dataDir, `.ready.${process.pid}`);
  const from = existsSync(logPath) ? statSync(logPath).size : 0;
  const log = openSync(logPath, 'a', 0o600);
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1).filter(notDetach)], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, [READY_FILE]: readyFile },
  });
  closeSync(log);
  try {
    await untilReady(child, { readyFile, logPath, from, signal: context.signal });
    const server = readFileSync(readyFile, 'utf8').trim();
    context.stdout.write(`the node is Ready: pid ${child.pid}, API ${server}\n`);
    context.stdout.write(`  kubeconfig ${join(dataDir, 'kubeconfig')}\n  log        ${logPath}\n`);
    if (manifests.length > 0) context.stdout.write(`  applied ${manifests.length} object(s)\n`);
  } finally {
    process.getBuiltinModule('node:fs').rmSync(readyFile, { force: true });
    child.unref();
  }
  return 0;
}

/** The child reads the files again itself; `-d` must not reach it. */
function notDetach(word: string): boolean {
  return !['--detach', '-d', '--detach=true'].includes(word);
}

interface Waiting {
  readonly readyFile: string;
  readonly logPath: string;
  readonly from: number;
  readonly signal: AbortSignal;
}

async function untilReady(
  child: ReturnType<typeof spawn>,
  { readyFile, logPath, from, signal }: Waiting,
): Promise<void> {
  const end = systemClock.monotonic() + DETACH_MS;
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw cliError('CLI_FAILED', `Cannot start the node: ${lastWords(logPath, from)}`, {
        hint: `Its log is ${logPath}.`,
      });
    }
    if (systemClock.monotonic() > end) {
      child.kill('SIGTERM');
      throw cliError('CLI_TIMEOUT', `Cannot start the node: it is not Ready after ${DETACH_MS / 1000} s`, {
        hint: `Its log is ${logPath}.`,
      });
    }
    await systemClock.sleep(20, { signal });
  }
}

/** What the child printed last as its error, without the log lines before it. */
function lastWords(path: string, from: number): string {
  const text = readFileSync(path).subarray(from).toString('utf8').trim();
  const error = text.split('\n').find((line) => line.startsWith('wasmlet: '));
  return error?.slice('wasmlet: '.length) ?? text.split('\n').at(-1) ?? 'it said nothing';
}
