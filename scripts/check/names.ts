import { isTest, lineAt, type Rule, sources, type Tree } from './rule.ts';

const PAGE = 'docs/names.md';
/** Where a name that others read or write may stand. */
const EVERYWHERE = ['src', 'bin', 'test', 'bench', 'scripts', 'deploy', 'examples', 'guests', '.ci'];

interface Kind {
  readonly what: string;
  readonly pattern: RegExp;
  readonly folders: readonly string[];
  readonly tests: boolean;
  /** Pages where it may be explained, besides PAGE. */
  readonly pages?: readonly string[];
  /** The page's names must be in the source as well. */
  readonly both?: boolean;
}

const KINDS: readonly Kind[] = [
  {
    what: 'annotation or label',
    pattern: /\b(?:[a-z0-9-]+\.)?wasmlet\.dev\/[a-zA-Z0-9][\w.-]*/g,
    folders: ['src', 'deploy', 'examples'],
    tests: false,
    both: true,
  },
  {
    what: 'environment variable',
    pattern: /\bWASMLET_[A-Z0-9_]*[A-Z0-9]\b(?!\$|_)/g,
    folders: EVERYWHERE,
    tests: true,
    both: true,
  },
  { what: 'port', pattern: /\b\w*(?:PORT|[pP]ort)\b\s*(?:=|:)\s*(\d{4,5})\b/g, folders: ['src'], tests: false },
  { what: 'metric', pattern: /['"`](wasmlet_[a-z0-9_]*[a-z0-9])\b(?!\$)/g, folders: ['src'], tests: false },
  {
    what: 'path',
    pattern: /['"`](\/(?:var|run|etc|usr|opt)\/[\w./-]*\w)/g,
    folders: ['src'],
    tests: false,
    pages: ['docs/decisions/0004-data-directory.md'],
  },
  { what: 'media type', pattern: /\bapplication\/vnd\.[a-z0-9.+-]*[a-z0-9]/g, folders: ['src'], tests: false },
];

export const names: Rule = {
  name: 'names',
  what: `every name that somebody outside may read or write has its row in ${PAGE}`,
  check(tree) {
    return [...KINDS.flatMap((kind) => [...missing(tree, kind), ...stale(tree, kind)]), ...exitCodes(tree)];
  },
};

function missing(tree: Tree, kind: Kind): string[] {
  const known = [PAGE, ...(kind.pages ?? [])].map((page) => tree.read(page)).join('\n');
  const problems: string[] = [];
  for (const [name, where] of uses(tree, kind)) {
    if (!known.includes(name)) problems.push(`${where}: the ${kind.what} '${name}' has no row in ${PAGE}`);
  }
  return problems;
}

function stale(tree: Tree, kind: Kind): string[] {
  if (kind.both !== true) return [];
  const used = uses(tree, kind);
  const rows = [...tree.read(PAGE).matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = '']) => [
    ...cell.matchAll(kind.pattern),
  ]);
  const built = sources(tree, ...kind.folders).map((path) => tree.read(path));
  return [...new Set(rows.map(([name]) => name))]
    .filter((name) => !used.has(name) && !built.some((text) => isBuilt(text, name)))
    .map((name) => `${PAGE}: the ${kind.what} '${name}' is not in the source any more`);
}

/** Whether the source makes the name by a template: `WASMLET_X_${word}`. */
function isBuilt(text: string, name: string): boolean {
  const stems = [...text.matchAll(/\b(WASMLET_[A-Z0-9_]+|wasmlet\.dev\/[\w.-]*)\$\{/g)].map(([, stem = '']) => stem);
  return stems.some((stem) => name.startsWith(stem));
}

/** Each name with the first place where it stands. */
function uses(tree: Tree, { pattern, folders, tests }: Kind): Map<string, string> {
  const found = new Map<string, string>();
  const others = tree.paths.filter((path) => /\.ya?ml$|^bin\/|^\.ci\//.test(path) && !path.includes('/fixtures/'));
  const paths = [
    ...sources(tree, ...folders),
    ...others.filter((path) => folders.some((top) => path.startsWith(`${top}/`))),
  ];
  for (const path of new Set(paths)) {
    // The rules' own tests are made of names that do not exist.
    if ((!tests && isTest(path)) || path.startsWith('scripts/check/')) continue;
    const text = tree.read(path);
    for (const match of text.matchAll(pattern)) {
      const name = match[1] ?? match[0];
      if (!found.has(name)) found.set(name, `${path}:${lineAt(text, match.index)}`);
    }
  }
  return found;
}

/** The exit codes of src/cli/exit.ts: `EXIT = { done: 0, … }`. */
function exitCodes(tree: Tree): string[] {
  const path = 'src/cli/exit.ts';
  if (!tree.paths.includes(path)) return [];
  const table = /EXIT = \{([^}]*)\}/.exec(tree.read(path))?.[1] ?? '';
  const page = tree.read(PAGE);
  return [...table.matchAll(/(\w+): (\d+)/g)]
    .filter(([, , code]) => !new RegExp(`^\\| ${code} \\|`, 'm').test(page))
    .map(([, word, code]) => `${path}: the exit code ${code} (${word}) has no row in ${PAGE}`);
}
