import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isWasmletError, silentLog } from '#kit';
import { formatKubeconfig } from '#kube';
import type { Node, NodeOptions, PodManager } from '../contract.ts';
import { type FakeApi, startFakeApi } from './fake-api.fixture.ts';
import { startHost } from './host.ts';

let dir: string;
let api: FakeApi;
let did: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wasmlet-'));
  api = await startFakeApi();
  did = [];
  const access = { context: 'test', cluster: { server: api.url }, user: { token: 'secret' } };
  await writeFile(join(dir, 'kubeconfig'), formatKubeconfig(access));
});

afterEach(async () => {
  await api[Symbol.asyncDispose]();
  // What the node that was just ended has under way may put another file there.
  await rm(dir, { recursive: true, maxRetries: 5 });
});

function options(more: Partial<NodeOptions> = {}): NodeOptions {
  return {
    name: 'edge-1',
    hostname: 'edge-1',
    dataDir: join(dir, 'data'),
    access: { kubeconfig: join(dir, 'kubeconfig') },
    mode: 'joined',
    address: '127.0.0.1',
    port: 0,
    healthzPort: 0,
    version: '0.1.0',
    log: silentLog,
    ...more,
  };
}

function start(more: Partial<NodeOptions> = {}): Promise<Node> {
  const pods: PodManager = {
    update: ({ metadata, kind }) => void did.push(`update ${kind} ${metadata?.name}`),
    remove: ({ metadata }) => void did.push(`remove ${metadata?.name}`),
    recover: async () => void did.push('recover'),
    settled: () => void did.push('settled'),
    stop: async ({ guests }) => void did.push(`stop ${guests}`),
    pods: () => [],
    logs: async () => {
      throw new Error('no logs');
    },
    images: async () => [],
  };
  return startHost(options(more), async () => ({ pods, [Symbol.asyncDispose]: async () => void did.push('dispose') }));
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setImmediate(resolve));
}

describe('a node', () => {
  test('takes over first, appears, follows its own pods, and keeps its guests when it stops', async () => {
    api.pods = [{ metadata: { name: 'a', uid: 'a', resourceVersion: '1' } }];
    const node = await start();
    await node.ready();
    await until(() => did.includes('settled') && api.asked.some((call) => call.includes('watch')));
    api.send('ADDED', { metadata: { name: 'b', uid: 'b', resourceVersion: '2' } });
    api.send('DELETED', { metadata: { name: 'a', uid: 'a', resourceVersion: '3' } });
    await until(() => did.includes('remove a') && api.lease !== undefined && api.events.includes('NodeReady'));
    assert.deepEqual(did, ['recover', 'update Pod a', 'settled', 'update Pod b', 'remove a']);
    assert.ok(
      api.asked
        .filter((call) => call.includes('/pods'))
        .every((call) => call.includes('fieldSelector=spec.nodeName%3Dedge-1')),
    );
    assert.equal(api.node?.status?.daemonEndpoints?.kubeletEndpoint?.Port, node.port);
    await node.stop({ guests: 'keep' });
    assert.deepEqual(did.slice(5), ['stop keep', 'dispose']);
    assert.equal(api.node?.status?.conditions?.at(-1)?.status, 'True');
  });

  test('that ends its guests says so before', async () => {
    const node = await start();
    await node.ready();
    await node.stop({ guests: 'end' });
    assert.equal(api.node?.status?.conditions?.at(-1)?.message, 'node is shutting down');
    assert.ok(did.includes('stop end'));
  });

  test('starts while the API server is away, and is ready when it is back', async () => {
    api.away = true;
    const node = await start();
    assert.deepEqual(did, ['recover']);
    await until(() => api.asked.length > 3);
    api.away = false;
    await node.ready();
    await node.stop({ guests: 'keep' });
  });

  test('stops at once while the API server is away', async () => {
    api.away = true;
    const node = await start();
    const ready = assert.rejects(node.ready());
    await node.stop({ guests: 'end' });
    await ready;
  });

  test('has its directory alone, and lets go of it', async () => {
    const node = await start();
    await assert.rejects(start(), (error) => isWasmletError(error, 'NODE_DATA_DIR_IN_USE'));
    await node.stop({ guests: 'keep' });
    await assert.rejects(start({ name: 'edge-2' }), (error) => isWasmletError(error, 'NODE_NAME_TAKEN'));
    const again = await start();
    await again.stop({ guests: 'keep' });
  });

  test('with a wrong option leaves nothing behind', async () => {
    await assert.rejects(start({ address: '0.0.0.0' }), (error) => isWasmletError(error, 'NODE_OPTION_INVALID'));
    await assert.rejects(start({ clientCaFile: join(dir, 'kubeconfig') }), (error) =>
      isWasmletError(error, 'NODE_OPTION_INVALID'),
    );
    const node = await start();
    await node.stop({ guests: 'keep' });
  });
});
