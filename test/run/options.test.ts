import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Group } from '../groups.ts';
import { parseOptions, select } from './options.ts';

const KNOWN = ['unit', 'cluster'];
const GROUPS: readonly Group[] = [
  { name: 'unit', what: '', needs: [], files: ['src/**/*.test.ts'], quick: true, limitMinutes: 1 },
  { name: 'cluster', what: '', needs: ['binary'], files: ['test/cluster/**/*.test.ts'], limitMinutes: 1 },
  { name: 'later', what: '', needs: [], files: ['test/later/**/*.test.ts'], limitMinutes: 1 },
];

function glob(pattern: string): string[] {
  return (
    { 'src/**/*.test.ts': ['src/b.test.ts', 'src/a.test.ts'], 'test/cluster/**/*.test.ts': ['test/cluster/x.test.ts'] }[
      pattern
    ] ?? []
  );
}

function selected(...argv: string[]): Record<string, readonly string[]> {
  const found = select(GROUPS, { options: parseOptions(argv, [...KNOWN, 'later']), glob });
  return Object.fromEntries(found.map(({ name, found: files }) => [name, files]));
}

test('without words every group that has files runs, in order', () => {
  assert.deepEqual(selected(), {
    unit: ['src/a.test.ts', 'src/b.test.ts'],
    cluster: ['test/cluster/x.test.ts'],
  });
});

test('--quick takes the quick groups; a name takes that group; a file runs alone in its group', () => {
  assert.deepEqual(Object.keys(selected('--quick')), ['unit']);
  assert.deepEqual(Object.keys(selected('cluster')), ['cluster']);
  assert.deepEqual(selected('src/kit/one.test.ts'), { unit: ['src/kit/one.test.ts'] });
  assert.deepEqual(selected('later'), {});
});

test('what follows -- is for node', () => {
  const options = parseOptions(['unit', '--', '--test-name-pattern=x'], KNOWN);
  assert.deepEqual([options.names, options.runnerArguments], [['unit'], ['--test-name-pattern=x']]);
});

test('what is not understood is said, and never taken for something else', () => {
  assert.throws(() => parseOptions(['--quik'], KNOWN), /Cannot understand '--quik'/);
  assert.throws(() => parseOptions(['clster'], KNOWN), /Cannot find the group 'clster': there are unit, cluster/);
});
