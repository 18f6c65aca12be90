/** 20 seconds of chaos, from a fixed seed: it fixes what is killed and when, not what that meets. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runChaos } from './chaos.ts';

it('loses nothing in 20 seconds of kills', { timeout: 300_000 }, async (test) => {
  const { kills, pods, requests, lost } = await runChaos({ seed: 1, milliseconds: 20_000, log: () => {} });
  test.diagnostic(`${kills} kills, ${pods} pods, ${requests} requests answered`);
  assert.deepEqual(lost, []);
  assert.ok(kills >= 5 && pods >= 20);
});
