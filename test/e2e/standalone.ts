/** The standalone world: `wasmlet up` on a folder of its own, a real registry beside it, stock kubectl. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../processes/command.ts';
import { startRegistry } from '../registry/start.ts';
import { pushGuests } from './guests.ts';
import { nodeProcess, WASMLET } from './node-process.ts';
import { eventually, type World } from './world.ts';

const KUBECTL = process.env['WASMLET_TEST_KUBECTL_135'] ?? 'kubectl';

export async function startStandalone(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-e2e-'));
  const dataDir = join(folder, 'data');
  const kubeconfig = join(dataDir, 'kubeconfig');
  const registry = await startRegistry();
  const images = await pushGuests(registry.host);
  const kubectl: World['kubectl'] = (args, options) => run([KUBECTL, `--kubeconfig=${kubeconfig}`, ...args], options);
  async function ready(): Promise<void> {
    await eventually('a Ready node', async () => {
      if (!existsSync(kubeconfig)) return undefined;
      const { code } = await kubectl(['wait', '--for=condition=Ready', 'node', '--all', '--timeout=5s'], {
        accept: 'any',
      });
      return code === 0 ? true : undefined;
    });
  }
  const node = nodeProcess({
    args: ['up', '--data-dir', dataDir, '--log-level', 'debug'],
    dataDir,
    log: join(folder, 'node.log'),
    ready,
  });
  async function dispose(): Promise<void> {
    await node.end('SIGTERM');
    await run([process.execPath, WASMLET, 'down', '--data-dir', dataDir], { accept: 'any' });
    await registry.stop();
    if (process.env['WASMLET_TEST_KEEP'] !== '1') rmSync(folder, { recursive: true, force: true });
  }
  const world: World = {
    kind: 'standalone',
    dataDir,
    kubeconfig,
    registry: registry.host,
    image: (name) => images[name],
    kubectl,
    node,
    [Symbol.asyncDispose]: dispose,
  };
  try {
    await node.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return world;
}
