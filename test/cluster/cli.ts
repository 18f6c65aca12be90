/**
 * `npm run cluster [-- DIR]`: a control plane to try things on by hand. Says where it is, stays until Ctrl-C, and leaves
 * nothing behind but the folder when one was named.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startControlPlane } from './start.ts';

const named = process.argv[2];
const dir = named === undefined ? await mkdtemp(join(tmpdir(), 'wasmlet-cluster-')) : resolve(named);
const cluster = await startControlPlane({ dir });
const enter = cluster.enter.join(' ');
process.stdout.write(`\
A control plane runs in the network namespace ${cluster.namespace.name}.
  server                ${cluster.server}
  kubeconfig            ${cluster.kubeconfig}
  bootstrap kubeconfig  ${cluster.bootstrapKubeconfig}
  logs                  ${cluster.dir}/*.log

Try it:
  ${enter} kubectl --kubeconfig ${cluster.kubeconfig} get namespaces
Join a node:
  ${enter} bin/wasmlet join --bootstrap-kubeconfig ${cluster.bootstrapKubeconfig} --data-dir ${join(dir, 'node')}
Ctrl-C stops it.
`);
const waiting = setInterval(() => {}, 60_000);
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, async () => {
    clearInterval(waiting);
    await cluster.stop();
    if (named === undefined) await rm(dir, { recursive: true, force: true });
    process.stdout.write('\nThe control plane is stopped.\n');
    process.exit(0);
  });
}
