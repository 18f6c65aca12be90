import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One rule of the house, as a small program: what is wrong, one line each, or nothing. */
export interface Rule {
  readonly name: string;
  /** What holds when it passes, for people. */
  readonly what: string;
  check(tree: Tree): readonly string[] | Promise<readonly string[]>;
}

/** The files of the repository, as a rule sees them: those that git has or would take. */
export interface Tree {
  readonly root: string;
  readonly paths: readonly string[];
  read(path: string): string;
}

export function openTree(root: string): Tree {
  const listing = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  // A file that was deleted and not yet committed is still listed.
  const paths = listing.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
  const texts = new Map<string, string>();
  function read(path: string): string {
    const text = texts.get(path) ?? readFileSync(join(root, path), 'utf8');
    texts.set(path, text);
    return text;
  }
  return { root, paths: [...new Set(paths)].sort(), read };
}

/** A tree of a few files, for the tests of the rules. */
export function treeOf(files: Readonly<Record<string, string>>): Tree {
  return { root: '/nowhere', paths: Object.keys(files), read: (path) => files[path] ?? '' };
}

/** TypeScript of ours under a folder, without what a generator wrote. */
export function sources(tree: Tree, ...folders: readonly string[]): string[] {
  return tree.paths.filter(
    (path) =>
      folders.some((folder) => path.startsWith(`${folder}/`)) &&
      /\.(ts|js)$/.test(path) &&
      !/\.generated\.|\/(fixtures|recorded)\//.test(path),
  );
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/');
}

/** Line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The text with comments blanked out, offsets and lines kept. Good enough for our own formatted code, and no parser. */
export function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(
      /(^|[\s;{}(),])\/\/.*$/gm,
      (comment, before: string) => before + ' '.repeat(comment.length - before.length),
    );
}
