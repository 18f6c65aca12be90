/** Help texts, made from the table of commands; every page fits a terminal of 80 by 24. */
import { COMMON_FLAGS } from './arguments.ts';
import type { Command, Flags } from './command.ts';

const GROUPS: readonly [Command['group'], string][] = [
  ['node', 'A node'],
  ['guests', 'Modules and images'],
  ['objects', 'Objects'],
  ['other', 'Other'],
];

const WIDTH = 80;

export function overview(commands: readonly Command[]): string {
  const shown = commands.filter((command) => command.hidden !== true);
  const groups = GROUPS.map(([group, title]) => {
    const names = shown.filter((command) => command.group === group);
    return `${title}\n${names.map((command) => row(command.name, command.summary, 15)).join('')}`;
  });
  return `wasmlet: WebAssembly as Kubernetes Pods.  usage: wasmlet COMMAND [FLAGS]\n${groups.join('')}wasmlet COMMAND --help tells more.\n`;
}

export function commandHelp(command: Command): string {
  const parts = [`usage: wasmlet ${command.name} ${command.usage}`.trimEnd(), '', `${command.summary}.`];
  if (command.details !== undefined) parts.push(...wrap(command.details, WIDTH));
  parts.push('');
  const flags = { ...command.flags, 'log-level': COMMON_FLAGS['log-level'] ?? { summary: '' } };
  return `${parts.join('\n')}\n${flagRows(flags)}${exampleRows(command)}`;
}

function flagRows(flags: Flags): string {
  return Object.entries(flags)
    .filter(([, flag]) => flag.hidden !== true)
    .map(([name, flag]) => {
      const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
      const value = flag.value === undefined ? '' : ` ${flag.value}`;
      return row(`${short}--${name}${value}`, flag.summary, 33);
    })
    .join('');
}

function exampleRows(command: Command): string {
  if (command.examples === undefined) return '';
  return `\n${command.examples.map((example) => `  $ ${example}\n`).join('')}`;
}

/** Two columns, the second one cut so that a line never breaks in 80 columns. */
function row(left: string, right: string, width: number): string {
  const first = left.padEnd(width);
  const room = WIDTH - 2 - first.length - 1;
  const text = right.length > room ? `${right.slice(0, room - 1)}…` : right;
  return `  ${first} ${text}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
