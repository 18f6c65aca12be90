/** Pods whose images are more than plain preview 1: threads, and the POSIX extension with and without its grant. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { apply, logsOf, phase, podOf, remove, statusOf, until, type World } from '../world.ts';

export function extensionCases(world: () => World): void {
  const pod = (name: string, container: { readonly image: string; readonly args: string[] }, capabilities?: string) => {
    const made = podOf(world(), name, { main: container });
    const annotations = capabilities === undefined ? {} : { 'wasmlet.dev/capabilities': capabilities };
    return { ...made, metadata: { ...made.metadata, annotations } };
  };

  it('a module with threads simply runs, in a process of its own', async () => {
    await apply(world(), pod('threads', { image: world().image('threads'), args: [] }));
    const seen = await until(world(), 'threads', phase('Succeeded'));
    assert.equal(statusOf(seen, 'main').state?.terminated?.exitCode, 0);
    assert.equal(await logsOf(world(), 'threads'), 'go\n');
    await remove(world(), 'threads');
  });

  it('a module that asks for the POSIX extension is refused without the grant, and the message says how to grant it', async () => {
    await apply(world(), pod('refused', { image: world().image('posix'), args: [] }));
    const seen = await until(
      world(),
      'refused',
      (found) => found.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    assert.match(statusOf(seen, 'main').state?.waiting?.message ?? '', /wasmlet\.dev\/capabilities: posix/);
    await remove(world(), 'refused');
  });

  it('a module with the grant has the extension, and gets the SIGTERM that it declared', async () => {
    await apply(
      world(),
      pod('granted', { image: world().image('posix'), args: [] }, 'posix'),
      pod('listens', { image: world().image('posix'), args: ['term'] }, 'posix'),
    );
    await until(world(), 'granted', phase('Succeeded'));
    assert.match(await logsOf(world(), 'granted'), /^ids_get 0\n[\s\S]*\nsignal_wait 12\n0::\/\n/);
    await until(world(), 'listens', phase('Running'));
    const following = world().kubectl(['logs', '-f', 'listens']);
    await remove(world(), 'listens', 'granted');
    assert.equal((await following).stdout, 'ready\nsignal 15\n');
  });
}
