/** Every claim that `npm run bench` can measure. Another one is a file here and a name in this list, and a row in docs/numbers.md. */
import type { Claim } from '../claim.ts';
import { containerStart } from './container-start.ts';
import { cpu } from './cpu.ts';
import { density } from './density.ts';
import { fairness } from './fairness.ts';
import { hostCalls } from './host-calls.ts';
import { idle } from './idle.ts';
import { imageSize } from './image-size.ts';
import { namespaces } from './namespaces.ts';
import { pods } from './pods.ts';
import { ready } from './ready.ts';
import { starts } from './starts.ts';

export const CLAIMS: readonly Claim[] = [
  ready,
  idle,
  pods,
  density,
  starts,
  namespaces,
  fairness,
  hostCalls,
  cpu,
  containerStart,
  imageSize,
];
