/** What ends guests and what does not: docs/what-ends-guests.md, one case a cell. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  apply,
  eventually,
  isReady,
  logsOf,
  phase,
  podOf,
  remove,
  statusOf,
  steps,
  until,
  type World,
} from '../world.ts';

export function survivalCases(world: () => World): void {
  it('kill -9 of the node: the guest goes on, nothing restarts, no line is lost', async () => {
    await apply(world(), podOf(world(), 'survivor', { main: steps('tick 100') }));
    await until(world(), 'survivor', isReady);
    await eventually('its first lines', async () =>
      (await logsOf(world(), 'survivor')).includes('tick 2') ? true : undefined,
    );
    await world().node.end('SIGKILL');
    await world().node.start();
    const pod = await until(world(), 'survivor', isReady);
    assert.equal(statusOf(pod, 'main').restartCount, 0);
    const before = lastTick(await logsOf(world(), 'survivor'));
    await eventually('later lines', async () =>
      lastTick(await logsOf(world(), 'survivor')) > before ? true : undefined,
    );
    const ticks = ticksOf(await logsOf(world(), 'survivor'));
    assert.deepEqual(
      ticks,
      ticks.map((_, at) => at + (ticks[0] ?? 0)),
      'no tick is missing',
    );
    await remove(world(), 'survivor');
  });

  it('an exit while the node is away is reported when it is back', async () => {
    await apply(world(), podOf(world(), 'meanwhile', { main: steps('print started , sleep 3000 , exit 7') }));
    await until(world(), 'meanwhile', isReady);
    await world().node.end('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 3500));
    await world().node.start();
    const pod = await until(world(), 'meanwhile', phase('Failed'));
    assert.equal(statusOf(pod, 'main').state?.terminated?.exitCode, 7);
    assert.equal(statusOf(pod, 'main').restartCount, 0);
    await remove(world(), 'meanwhile');
  });

  it('restart counts, back-off and lastState survive the node', async () => {
    await apply(world(), podOf(world(), 'counted', { main: steps('exit 1') }, { restartPolicy: 'Always' }));
    const pod = await until(
      world(),
      'counted',
      (seen) => (seen.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1,
    );
    const before = statusOf(pod, 'main').restartCount;
    await world().node.end('SIGKILL');
    await world().node.start();
    const after = await until(
      world(),
      'counted',
      (seen) => (seen.status?.containerStatuses?.[0]?.restartCount ?? 0) > before,
      { seconds: 60 },
    );
    assert.equal(statusOf(after, 'main').restartCount, before + 1);
    await remove(world(), 'counted');
  });

  it('a guest that never calls the host leaves its neighbour alone, and can be deleted', async () => {
    await apply(world(), podOf(world(), 'neighbour', { main: steps('forever') }));
    await until(world(), 'neighbour', isReady);
    await apply(world(), podOf(world(), 'spinner', { main: steps('print spinning , loop') }));
    await eventually('it spins', async () => {
      const { stdout } = await world().kubectl(['logs', 'spinner'], { accept: 'any' });
      return stdout.includes('spinning') ? true : undefined;
    });
    await world().kubectl(['delete', 'pod', 'spinner', '--grace-period=1', '--wait=true', '--timeout=30s']);
    await apply(world(), podOf(world(), 'next', { main: steps('print x') }));
    await until(world(), 'next', phase('Succeeded'));
    const neighbour = await until(world(), 'neighbour', isReady);
    assert.equal(statusOf(neighbour, 'main').restartCount, 0);
    await remove(world(), 'next');
    await remove(world(), 'neighbour');
  });

  it('a pod that was force-deleted while the node was away is ended when it is back', async () => {
    await apply(world(), podOf(world(), 'orphan', { main: steps('forever') }));
    const { metadata } = await until(world(), 'orphan', isReady);
    await world().node.end('SIGKILL');
    if (world().kind === 'standalone') await world().node.start();
    await world().kubectl(['delete', 'pod', 'orphan', '--force', '--grace-period=0', '--wait=false']);
    if (world().kind === 'cluster') await world().node.start();
    const { existsSync } = await import('node:fs');
    const { join } = await import('node:path');
    const folder = join(world().dataDir, 'tenants', 'default', 'pods', metadata?.uid ?? '');
    await eventually('its folder gone', async () => (existsSync(folder) ? undefined : true));
    const { code } = await world().kubectl(['get', 'pod', 'orphan'], { accept: 'any' });
    assert.notEqual(code, 0);
  });

  it('SIGTERM of the node process ends guests in standalone mode only', async () => {
    await apply(world(), podOf(world(), 'ended', { main: steps('forever') }, { restartPolicy: 'Always' }));
    const before = statusOf(await until(world(), 'ended', isReady), 'main');
    await world().node.end('SIGTERM');
    await world().node.start();
    const after = statusOf(
      await until(
        world(),
        'ended',
        (pod) => isReady(pod) && (world().kind === 'cluster' || pod.status?.containerStatuses?.[0]?.restartCount !== 0),
      ),
      'main',
    );
    assert.equal(after.restartCount, world().kind === 'cluster' ? before.restartCount : before.restartCount + 1);
    assert.equal(after.containerID === before.containerID, world().kind === 'cluster');
    await remove(world(), 'ended');
    assert.equal((await world().kubectl(['get', 'pod', 'ended'], { accept: 'any' })).code, 1);
  });
}

function ticksOf(logs: string): number[] {
  return [...logs.matchAll(/^tick (\d+)$/gm)].map(([, count]) => Number(count));
}

function lastTick(logs: string): number {
  return ticksOf(logs).at(-1) ?? -1;
}
