import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skippedGroup } from './group.ts';
import { failureText, tableOf, timeOf, totalsOf } from './table.ts';

const failure = { name: 'a > b', file: 'src/a.test.ts', error: 'Error: no\n    at x', output: 'words' };
const results = [
  { group: 'unit', passed: 12, failed: 1, skipped: [], failures: [failure], seconds: 61.2, notes: [] },
  { ...skippedGroup('cluster', 'needs root'), notes: ['left behind, killed: sleep 1000'] },
];

test('the table has a line a group, the reasons of skips, and what was left behind', () => {
  assert.deepEqual(
    tableOf(results)
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
    [
      ['group', 'passed', 'failed', 'skipped', 'time'],
      ['unit', '12', '1', '0', '1 min 01 s'],
      ['cluster', '0', '0', '1', '0.0 s'],
      ['skipped: cluster (needs root)'],
      ['cluster: left behind, killed: sleep 1000'],
    ],
  );
  assert.deepEqual(totalsOf(results), { passed: 12, failed: 1, skipped: 1 });
});

test('a failure shows its name, file, error and what was written', () => {
  assert.equal(
    failureText('unit', failure),
    '✖ unit: a > b (src/a.test.ts)\n  Error: no\n      at x\n  what was written there:\n  words',
  );
});

test('times are for people', () => {
  assert.deepEqual(
    [timeOf(0.04), timeOf(59.94), timeOf(60), timeOf(119.6)],
    ['0.0 s', '59.9 s', '1 min 00 s', '2 min 00 s'],
  );
});
