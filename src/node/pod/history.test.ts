/**
 * Generated histories: exits, deletions, restarts of the node, power cuts, an API server that goes away, in any order.
 * Whatever happens, these hold: never two instances of a container, never a phase that goes back, never a restart that the
 * policy forbids, and a deleted pod comes to its end. A failing seed is printed and can be run again alone.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodSpec } from '#kube/types';
import { createWorld, podOf, type World } from './fixture.ts';

const SEEDS = 40;
const STEPS = 14;
const RANK: Readonly<Record<string, number>> = { Pending: 0, Running: 1, Succeeded: 2, Failed: 2 };

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Step = (world: World, random: () => number) => Promise<void> | void;

const names = ['main', 'side', 'init'];
const STEP: Readonly<Record<string, Step>> = {
  exit: ({ machine }, random) =>
    machine.exit('u-1', names[Math.floor(random() * 3)] ?? 'main', { code: random() < 0.5 ? 0 : 1 }),
  exitAll: ({ machine }, random) => {
    for (const name of names) machine.exit('u-1', name, { code: random() < 0.5 ? 0 : 7 });
  },
  time: (world, random) => world.run(Math.floor(random() * 30_000)),
  restart: (world) => world.restart(),
  powerCut: async (world) => {
    world.machine.powerCut();
    await world.restart();
  },
  away: ({ api }) => {
    api.away = !api.away;
  },
  createFails: ({ machine }) => void machine.failures.set('create', new Error('no room')),
  startFails: ({ machine }) => void machine.failures.set('start', new Error('no start')),
  killFails: ({ machine }) => void machine.failures.set('kill', new Error('no kill')),
  deleteFails: ({ machine }) => void machine.failures.set('delete', new Error('no delete')),
  stubborn: ({ machine }) => {
    machine.onTerm = machine.onTerm === 'end' ? 'ignore' : 'end';
  },
  deletePod: ({ api }, random) => {
    if (random() < 0.3) api.deletePod('web', Math.floor(random() * 40));
  },
};

function specOf(random: () => number): Partial<PodSpec> {
  const restartPolicy = ['Always', 'OnFailure', 'Never'][Math.floor(random() * 3)] ?? 'Always';
  const containers = [{ name: 'main', image: 'a' }, ...(random() < 0.5 ? [{ name: 'side', image: 'b' }] : [])];
  const init =
    random() < 0.4 ? [{ name: 'init', image: 'i', ...(random() < 0.5 ? { restartPolicy: 'Always' } : {}) }] : [];
  return { restartPolicy, containers, ...(init.length === 0 ? {} : { initContainers: init }) };
}

async function history(seed: number): Promise<string[]> {
  const random = randomOf(seed);
  using world = createWorld();
  const spec = specOf(random);
  const done: string[] = [JSON.stringify(spec)];
  try {
    world.api.createPod(podOf(spec));
    await world.run();
    for (let at = 0; at < STEPS; at++) {
      const name = Object.keys(STEP)[Math.floor(random() * Object.keys(STEP).length)] ?? 'time';
      done.push(name);
      await STEP[name]?.(world, random);
      await world.run();
      check(world, spec);
    }
    await end(world);
    check(world, spec);
  } catch (error) {
    throw new Error(`seed ${seed}: ${done.join(' ')}`, { cause: error });
  }
  return done;
}

/** However the history went, a deletion ends it. */
async function end(world: World): Promise<void> {
  world.api.away = false;
  world.machine.failures.clear();
  world.api.deletePod('web', 5);
  await world.run(90_000);
  assert.equal(world.api.pod('web'), undefined, 'the pod is gone from the API');
  assert.equal(world.machine.running.length, 0, 'nothing runs');
  assert.equal(world.manager.pods().length, 0, 'the node knows no pod');
}

function check({ api, machine }: World, { restartPolicy, initContainers = [] }: Partial<PodSpec>): void {
  assert.deepEqual(machine.violations, []);
  const ranks = (api.phases.get('u-1') ?? []).map((phase) => RANK[phase] ?? -1);
  assert.deepEqual(ranks, ranks.toSorted(), `phases ${api.phases.get('u-1')?.join(' ')}`);
  if (restartPolicy !== 'Never') return;
  const sidecars = initContainers.filter((container) => container.restartPolicy === 'Always').map(({ name }) => name);
  const again = machine.calls.filter(
    (call) => /^start \w+\/[1-9]/.test(call) && !sidecars.some((name) => call.includes(` ${name}/`)),
  );
  assert.deepEqual(again, [], 'Never means never');
}

describe('whatever happens to a pod', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`history ${seed}`, async () => {
      assert.ok((await history(seed)).length > STEPS);
    });
  }
});
