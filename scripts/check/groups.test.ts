import assert from 'node:assert/strict';
import { it } from 'node:test';
import { groups } from './groups.ts';
import { treeOf } from './rule.ts';

it('finds a test file that no group runs', () => {
  const tree = treeOf({ 'src/kit/a.test.ts': '', 'test/nowhere/b.test.ts': '', 'test/nowhere/b.ts': '' });
  assert.deepEqual(groups.check(tree), ['test/nowhere/b.test.ts: no group runs it']);
});
