/** What stands on disk when the end of a pod is told or acted on: a node that is killed there must know it when it is back. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Pod, PodSpec } from '#kube/types';
import { isTerminal } from './decide/phase.ts';
import { createWorld, podOf, type World } from './fixture.ts';

const ENDS: Record<string, { spec: Partial<PodSpec>; end: (world: World) => void | Promise<void>; phase: string }> = {
  'that is deleted': { spec: {}, end: ({ api }) => api.deletePod('web'), phase: 'Failed' },
  'past its deadline': { spec: { activeDeadlineSeconds: 60 }, end: (world) => world.run(61_000), phase: 'Failed' },
  'that succeeded': {
    spec: { restartPolicy: 'OnFailure' },
    end: ({ machine }) => machine.exit('u-1', 'main'),
    phase: 'Succeeded',
  },
  'that failed': {
    spec: { restartPolicy: 'Never' },
    end: ({ machine }) => machine.exit('u-1', 'main', { code: 3 }),
    phase: 'Failed',
  },
  'that is refused': { spec: { os: { name: 'windows' } }, end: () => {}, phase: 'Failed' },
};

function checkpointOf(world: World): string {
  return join(world.dataDir, 'node', 'checkpoint', 'u-1.json');
}

function lifecycleOf(text: string): string {
  return text === '' ? 'none' : JSON.parse(text).observed.lifecycle;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A node killed when the checkpoint was `text`: what it did later stays undone. */
async function killedAt(world: World, text: string, options: { readonly listed: boolean }): Promise<void> {
  const { manager } = world;
  const stop = manager.stop.bind(manager);
  manager.stop = async (options) => {
    await stop(options);
    writeFileSync(checkpointOf(world), text);
  };
  await world.restart(options);
  await world.run(60_000);
}

/** Calls `see` with every status as the server stores it, before the node goes on. */
function onStatus(world: World, see: (pod: Pod) => void): void {
  const pass = world.api.onChange;
  world.api.onChange = (pod) => {
    see(pod);
    pass(pod);
  };
}

for (const [which, { spec, end, phase }] of Object.entries(ENDS)) {
  describe(`a pod ${which}`, () => {
    it('is told to have ended when its checkpoint says so, not before', async () => {
      using world = createWorld();
      const told: string[] = [];
      const early: unknown[] = [];
      onStatus(world, ({ status }) => {
        const ended = status?.containerStatuses?.some(({ state }) => state?.terminated !== undefined);
        const on = lifecycleOf(textOf(checkpointOf(world)));
        if (isTerminal(status?.phase)) told.push(on);
        else if (ended && on === 'syncing') early.push(status?.phase);
      });
      world.api.createPod(podOf(spec));
      await world.run();
      await end(world);
      await world.run();
      assert.deepEqual([...new Set(told)], ['terminated']);
      assert.deepEqual(early, []);
    });

    for (const listed of [false, true])
      it(`stays ended when the node is killed as it tells it, ${listed ? 'and hears of it at once' : 'before it hears of it again'}`, async () => {
        using world = createWorld();
        let left: string | undefined;
        onStatus(world, ({ status }) => {
          if (isTerminal(status?.phase)) left ??= textOf(checkpointOf(world));
        });
        world.api.createPod(podOf(spec));
        await world.run();
        // What the runtime knows of it stays too.
        world.machine.failures.set('delete', new Error('not now'));
        await end(world);
        await world.run();
        const starts = () => world.machine.calls.filter((call) => call.startsWith('start'));
        const before = starts();
        await killedAt(world, left ?? '', { listed });
        assert.deepEqual(starts(), before);
        assert.equal(world.api.phases.get('u-1')?.at(-1), phase);
        assert.equal(world.api.phases.get('u-1')?.filter(isTerminal).length, 1);
      });
  });
}

describe('a pod that is being ended', () => {
  for (const [how, end] of Object.entries({
    deleted: ({ api }: World) => api.deletePod('web'),
    'removed by force': ({ api }: World) => api.forceDelete('web'),
  })) {
    it(`(${how}) has no guest started by a node that was killed after the first signal`, async () => {
      using world = createWorld();
      world.api.createPod(podOf());
      await world.run();
      let left: string | undefined;
      world.machine.subscribe(() => {
        left ??= textOf(checkpointOf(world));
      });
      world.machine.failures.set('delete', new Error('not now'));
      end(world);
      await world.run();
      assert.equal(lifecycleOf(left ?? ''), 'terminating');
      await killedAt(world, left ?? '', { listed: false });
      assert.equal(world.machine.running.length, 0);
      assert.equal(world.machine.calls.filter((call) => call.startsWith('start')).length, 1);
    });
  }

  it('ends also when nothing can be written, but is not told to have ended before it can', async () => {
    using world = createWorld();
    world.api.createPod(podOf());
    await world.run();
    // In the way of every checkpoint, for root too.
    const aside = `${checkpointOf(world)}.new`;
    mkdirSync(aside);
    world.api.deletePod('web');
    await world.run();
    assert.equal(world.machine.running.length, 0);
    assert.equal(world.api.pod('web')?.status?.phase, 'Running');
    assert.ok(world.machine.calls.filter((call) => call.startsWith('kill')).length < 3);
    rmdirSync(aside);
    await world.run(11_000);
    assert.equal(world.api.pod('web'), undefined);
    assert.deepEqual(world.api.phases.get('u-1'), ['Pending', 'Running', 'Failed']);
  });
});
