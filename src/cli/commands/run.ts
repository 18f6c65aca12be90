/** `wasmlet run`: one module or image in this process, as `wasmtime run` does. The exit code is the guest's. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';
import { isWasmletError } from '#kit';
import { type Preopen, processStdio, runModule } from '#runtime/wasi';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';
import { EXIT, exitCodeOf, printError } from '../exit.ts';

/** Exit codes as of `docker run` and `podman run`. */
const OURS_FAILED = 125;
const NOT_RUNNABLE = 126;
const NOT_FOUND = 127;
/** What a container is that says nothing of itself. */
const CONTAINER = { uid: 0, gid: 0, groups: [], hostname: 'localhost' } as const;

export async function run(context: Context, args: Arguments): Promise<number> {
  try {
    return await runGuest(context, args);
  } catch (error) {
    printError(context.stderr, error);
    return codeOf(error);
  }
}

/** Codes of an image that is there and is no module for us; in other commands these are plain failures. */
const NO_MODULE = ['OCI_NOT_WASM', 'OCI_BAD_MODULE'];

function codeOf(error: unknown): number {
  const code = isWasmletError(error) ? error.code : '';
  const exit = NO_MODULE.includes(code) ? NOT_RUNNABLE : exitCodeOf(error);
  if (exit === EXIT.notFound) return NOT_FOUND;
  return exit === EXIT.usage || exit === NOT_RUNNABLE ? exit : OURS_FAILED;
}

async function runGuest(context: Context, args: Arguments): Promise<number> {
  const [target = '', ...rest] = args.positionals;
  const { bytes, name } = await moduleOf(context, args, target);
  const invoke = args.value('invoke');
  const { exit, results } = await runModule({
    ...processStdio(),
    bytes,
    args: [name, ...rest],
    env: args.values('env').map((text) => variableOf(context, text)),
    preopens: args.values('dir').map(preopenOf),
    ...(args.values('capability').includes('posix') && { posix: CONTAINER }),
    insecureTrustedGuests: args.has('insecure-trusted-guests'),
    ...(invoke === undefined ? {} : { invoke: { name: invoke, args: rest } }),
  });
  for (const result of results) context.stdout.write(`${result}\n`);
  if (exit.message !== undefined && exit.reason !== 'Completed') context.stderr.write(`wasmlet: ${exit.message}\n`);
  if (exit.reason === 'StartError') return NOT_RUNNABLE;
  return exit.code;
}

async function moduleOf(
  context: Context,
  args: Arguments,
  target: string,
): Promise<{ bytes: Uint8Array; name: string }> {
  if (existsSync(target)) {
    if (statSync(target).isDirectory()) throw cliError('CLI_NOT_FOUND', `Cannot run '${target}': it is a directory`);
    return { bytes: readFileSync(target), name: basename(target) };
  }
  if (target.startsWith('.') || isAbsolute(target) || /\.(wasm|wat)$/.test(target)) {
    throw cliError('CLI_NOT_FOUND', `Cannot run '${target}': there is no such file`);
  }
  const { imageFor } = await import('../images.ts');
  const image = await imageFor(context, args, target);
  return { bytes: readFileSync(image.modulePath), name: image.programName };
}

/** `K=V`, or `K` alone for the value that we have ourselves. */
function variableOf(context: Context, text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at === 0 || text === '') throw cliError('CLI_USAGE', `Cannot read --env '${text}': it has no name`);
  return at < 0 ? [text, context.env[text] ?? ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** `HOST::GUEST`, or `HOST` alone for the same path in the guest. Source: `wasmtime run --dir`. */
function preopenOf(text: string): Preopen {
  const [hostPath = '', guestPath = hostPath] = text.split('::');
  if (hostPath === '' || guestPath === '')
    throw cliError('CLI_USAGE', `Cannot read --dir '${text}'`, { hint: 'Write it as HOST::GUEST.' });
  return { hostPath, guestPath };
}
