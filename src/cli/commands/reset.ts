/** `wasmlet reset`: removes a data directory. Refuses while a node runs on it, and asks a person first. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Arguments, Context } from '../command.ts';
import { dataDirOf } from '../data-dir.ts';
import { cliError } from '../errors.ts';
import { endSandboxes, holderOf } from '../node-process.ts';

/** Only a directory that looks like ours is removed: `--data-dir /` or a typo must not cost anything else. */
const OURS = ['lock', 'config.json', 'content', 'tenants', 'pki', 'api', 'modules', 'node'];

export async function run(context: Context, args: Arguments): Promise<number> {
  const dir = dataDirOf(context, args);
  if (!existsSync(dir)) {
    context.stdout.write(`nothing to remove: '${dir}' does not exist\n`);
    return 0;
  }
  const holder = holderOf(dir);
  if (holder !== undefined) {
    throw cliError('CLI_FAILED', `Cannot reset '${dir}': the node with pid ${holder} runs on it`, {
      hint: "'wasmlet down' ends it.",
    });
  }
  const names = statSync(dir).isDirectory() ? readdirSync(dir) : [''];
  if (names.length > 0 && !names.some((name) => OURS.includes(name))) {
    throw cliError('CLI_FAILED', `Cannot reset '${dir}': it does not look like a wasmlet data directory`);
  }
  if (!args.has('yes') && !(await confirmed(context, dir))) {
    context.stderr.write('nothing removed\n');
    return 1;
  }
  await endSandboxes(dir);
  for (const name of names) rmSync(join(dir, name), { recursive: true, force: true });
  context.stdout.write(`removed ${dir}\n`);
  return 0;
}

async function confirmed(context: Context, dir: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw cliError('CLI_USAGE', `Cannot ask whether to remove '${dir}': standard input is no terminal`, {
      hint: 'Say --yes.',
    });
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`Remove '${dir}' with all state, images and pods? [y/N] `, {
      signal: context.signal,
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
