/** Standalone pods have an IP each, so that several listen on one port. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { apply, eventually, isReady, podOf, remove, steps, until, type World } from '../world.ts';

const PORT = 8080;

export function addressCases(world: () => World): void {
  it('two pods listen on one port, each on its own IP, and answer', async () => {
    const names = ['web-one', 'web-two'];
    for (const name of names) await apply(world(), withPort(world(), name));
    const pods = await Promise.all(names.map((name) => until(world(), name, isReady)));
    const addresses = pods.map(({ status }) => status?.podIP ?? '');
    assert.notEqual(addresses[0], addresses[1]);
    for (const address of addresses) {
      assert.match(address, /^127\.42\./);
      const body = await eventually('an answer', async () =>
        (await fetch(`http://${address}:${PORT}/`).catch(() => undefined))?.text(),
      );
      assert.match(body, /hello/);
    }
    await remove(world(), ...names);
  });

  it('a listening pod that is restarted keeps its address and port', async () => {
    await apply(world(), {
      ...withPort(world(), 'again'),
      spec: { ...withPort(world(), 'again').spec, restartPolicy: 'Always' },
    });
    const before = (await until(world(), 'again', isReady)).status?.podIP ?? '';
    await fetch(`http://${before}:${PORT}/crash`).catch(() => undefined);
    const pod = await until(
      world(),
      'again',
      (seen) => isReady(seen) && (seen.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1,
    );
    assert.equal(pod.status?.podIP, before);
    const body = await eventually('an answer', async () =>
      (await fetch(`http://${before}:${PORT}/`).catch(() => undefined))?.text(),
    );
    assert.match(body, /hello/);
    await remove(world(), 'again');
  });

  it('the address of a deleted pod answers nothing', async () => {
    await apply(world(), withPort(world(), 'gone'));
    const address = (await until(world(), 'gone', isReady)).status?.podIP ?? '';
    await remove(world(), 'gone');
    await assert.rejects(fetch(`http://${address}:${PORT}/`));
  });
}

function withPort(world: World, name: string) {
  const env = [
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  ];
  return podOf(world, name, {
    web: { args: steps(''), image: world.image('hello'), ports: [{ name: 'http', containerPort: PORT }], env },
  });
}
