import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groups } from '../groups.ts';
import { steps } from '../setup/mod.ts';
import type { Step } from '../setup/step.ts';
import { announce, planSetup } from './setup.ts';

function step(name: string, more: Partial<Step> & { done?: boolean } = {}): Step {
  return {
    name,
    what: `the ${name}`,
    size: '1 MB',
    minutes: 1,
    present: () => (more.done ? { [name]: 'here' } : undefined),
    install: async () => {},
    ...more,
  };
}

test('what is missing is done after what it needs, light before heavy', () => {
  const table = [
    step('go', { after: ['python'] }),
    step('big', { after: ['go'], heavy: true }),
    step('python'),
    step('apt'),
  ];
  const plan = planSetup(table, ['big', 'apt']);
  assert.deepEqual(
    plan.todo.map(({ name }) => name),
    ['python', 'go', 'apt', 'big'],
  );
});

test('what is there is not asked for what it would need, and gives its variables', () => {
  const plan = planSetup([step('go', { done: true, after: ['python'] }), step('python')], ['go']);
  assert.deepEqual(plan.todo, []);
  assert.deepEqual(plan.variables, { go: 'here' });
  assert.equal(announce(plan), '');
});

test('what cannot be done keeps back what needs it, with the reason', () => {
  const table = [step('go', { after: ['python'] }), step('python', { obstacle: () => 'needs root' })];
  const plan = planSetup(table, ['go']);
  assert.deepEqual(plan.todo, []);
  assert.equal(plan.obstacles.get('go'), 'needs root');
});

test('the announcement says what, how big, how long', () => {
  const words = announce(planSetup([step('go'), step('big', { minutes: 9, size: '400 MB' })], ['go', 'big']));
  assert.match(words, /about 10 minutes in all/);
  assert.match(words, /the big: 400 MB, about 9 min/);
});

test('the tables agree: each group needs steps that exist, and names are used once', () => {
  assert.doesNotThrow(() =>
    planSetup(
      steps,
      groups.flatMap(({ needs }) => needs),
    ),
  );
  for (const names of [groups.map(({ name }) => name), steps.map(({ name }) => name)]) {
    assert.equal(new Set(names).size, names.length);
  }
  for (const { quick, needs } of groups) assert.ok(quick !== true || needs.length === 0);
});
