import { after, before, describe } from 'node:test';
import { addressCases } from './cases/addresses.ts';
import { endingCases } from './cases/endings.ts';
import { extensionCases } from './cases/extensions.ts';
import { inputCases } from './cases/inputs.ts';
import { lifecycleCases } from './cases/lifecycle.ts';
import { resizeCases } from './cases/resize.ts';
import { scenarioCases } from './cases/scenarios.ts';
import { survivalCases } from './cases/survival.ts';
import { startStandalone } from './standalone.ts';
import type { World } from './world.ts';

describe('pods on a standalone node', () => {
  let world: World;
  before(async () => {
    world = await startStandalone();
  });
  after(() => world?.[Symbol.asyncDispose]());
  lifecycleCases(() => world);
  inputCases(() => world);
  extensionCases(() => world);
  addressCases(() => world);
  resizeCases(() => world);
  scenarioCases(() => world);
  survivalCases(() => world);
  endingCases(() => world, '`wasmlet up` in the foreground');
  endingCases(() => world, '`wasmlet up --detach`');
});
