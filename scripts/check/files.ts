import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { lineAt, type Rule, sources } from './rule.ts';

const LONGEST = 400;

export const sizes: Rule = {
  name: 'sizes',
  what: `no file is longer than ${LONGEST} lines, and none is named for nothing in particular`,
  check(tree) {
    return sources(tree, 'src', 'test', 'bench', 'scripts', 'bin').flatMap((path) => {
      const lines = tree.read(path).trimEnd().split('\n').length;
      return [
        ...(lines > LONGEST ? [`${path}: ${lines} lines: cut it by what its parts are about`] : []),
        ...(/\/(utils?|helpers?|common|misc)\.(ts|js)$/.test(path) ? [`${path}: name it for what it does`] : []),
      ];
    });
  },
};

export const lockfile: Rule = {
  name: 'lockfile',
  what: 'package-lock.json records what to install, not from where',
  check(tree) {
    const text = tree.read('package-lock.json');
    return [...text.matchAll(/"resolved"\s*:/g)].map(
      ({ index }) =>
        `package-lock.json:${lineAt(text, index)}: a download address (.npmrc leaves them out: npm install)`,
    );
  },
};

/** Written so that this file is not its own finding. */
const MACHINE = new RegExp(
  ['work(?:space)?s?', 'root', 'home/[a-z]\\w*', 'Users/\\w+']
    .map((top) => `(?<![\\w.$}*~])/${top}/[\\w.-]+`)
    .join('|'),
  'g',
);
const ADDRESSES = new RegExp(
  ['registry\\.npm' + 'js', 'proxy\\.gol' + 'ang', 'pythonho' + 'sted', 'deb\\.deb' + 'ian', 'crates\\.i' + 'o'].join(
    '|',
  ),
  'g',
);

export const anywhere: Rule = {
  name: 'anywhere',
  what: 'nothing in the tree belongs to one machine: no path of it, no download address',
  check(tree) {
    return tree.paths
      .filter(
        (path) =>
          /\.(ts|js|json|md|ya?ml|go|c|sh|mod|toml|service)$|^bin\/|^\.ci\//.test(path) && !path.includes('recorded/'),
      )
      .flatMap((path) => {
        const text = tree.read(path);
        // Tests may speak of somebody's home, as the configuration that they read does.
        const paths = [...text.matchAll(MACHINE)].filter(
          ([found]) => !(path.endsWith('.test.ts') && found.startsWith('/home/')),
        );
        return [...paths, ...text.matchAll(ADDRESSES)].map(
          (match) => `${path}:${lineAt(text, match.index)}: '${match[0]}'`,
        );
      });
  },
};

export const links: Rule = {
  name: 'links',
  what: 'links between the pages lead somewhere',
  check(tree) {
    return tree.paths
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) => {
        const text = tree.read(path);
        return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
          .filter(([, to = '']) => !/^[a-z]+:/.test(to))
          .filter(([, to = '']) => {
            const target = normalize(join(dirname(path), to)).replace(/\/$/, '');
            return (
              !tree.paths.some((one) => one === target || one.startsWith(`${target}/`)) &&
              !existsSync(join(tree.root, target))
            );
          })
          .map((match) => `${path}:${lineAt(text, match.index)}: '${match[1]}' leads nowhere`);
      });
  },
};
