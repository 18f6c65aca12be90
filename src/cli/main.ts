/** Entry of every command: finds it in the table, reads its arguments, runs it, and makes an exit code of what happened. */
import { createLog, type Level } from '#kit';
import { parseArguments } from './arguments.ts';
import type { Context, Output } from './command.ts';
import { COMMANDS } from './commands.ts';
import { cliError } from './errors.ts';
import { EXIT, exitCodeOf, printError } from './exit.ts';
import { commandHelp, overview } from './help.ts';
import { nearest } from './nearest.ts';
import { stopAtSignal } from './stop-at-signal.ts';

/** Of the command that runs, once it asked for its signal. */
let stopping: AbortController | undefined;

const stdout = outputOf(process.stdout);
const stderr = outputOf(process.stderr);

function outputOf(stream: NodeJS.WriteStream): Output {
  // A reader that went away (`wasmlet get pods | head -1`) is no failure of ours; what runs until a signal (`wasmlet up | head`) ends orderly.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') return;
    if (stopping === undefined) process.exit(EXIT.done);
    stopping.abort('EPIPE');
  });
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
  };
}

async function main(words: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = words;
  if (['help', '--help', '-h'].includes(name)) {
    const about = COMMANDS.find((command) => command.name === rest[0]);
    stdout.write(about === undefined ? overview(COMMANDS) : commandHelp(about));
    return words.length === 0 ? EXIT.usage : EXIT.done;
  }
  const command = COMMANDS.find((candidate) => candidate.name === (name === '--version' ? 'version' : name));
  if (command === undefined) throw unknownCommand(name);
  if (command.name === 'krustlet-wasi') return (await command.load()).run(contextOf({}), rawArguments(rest));
  const args = parseArguments(command, rest);
  if (args.has('help')) {
    stdout.write(commandHelp(command));
    return EXIT.done;
  }
  const { run } = await command.load();
  return run(contextOf({ level: args.value('log-level'), format: args.value('log-format') }), args);
}

/** Krustlet's flags are read by their own table (docs/krustlet.md), so they pass here as they are. */
function rawArguments(words: readonly string[]) {
  return { positionals: words, value: () => undefined, values: () => [], has: () => false };
}

function unknownCommand(name: string): Error {
  const close = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  const hint = close === undefined ? "'wasmlet help' lists the commands" : `did you mean 'wasmlet ${close}'?`;
  return cliError('CLI_USAGE', `Cannot run '${name}': there is no such command`, { hint });
}

function contextOf({ level, format }: { level?: string | undefined; format?: string | undefined }): Context {
  const chosen = (level ?? process.env['WASMLET_LOG_LEVEL'] ?? 'info') as Level;
  return {
    log: createLog({ level: chosen, format: format === 'json' ? 'json' : 'text' }),
    env: process.env,
    stdout,
    stderr,
    // Made when first asked for: a command that never asks (`run`) keeps the signals' default, which also ends a guest that spins.
    get signal() {
      stopping ??= stopAtSignal();
      return stopping.signal;
    },
  };
}

async function exitCode(): Promise<number> {
  try {
    return await main(process.argv.slice(2));
  } catch (error) {
    printError(stderr, error);
    return exitCodeOf(error);
  }
}

/** Ends the process though something may still be open: a command that failed half-way must not hang on what it left. */
async function end(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
  process.exit(code);
}

await end(await exitCode());
