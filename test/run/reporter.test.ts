import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { type Report, report } from './reporter.ts';

async function reportOf(...events: [type: string, data: object][]): Promise<Report> {
  async function* source(): AsyncGenerator<TestEvent> {
    for (const [type, data] of events)
      yield { type, data: { nesting: 0, file: 'src/a.test.ts', ...data } } as TestEvent;
  }
  let text = '';
  for await (const part of report(source())) text += part;
  return JSON.parse(text);
}

const boom = Object.assign(new Error('outer'), { failureType: 'testCodeFailure', cause: 'boom' });

test('passed tests count, suites do not', async () => {
  const found = await reportOf(
    ['test:pass', { name: 'a', details: {} }],
    ['test:pass', { name: 'suite', details: { type: 'suite' } }],
  );
  assert.deepEqual([found.passed, found.failed, found.skipped], [1, 0, []]);
});

test('a failure has its whole name, and what its file wrote, also when that comes late', async () => {
  const found = await reportOf(
    ['test:start', { name: 'suite' }],
    ['test:start', { name: 'case', nesting: 1 }],
    ['test:fail', { name: 'case', nesting: 1, details: { error: boom } }],
    ['test:fail', { name: 'suite', details: { type: 'suite', error: { failureType: 'subtestsFailed' } } }],
    ['test:stdout', { message: 'words' }],
  );
  assert.deepEqual(found.failures, [{ name: 'suite > case', file: 'src/a.test.ts', error: 'boom', output: 'words' }]);
});

test('a skip keeps its reason; an expected failure is none', async () => {
  const found = await reportOf(
    ['test:pass', { name: 'a', skip: 'no such machine', details: {} }],
    ['test:pass', { name: 'b', skip: true, details: {} }],
    ['test:fail', { name: 'c', todo: 'later', details: { error: boom } }],
  );
  assert.deepEqual(found.skipped, [
    { name: 'a', reason: 'no such machine' },
    { name: 'b', reason: 'no reason given' },
  ]);
  assert.equal(found.failed, 0);
});
