/** A standalone node with images in it, and what can be done to its processes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holderOf, type SandboxProcess, sandboxesOf } from '../../src/cli/node-process.ts';
import { connectByKubeconfig, type KubeClient, PODS } from '../../src/kube/mod.ts';
import { nodeProcess, WASMLET } from '../e2e/node-process.ts';
import type { NodeProcess } from '../e2e/world.ts';
import { eventually } from '../e2e/world.ts';
import { run } from '../processes/command.ts';
import { leaveNothing, processesWith } from '../processes/left-behind.ts';

const scripted = join(import.meta.dirname, '..', '..', 'guests', 'scripted', 'scripted.wasm');
/** The same guest with other digests, so that admission has something to look at. */
const IMAGES = 6;

export interface ChaosWorld extends AsyncDisposable {
  readonly dataDir: string;
  readonly node: NodeProcess;
  readonly images: readonly string[];
  /** A client whose calls end when the node does not answer. */
  api<T>(call: (client: KubeClient, signal: AbortSignal) => Promise<T>): Promise<T | undefined>;
  sandboxes(): readonly SandboxProcess[];
  admission(): number | undefined;
  /** Processes that have the data directory in their command line. */
  processes(): readonly number[];
  down(): Promise<void>;
}

export async function startWorld(): Promise<ChaosWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-chaos-'));
  const interrupted = leaveNothing(folder);
  const dataDir = join(folder, 'data');
  const images = await pushAll(folder, dataDir);
  const kubeconfig = join(dataDir, 'kubeconfig');
  let client: KubeClient | undefined;
  async function api<T>(call: (client: KubeClient, signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      client ??= await connectByKubeconfig(kubeconfig);
      return await call(client, AbortSignal.timeout(4000));
    } catch (error) {
      if (!isAway(error)) throw error;
      return undefined;
    }
  }
  async function ready(): Promise<void> {
    await eventually('the API', () => api((one, signal) => one.list(PODS, { signal, limit: 1 })));
  }
  const node = nodeProcess({ args: ['up', '--data-dir', dataDir], dataDir, log: join(folder, 'node.log'), ready });
  async function down(): Promise<void> {
    await node.end('SIGTERM');
    await run([process.execPath, WASMLET, 'down', '--data-dir', dataDir], { accept: 'any' });
  }
  await node.start();
  return {
    dataDir,
    node,
    images,
    api,
    down,
    sandboxes: () => sandboxesOf(dataDir),
    admission: () => admissionOf(holderOf(dataDir)),
    processes: () => processesWith(dataDir),
    async [Symbol.asyncDispose]() {
      await down();
      interrupted[Symbol.dispose]();
      await client?.[Symbol.asyncDispose]();
      if (process.env['WASMLET_TEST_KEEP'] !== '1') rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The first: before its first start has written the kubeconfig. */
const AWAY: ReadonlySet<string> = new Set([
  'KUBE_CONFIG_UNREADABLE',
  'KUBE_UNREACHABLE',
  'KUBE_BAD_RESPONSE',
  'TimeoutError',
  'AbortError',
]);

/** The server is away, or did not answer in time: it is asked again. */
function isAway(error: unknown): boolean {
  const { code = '', name = '' } = error as { code?: string; name?: string };
  return AWAY.has(code) || AWAY.has(name);
}

async function pushAll(folder: string, dataDir: string): Promise<string[]> {
  const images: string[] = [];
  for (let i = 0; i < IMAGES; i++) {
    const file = join(folder, `m${i}.wasm`);
    writeFileSync(file, Buffer.concat([readFileSync(scripted), Buffer.from([0, 3, 1, 0x78, i])]));
    images.push(`example.invalid/chaos/m${i}:v1`);
    await run([process.execPath, WASMLET, 'push', '--local', '--data-dir', dataDir, file, images[i] ?? '']);
  }
  return images;
}

function admissionOf(node: number | undefined): number | undefined {
  if (node === undefined) return undefined;
  try {
    const children = readFileSync(`/proc/${node}/task/${node}/children`, 'utf8').trim().split(' ').map(Number);
    return children.find((pid) => /module\/main|admission\.js/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')));
  } catch {
    return undefined;
  }
}
