import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTasks, type Task } from './schedule.ts';

/** Runs tasks that each give way a few times, and writes down which ran beside which. */
async function record(specs: readonly Partial<Task>[], { signal = new AbortController().signal } = {}) {
  const running = new Set<string>();
  const order: string[] = [];
  const together = new Set<string>();
  const tasks = specs.map(({ name = '', places = 1, after = [] }): Task => {
    async function run(): Promise<void> {
      order.push(name);
      for (const other of running) together.add([other, name].sort().join('+'));
      running.add(name);
      for (let turn = 0; turn < 3; turn++) await Promise.resolve();
      running.delete(name);
    }
    return { name, places, after, run };
  });
  await runTasks(tasks, { signal });
  return { order, together: [...together] };
}

test('two run beside each other, a third waits', async () => {
  const { order, together } = await record([{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
  assert.deepEqual(order, ['a', 'b', 'c']);
  assert.ok(together.includes('a+b') && !together.includes('a+c'));
});

test('one that must be alone is', async () => {
  const { order, together } = await record([{ name: 'a' }, { name: 'alone', places: 2 }, { name: 'b' }]);
  assert.deepEqual(order, ['a', 'b', 'alone']);
  assert.ok(!together.some((pair) => pair.includes('alone')));
});

test('a group waits for its setup while others go on; a step that is not to be done is waited for by nobody', async () => {
  const { order } = await record([
    { name: 'build' },
    { name: 'needs it', after: ['build'] },
    { name: 'free', after: ['there already'] },
  ]);
  assert.deepEqual(order, ['build', 'free', 'needs it']);
});

test('nothing starts after an interrupt', async () => {
  const { order } = await record([{ name: 'a' }], { signal: AbortSignal.abort() });
  assert.deepEqual(order, []);
});

test('needs that go round are an error, not a wait for ever', async () => {
  await assert.rejects(
    record([
      { name: 'a', after: ['b'] },
      { name: 'b', after: ['a'] },
    ]),
    /its needs never end/,
  );
});
