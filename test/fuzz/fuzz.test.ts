/** Each fuzzer for its part of 20 seconds, from a fixed seed. */
import { describe, it } from 'node:test';
import { FUZZERS } from './table.ts';

const ALL_MS = 20_000;

describe('fuzzers', () => {
  for (const fuzzer of FUZZERS) {
    it(`${fuzzer.name}: ${fuzzer.summary}`, { timeout: 120_000 }, async (test) => {
      const until = performance.now() + ALL_MS / FUZZERS.length;
      const { runs } = await fuzzer.run({ seed: 1, until, runs: Number.POSITIVE_INFINITY, log: () => {} });
      test.diagnostic(`${runs} runs`);
    });
  }
});
