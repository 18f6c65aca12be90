/**
 * The fenced commands of README and docs. A block of `sh` is run, page by page from top to bottom, unless the line before it
 * says why not: `<!-- not run: needs a cluster -->`. What a reader has to fill in is written with `…` and never run.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Block {
  readonly page: string;
  /** Of its first command, from 1. */
  readonly line: number;
  /** Commands, with continued lines joined. */
  readonly commands: readonly string[];
  /** Why it is not run. */
  readonly notRun: string | undefined;
}

const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/**/*.md', 'examples/**/*.md'];

export function readBlocks(root: string): Block[] {
  return PAGES.flatMap((pattern) => globSync(pattern, { cwd: root }).sort()).flatMap((page) =>
    blocksOf(page, readFileSync(join(root, page), 'utf8')),
  );
}

export function blocksOf(page: string, text: string): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (!/^```(sh|bash|console)\s*$/.test(lines[at] ?? '')) continue;
    const end = lines.indexOf('```', at + 1);
    if (end < 0) throw new SyntaxError(`Cannot read ${page}: the block of line ${at + 1} has no end`);
    blocks.push({
      page,
      line: at + 2,
      commands: commandsOf(lines.slice(at + 1, end)),
      notRun: reasonBefore(lines, at),
    });
    at = end;
  }
  return blocks;
}

function commandsOf(lines: readonly string[]): string[] {
  return lines
    .join('\n')
    .replace(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

/** The comment may stand right before the block or one empty line above it. */
function reasonBefore(lines: readonly string[], at: number): string | undefined {
  const before = lines.slice(Math.max(0, at - 2), at).findLast((line) => line.trim() !== '');
  return /^<!-- not run: (.+) -->$/.exec(before ?? '')?.[1];
}

/** The simple commands of a line: `a && b | c; d "$(e)"` has five. */
export function simpleCommands(line: string): string[] {
  const inner = [...line.matchAll(/\$\(([^()]*)\)/g)].flatMap(([, words = '']) => simpleCommands(words));
  const outer = line
    .replace(/\$\([^()]*\)/g, 'X')
    .split(/&&|\|\||[|;]/)
    .map((words) => words.trim())
    .filter((words) => words !== '');
  return [...outer, ...inner];
}
