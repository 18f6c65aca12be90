import { matchesGlob } from 'node:path';
import type { Group } from '../groups.ts';

export const USAGE = `Usage: npm test [-- [--quick] [--yes] [--list] [--setup] [GROUP|FILE…] [-- NODE-TEST-ARGS…]]

Sets up what the tests need on this machine, then runs them and ends with a table.
  --quick   only what needs nothing installed (at most 90 s)
  --yes     do not wait five seconds before installing
  --list    print the groups and what they need, and end
  --setup   install what the groups need, and end; names may be steps too
  GROUP     only these groups; a FILE runs alone, as its group would run it
  --        what follows goes to node --test, as --test-name-pattern=WORDS
`;

export interface Options {
  readonly quick: boolean;
  readonly yes: boolean;
  readonly list: boolean;
  readonly setup: boolean;
  readonly help: boolean;
  /** Names of groups, or of steps with --setup. */
  readonly names: readonly string[];
  readonly files: readonly string[];
  readonly runnerArguments: readonly string[];
}

const FLAGS = ['quick', 'yes', 'list', 'setup', 'help'] as const;

/** Throws a RangeError with words for a person when the arguments are not understood. */
export function parseOptions(argv: readonly string[], known: readonly string[]): Options {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  const words = own.filter((word) => !word.startsWith('-'));
  const files = words.filter((word) => word.includes('/'));
  const names = words.filter((word) => !word.includes('/'));
  const flags = own.filter((word) => word.startsWith('-'));
  for (const flag of flags) {
    if (!FLAGS.some((name) => flag === `--${name}`)) throw new RangeError(`Cannot understand '${flag}'`);
  }
  for (const name of names) {
    if (!known.includes(name)) throw new RangeError(`Cannot find the group '${name}': there are ${known.join(', ')}`);
  }
  const given = Object.fromEntries(FLAGS.map((name) => [name, flags.includes(`--${name}`)])) as Record<
    (typeof FLAGS)[number],
    boolean
  >;
  return { ...given, names, files, runnerArguments: end < 0 ? [] : argv.slice(end + 1) };
}

/** A group with the files that it will run. */
export interface Selected extends Group {
  readonly found: readonly string[];
}

/** The groups that are asked for and have something to run. `glob` gives the files of a pattern. */
export function select(
  groups: readonly Group[],
  { options, glob }: { options: Options; glob: (pattern: string) => string[] },
): Selected[] {
  const everything = options.names.length === 0 && options.files.length === 0;
  const selected: Selected[] = [];
  for (const group of groups) {
    const files = options.files.filter((file) => group.files.some((pattern) => matchesGlob(file, pattern)));
    const named = options.names.includes(group.name);
    const wanted = named || (everything && (!options.quick || group.quick === true));
    if (!wanted && files.length === 0) continue;
    const found = named || everything ? [...new Set(group.files.flatMap(glob))].sort() : files;
    if (found.length > 0 || group.script !== undefined) selected.push({ ...group, found });
  }
  return selected;
}
