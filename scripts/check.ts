/**
 * `npm run check`: the one gate before the tests. Types, lint and format, and the rules of the house, each a small file
 * in check/ with a test that shows it can fail. `npm run check -- rooms names` runs some of them.
 */
import { fileURLToPath } from 'node:url';
import { errors } from './check/errors.ts';
import { anywhere, links, lockfile, sizes } from './check/files.ts';
import { groups } from './check/groups.ts';
import { names } from './check/names.ts';
import { cycles, doors, rooms } from './check/rooms.ts';
import { openTree, type Rule } from './check/rule.ts';
import { lint, types } from './check/tools.ts';

const rules: readonly Rule[] = [
  rooms,
  doors,
  cycles,
  names,
  errors,
  groups,
  sizes,
  lockfile,
  anywhere,
  links,
  types,
  lint,
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !rules.some((rule) => rule.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `Cannot check '${unknown.join(' ')}': the rules are ${rules.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
const tree = openTree(fileURLToPath(new URL('..', import.meta.url)));
const chosen = rules.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const found = await Promise.all(chosen.map(async (rule) => ({ rule, problems: await rule.check(tree) })));
for (const { rule, problems } of found) {
  process.stdout.write(`${problems.length === 0 ? '✔' : '✖'} ${rule.name}: ${rule.what}\n`);
  for (const problem of problems) process.stdout.write(`${problem.replace(/^/gm, '    ')}\n`);
}
const failed = found.filter(({ problems }) => problems.length > 0).length;
process.stdout.write(`\n${found.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
