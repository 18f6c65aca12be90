import { lineAt, type Rule, type Tree, withoutComments } from './rule.ts';

const PAGE = 'docs/errors.md';
const OUTCOMES = 'src/kube/reasons.ts';

interface Code {
  readonly code: string;
  readonly retry: string;
  readonly room: string;
  readonly where: string;
}

export const errors: Rule = {
  name: 'errors',
  what: `the codes of src/**/errors.ts and the rows of ${PAGE} are the same, with the same retry`,
  check(tree) {
    const codes = declared(tree);
    const rows = documented(tree);
    return [...compare(codes, rows), ...twice(codes), ...twice(rows), ...outcomes(tree, codes)];
  },
};

function declared(tree: Tree): Code[] {
  return tree.paths
    .filter((path) => /^src\/.*\berrors\.ts$/.test(path))
    .flatMap((path) => {
      const text = withoutComments(tree.read(path));
      return [...text.matchAll(/^\s*([A-Z][A-Z0-9_]+):\s*\{[^}]*\bretry:\s*'(\w+)'/gm)].map((match) => ({
        code: match[1] ?? '',
        retry: match[2] ?? '',
        room: path.split('/')[1] ?? '',
        where: `${path}:${lineAt(text, match.index + match[0].indexOf(match[1] ?? ''))}`,
      }));
    });
}

function documented(tree: Tree): Code[] {
  let room = '';
  return tree
    .read(PAGE)
    .split('\n')
    .flatMap((line, index) => {
      room = /^## (\S+)/.exec(line)?.[1] ?? room;
      const [, code, retry] = /^\|\s*`([A-Z0-9_]+)`\s*\|\s*`?(\w+)`?/.exec(line) ?? [];
      return code === undefined || retry === undefined ? [] : [{ code, retry, room, where: `${PAGE}:${index + 1}` }];
    });
}

function compare(codes: readonly Code[], rows: readonly Code[]): string[] {
  const problems: string[] = [];
  for (const { code, retry, room, where } of codes) {
    const row = rows.find((one) => one.code === code);
    if (row === undefined) problems.push(`${where}: '${code}' has no row in ${PAGE}, under '## ${room}'`);
    else if (row.room !== room)
      problems.push(`${row.where}: '${code}' stands under '${row.room}', and is declared by '${room}'`);
    // Otherwise its row says what it depends on.
    else if (/^(later|never)$/.test(row.retry) && row.retry !== retry)
      problems.push(`${row.where}: '${code}' is said to be retried '${row.retry}', the code says '${retry}'`);
  }
  for (const { code, where } of rows) {
    if (!codes.some((one) => one.code === code)) problems.push(`${where}: '${code}' is in no errors.ts any more`);
  }
  return problems;
}

function twice(codes: readonly Code[]): string[] {
  return codes
    .filter(({ code }, index) => codes.findIndex((one) => one.code === code) < index)
    .map(({ code, where }) => `${where}: '${code}' is there twice`);
}

/** Every code that src/kube/reasons.ts turns into a reason must exist. */
function outcomes(tree: Tree, codes: readonly Code[]): string[] {
  if (!tree.paths.includes(OUTCOMES)) return [];
  const text = withoutComments(tree.read(OUTCOMES));
  return [...text.matchAll(/^\s*([A-Z][A-Z0-9]*_[A-Z0-9_]+):/gm)]
    .filter(([, code]) => !codes.some((one) => one.code === code))
    .map((match) => `${OUTCOMES}:${lineAt(text, match.index)}: '${match[1]}' is in no errors.ts`);
}
