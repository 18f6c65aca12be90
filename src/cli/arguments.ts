/** Reads a command's arguments by its table of flags. Pure: the same words give the same result or the same usage error. */
import type { Arguments, Command, Flag, Flags } from './command.ts';
import { cliError } from './errors.ts';
import { nearest } from './nearest.ts';

/** Flags that every command knows. */
export const COMMON_FLAGS: Flags = {
  help: { short: 'h', summary: 'show this help' },
  'log-level': {
    value: 'LEVEL',
    choices: ['debug', 'info', 'warn', 'error'],
    summary: 'what the log tells (default info)',
  },
  'log-format': { value: 'FORMAT', choices: ['text', 'json'], summary: 'form of the log lines (default text)' },
};

export function parseArguments(command: Command, words: readonly string[]): Arguments {
  const flags: Flags = { ...COMMON_FLAGS, ...command.flags };
  const found = new Map<string, string[]>();
  const positionals: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      positionals.push(...rest.splice(0));
    } else if (word.startsWith('-') && word !== '-') {
      readFlag(command, flags, { word, rest, found });
    } else {
      positionals.push(word);
      if (command.stopAtPositional === true) positionals.push(...rest.splice(0));
    }
  }
  if (!found.has('help')) checkCount(command, positionals);
  return {
    positionals,
    value: (flag) => found.get(flag)?.at(-1),
    values: (flag) => found.get(flag) ?? [],
    has: (flag) => found.has(flag),
  };
}

interface Reading {
  readonly word: string;
  readonly rest: string[];
  readonly found: Map<string, string[]>;
}

function readFlag(command: Command, flags: Flags, { word, rest, found }: Reading): void {
  const [given = '', inline] = splitOnce(word);
  const name = nameOf(flags, given);
  const flag = name === undefined ? undefined : flags[name];
  if (name === undefined || flag === undefined) throw unknownFlag(command, flags, given);
  const value = valueFor(command, { name, flag, inline, rest });
  const values = found.get(name) ?? [];
  if (values.length > 0 && flag.many !== true && flag.value !== undefined) {
    throw usage(command, `--${name} is given twice`);
  }
  values.push(value);
  found.set(name, values);
}

interface Given {
  readonly name: string;
  readonly flag: Flag;
  readonly inline: string | undefined;
  readonly rest: string[];
}

function valueFor(command: Command, { name, flag, inline, rest }: Given): string {
  if (flag.value === undefined) {
    if (inline !== undefined && !['true', 'false'].includes(inline)) throw usage(command, `--${name} takes no value`);
    return inline ?? 'true';
  }
  const value = inline ?? rest.shift();
  if (value === undefined) throw usage(command, `--${name} needs a value (${flag.value})`);
  const { least = 0, most } = flag;
  if (most !== undefined && !(/^\d+$/.test(value) && Number(value) >= least && Number(value) <= most)) {
    throw usage(command, `--${name} is a number from ${least} to ${most}, not '${value}'`);
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    throw usage(command, `--${name} is one of ${flag.choices.join(', ')}, not '${value}'`);
  }
  return value;
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=');
  return at < 0 || !word.startsWith('--') ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function nameOf(flags: Flags, given: string): string | undefined {
  if (given.startsWith('--')) return Object.hasOwn(flags, given.slice(2)) ? given.slice(2) : undefined;
  return Object.entries(flags).find(([, flag]) => `-${flag.short}` === given)?.[0];
}

function unknownFlag(command: Command, flags: Flags, given: string): Error {
  const close = nearest(given.replace(/^-+/, ''), Object.keys(flags));
  return usage(command, `unknown flag '${given}'${close === undefined ? '' : `; did you mean --${close}?`}`);
}

function checkCount(command: Command, positionals: readonly string[]): void {
  const [least, most] = command.positionals;
  if (positionals.length < least) throw usage(command, 'too few arguments');
  if (positionals.length > most && command.stopAtPositional !== true) {
    throw usage(command, `unexpected argument '${positionals[most]}'`);
  }
}

export function usage(command: Command, what: string): Error {
  return cliError('CLI_USAGE', `Cannot run '${command.name}': ${what}`, {
    hint: `usage: wasmlet ${command.name} ${command.usage}`.trimEnd(),
  });
}
