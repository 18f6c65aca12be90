import { matchesGlob } from 'node:path/posix';
import { groups as table } from '../../test/groups.ts';
import type { Rule } from './rule.ts';

export const groups: Rule = {
  name: 'groups',
  what: 'every test file is run by one group of test/groups.ts',
  check(tree) {
    return tree.paths
      .filter((path) => path.endsWith('.test.ts'))
      .flatMap((path) => {
        const by = table
          .filter(({ files }) => files.some((pattern) => matchesGlob(path, pattern)))
          .map(({ name }) => name);
        if (by.length === 0) return [`${path}: no group runs it`];
        return by.length === 1 ? [] : [`${path}: run twice, by ${by.join(' and ')}`];
      });
  },
};
