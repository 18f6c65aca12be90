import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { stopAtSignal } from './stop-at-signal.ts';

function setting() {
  const source = new EventEmitter();
  const ended: string[] = [];
  const time = { now: 0 };
  const stop = stopAtSignal({ source, clock: { monotonic: () => time.now }, endAtOnce: (name) => ended.push(name) });
  return { source, ended, time, stop };
}

test('a Ctrl-C that comes several times over, through those who started us, asks once for an orderly end', () => {
  const { source, ended, time, stop } = setting();
  for (const at of [0, 1, 40]) {
    time.now = at;
    source.emit('SIGINT');
  }
  assert.equal(stop.signal.aborted, true);
  assert.deepEqual(ended, []);
});

test('a second one, a while later, ends the process at once', () => {
  const { source, ended, time } = setting();
  source.emit('SIGTERM');
  time.now = 1500;
  source.emit('SIGINT');
  assert.deepEqual(ended, ['SIGINT']);
});
