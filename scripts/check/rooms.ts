import { type Import, importsOf } from './imports.ts';
import { isTest, type Rule, sources, type Tree } from './rule.ts';

/** docs/decisions/0001-rooms.md. */
const FLOORS: Readonly<Record<string, number>> = {
  ...{ kit: 0 },
  ...{ kube: 1, oci: 1, runtime: 1 },
  ...{ node: 2, apiserver: 2, shim: 2 },
  ...{ platform: 3, cli: 3, web: 3 },
};

export const rooms: Rule = {
  name: 'rooms',
  what: 'a file imports from its own room, or by its door from a room on a lower floor',
  check(tree) {
    return sources(tree, 'src').flatMap((path) =>
      importsOf(tree, path).flatMap((found) => {
        const wrong = wrongWith(found);
        return wrong === undefined ? [] : [`${path}:${found.line}: '${found.specifier}': ${wrong}`];
      }),
    );
  },
};

export const doors: Rule = {
  name: 'doors',
  what: 'the code outside src enters a room by its door, where it has one',
  check(tree) {
    return sources(tree, 'test', 'bench', 'scripts').flatMap((path) =>
      importsOf(tree, path)
        .filter(
          ({ specifier, target }) => specifier.startsWith('.') && target?.startsWith('src/') && !isDoor(target, tree),
        )
        .map(({ specifier, line }) => `${path}:${line}: '${specifier}': enter the room by its door`),
    );
  },
};

export const cycles: Rule = {
  name: 'cycles',
  what: 'no file is loaded by way of itself',
  check(tree) {
    const paths = sources(tree, 'src', 'test', 'bench', 'scripts');
    const graph = new Map(
      paths.map((path) => [
        path,
        importsOf(tree, path).flatMap(({ target, typeOnly, lazy }) =>
          target === undefined || typeOnly || lazy ? [] : [target],
        ),
      ]),
    );
    return cyclesIn(graph).map((cycle) => cycle.join(' → '));
  },
};

function wrongWith({ from, specifier, target }: Import): string | undefined {
  const room = roomOf(from);
  if (room === undefined) return 'a file of no room';
  if (specifier.startsWith('#') && target === undefined) return 'package.json has no such door';
  if (target === undefined) return isTest(from) ? undefined : wrongPackage(specifier);
  const other = roomOf(target);
  if (other === room) return undefined;
  if (!specifier.startsWith('#')) return 'leaves its room by a path: another room is entered by its door';
  if (other === undefined) return 'leads out of src';
  const [own, theirs] = [FLOORS[room] ?? 0, FLOORS[other] ?? 0];
  if (theirs === own) return `'${other}' is a neighbour of '${room}' on floor ${own}`;
  return theirs > own ? `'${other}' is on floor ${theirs}, above '${room}' on floor ${own}` : undefined;
}

function wrongPackage(specifier: string): string | undefined {
  return /^(fs|path|os|net|http|https|crypto|child_process|url|util|stream|events)(\/|$)/.test(specifier)
    ? 'write it with node: before it'
    : undefined;
}

function roomOf(path: string): string | undefined {
  const [top, room] = path.split('/');
  return top === 'src' && room !== undefined && room in FLOORS ? room : undefined;
}

/** A room that nobody else may enter (the top floor) has no door: what is outside may look in. */
function isDoor(target: string, tree: Tree): boolean {
  if (!tree.paths.includes(`src/${roomOf(target)}/mod.ts`)) return true;
  return (
    target.endsWith('/mod.ts') || target.endsWith('/main.ts') || tree.read('package.json').includes(`"./${target}"`)
  );
}

/** One cycle for each group of files that load each other, by depth-first search. */
function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const done = new Set<string>();
  const found: string[][] = [];
  function visit(path: string, trail: readonly string[]): void {
    const at = trail.indexOf(path);
    if (at >= 0) return void found.push([...trail.slice(at), path]);
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  }
  for (const path of graph.keys()) visit(path, []);
  return found;
}
