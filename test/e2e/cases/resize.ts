/** Resources that change while a pod runs, asked for as a person does it: `kubectl patch --subresource resize`. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Pod } from '#kube/types';
import {
  apply,
  eventsOf,
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

export function resizeCases(world: () => World): void {
  async function ask(name: string, amounts: { readonly cpu: string; readonly memory: string }): Promise<void> {
    const resources = { requests: amounts, limits: amounts };
    const patch = JSON.stringify({ spec: { containers: [{ name: 'main', resources }] } });
    await world().kubectl(['patch', 'pod', name, '--subresource', 'resize', '--patch', patch]);
  }

  const has = (limit: string) => (pod: Pod) => statusOf(pod, 'main').resources?.limits?.['memory'] === limit;

  it('a running pod gets more processor and memory without a restart, and keeps what it uses', async () => {
    const amounts = { cpu: '100m', memory: '32Mi' };
    await apply(
      world(),
      podOf(
        world(),
        'resized',
        {
          main: {
            args: steps('await /shared/go , grow 32 , print grown , await /shared/end'),
            resources: { requests: amounts, limits: amounts },
            volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          },
        },
        { volumes: [{ name: 'shared', emptyDir: {} }] },
      ),
    );
    await until(world(), 'resized', isReady);
    await ask('resized', { cpu: '300m', memory: '96Mi' });
    const larger = await until(world(), 'resized', has('96Mi'));
    assert.deepEqual(statusOf(larger, 'main').allocatedResources, { cpu: '300m', memory: '96Mi' });
    const folder = sharedFolder(larger.metadata?.uid ?? '');
    writeFileSync(join(folder, 'go'), '');
    await eventuallyGrown();
    await ask('resized', { cpu: '300m', memory: '40Mi' });
    const refused = await until(world(), 'resized', (pod) => resizeOf(pod)?.reason === 'Error');
    assert.match(resizeOf(refused)?.message ?? '', /cannot decrease memory limits: .*memory limit \(41943040\) below/);
    assert.ok(has('96Mi')(refused));
    await ask('resized', { cpu: '200m', memory: '128Mi' });
    const done = await until(world(), 'resized', (pod) => has('128Mi')(pod) && resizeOf(pod) === undefined);
    assert.equal(statusOf(done, 'main').restartCount, 0);
    writeFileSync(join(folder, 'end'), '');
    await until(world(), 'resized', phase('Succeeded'));
    const reasons = (await eventsOf(world(), 'resized')).map(({ reason }) => reason);
    for (const reason of ['ResizeStarted', 'ResizeError', 'ResizeCompleted'])
      assert.ok(reasons.includes(reason), reason);
    await remove(world(), 'resized');
  });

  it('a change that the node has no room for waits and says why', async () => {
    const amounts = { cpu: '100m', memory: '32Mi' };
    const main = { args: steps('forever'), resources: { requests: amounts, limits: amounts } };
    await apply(world(), podOf(world(), 'too-large', { main }));
    await until(world(), 'too-large', isReady);
    await ask('too-large', { cpu: '5000', memory: '32Mi' });
    const seen = await until(world(), 'too-large', (pod) => conditionOf(pod, 'PodResizePending') !== undefined);
    assert.equal(conditionOf(seen, 'PodResizePending')?.reason, 'Infeasible');
    assert.ok(isReady(seen));
    await remove(world(), 'too-large');
  });

  async function eventuallyGrown(): Promise<void> {
    for (let tries = 0; !(await logsOf(world(), 'resized')).includes('grown'); tries++) {
      assert.ok(tries < 100, 'the guest did not grow');
    }
  }

  function sharedFolder(uid: string): string {
    const volumes = join(world().dataDir, 'tenants', 'default', 'pods', uid, 'volumes');
    const found = readdirSync(volumes, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith('/shared'));
    assert.ok(found !== undefined, 'the emptyDir is there');
    return join(volumes, found);
  }
}

function conditionOf(pod: Pod, type: string) {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

function resizeOf(pod: Pod) {
  return conditionOf(pod, 'PodResizeInProgress');
}
