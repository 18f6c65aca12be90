/** `wasmlet up` from its start to a Ready node, warm: the data directory and the compiled bundles exist. */
import { join } from 'node:path';
import { type Claim, figure, quantile } from '../claim.ts';
import { wasmlet } from '../process.ts';

const ROUNDS = 7;
const LIMIT_S = 1.5;

export const ready: Claim = {
  name: 'ready',
  summary: '`wasmlet up` from start to Ready, warm',
  async measure({ folder, log }) {
    const dir = join(folder, 'data');
    const seconds: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const start = performance.now();
      await wasmlet(['up', '--detach', '--data-dir', dir]);
      const took = (performance.now() - start) / 1000;
      await wasmlet(['down', '--data-dir', dir]);
      log(`round ${round}: ${took.toFixed(2)} s${round === 0 ? ' (cold, not counted)' : ''}`);
      if (round > 0) seconds.push(took);
    }
    const ours = quantile(seconds, 0.5);
    return [
      figure(
        {
          claim: 'up from start to Ready, warm, median',
          unit: 's',
          ours,
          peerName: 'none',
          target: `at most ${LIMIT_S} s`,
        },
        { atMost: LIMIT_S },
      ),
    ];
  },
};
