import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WasmletError } from '#kit';
import { createWorld, podOf } from './fixture.ts';

describe('a pod', () => {
  it('that finds its sandbox full says so, and tries again until there is room', async () => {
    using world = createWorld();
    const message = "Cannot create workload 'u-1/main/0': its sandbox has 2 already";
    const full = () =>
      world.machine.failures.set(
        'create',
        new WasmletError(message, { code: 'RUNTIME_FULL', retry: 'later', blame: 'system' }),
      );
    full();
    world.api.createPod(podOf());
    await world.run();
    const stateOf = () => world.api.pod('web')?.status?.containerStatuses?.[0]?.state;
    assert.deepEqual(stateOf(), { waiting: { reason: 'CreateContainerError', message } });
    assert.equal(world.api.pod('web')?.status?.phase, 'Pending');
    full();
    await world.run(11_000);
    assert.deepEqual(world.machine.calls, ['create main/0', 'create main/0']);
    assert.equal(stateOf()?.waiting?.message, message);
    await world.run(11_000);
    assert.ok(stateOf()?.running);
    assert.deepEqual(world.machine.violations, []);
  });
});
