import { dirname, join } from 'node:path/posix';
import { lineAt, type Tree, withoutComments } from './rule.ts';

export interface Import {
  readonly from: string;
  readonly line: number;
  /** As written. */
  readonly specifier: string;
  /** The file of the tree that is meant; undefined for packages and builtins, and for doors that do not exist. */
  readonly target: string | undefined;
  /** Gone when types are stripped: no code is loaded by it. */
  readonly typeOnly: boolean;
  /** `import()`: loaded when it is reached, not when the file is. */
  readonly lazy: boolean;
}

const STATEMENT = /^[ \t]*(import|export)\b([^'"`;]*?)\bfrom\s*['"]([^'"]+)['"]|^[ \t]*import\s*['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** Every import of a file, static and dynamic, with re-exports. */
export function importsOf(tree: Tree, path: string): Import[] {
  const text = withoutComments(tree.read(path));
  const doors = doorsOf(tree);
  const found: Import[] = [];
  function add(
    specifier: string,
    { at, typeOnly = false, lazy = false }: Omit<Partial<Import>, 'from'> & { at: number },
  ): void {
    const target = targetOf(path, specifier, doors);
    found.push({ from: path, line: lineAt(text, at), specifier, target, typeOnly, lazy });
  }
  for (const match of text.matchAll(STATEMENT)) {
    add(match[3] ?? match[4] ?? '', { at: match.index, typeOnly: /^\s+type\b(?!\s*,)/.test(match[2] ?? '') });
  }
  for (const match of text.matchAll(DYNAMIC)) add(match[1] ?? '', { at: match.index, lazy: true });
  return found;
}

/** The doors of package.json: `#kube` → `src/kube/mod.ts`. */
export function doorsOf(tree: Tree): ReadonlyMap<string, string> {
  const { imports = {} } = JSON.parse(tree.read('package.json') || '{}') as { imports?: Record<string, string> };
  return new Map(Object.entries(imports).map(([door, path]) => [door, path.replace(/^\.\//, '')]));
}

function targetOf(from: string, specifier: string, doors: ReadonlyMap<string, string>): string | undefined {
  if (specifier.startsWith('#')) return doors.get(specifier);
  return specifier.startsWith('.') ? join(dirname(from), specifier) : undefined;
}
