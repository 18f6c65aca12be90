import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocksOf, simpleCommands } from './blocks.ts';

test('blocks have their commands, without comments, and the reason not to run them', () => {
  const text =
    'x\n```sh\na --b   # c\n\nd \\\n  e\n```\n<!-- not run: no cluster -->\n\n```sh\nf\n```\n```yaml\ng: h\n```\n';
  assert.deepEqual(blocksOf('p.md', text), [
    { page: 'p.md', line: 3, commands: ['a --b', 'd e'], notRun: undefined },
    { page: 'p.md', line: 11, commands: ['f'], notRun: 'no cluster' },
  ]);
});

test('a block without an end is an error', () => {
  assert.throws(() => blocksOf('p.md', '```sh\na\n'), /line 1 has no end/);
});

test('a line is cut into its commands', () => {
  assert.deepEqual(simpleCommands('a && b | c; d "$(e -f)"'), ['a', 'b', 'c', 'd "X"', 'e -f']);
});
