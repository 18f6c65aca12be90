/** Workloads of benches: a runtime of sandboxes in a folder, without a node above it, and one program after the other in it. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { WorkloadSpec } from '#runtime';
import { createRuntime, type SandboxRuntime } from '#runtime/sandbox';

const TENANT = 'bench';

export interface Bench extends AsyncDisposable {
  readonly runtime: SandboxRuntime;
  /** A workload of that module, which is not created yet. */
  spec(module: string, args?: readonly string[]): WorkloadSpec;
}

export async function openBench(folder: string): Promise<Bench> {
  const dataDir = join(folder, 'data');
  mkdirSync(dataDir, { recursive: true });
  const runtime = await createRuntime({ dataDir, warm: 1 });
  return {
    runtime,
    spec: (module, args = []) => specOf(dataDir, { module, args }),
    async [Symbol.asyncDispose]() {
      await runtime.release({ tenant: TENANT, isolation: 'tenant' });
      await runtime[Symbol.asyncDispose]();
      // The warm one has no tenant, and nobody comes back to this folder.
      for (const { pid } of runtime.sandboxes()) process.kill(pid, 'SIGKILL');
    },
  };
}

function specOf(dataDir: string, { module, args }: { module: string; args: readonly string[] }): WorkloadSpec {
  const id = { podUid: randomUUID(), container: 'main', attempt: 0 };
  const logPath = join(dataDir, 'tenants', TENANT, 'logs', `${TENANT}_bench_${id.podUid}`, 'main', '0.log');
  mkdirSync(dirname(logPath), { recursive: true });
  return {
    id,
    placement: { tenant: TENANT, isolation: 'tenant' },
    label: `${TENANT}/bench`,
    module: { digest: digestOf(module), path: module },
    entrypoint: '_start',
    args: ['bench', ...args],
    env: [],
    workingDir: '/',
    mounts: [],
    listeners: [],
    // As much of a busy machine as a process that asked for nothing gets, and so as the peers get.
    limits: { cpuShares: 1024 },
    logPath,
    onTerm: 'default',
  };
}

const digests = new Map<string, string>();

function digestOf(path: string): string {
  const known = digests.get(path) ?? `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
  digests.set(path, known);
  return known;
}

/** What the workload printed. */
export function outputOf({ logPath }: WorkloadSpec): string {
  // A line of the container log: time, stream, F or P for a part of a line, and the text.
  return readFileSync(logPath, 'utf8').replaceAll(/^\S+ \S+ (F|P) (.*)\n?/gm, (_, end, text) =>
    end === 'P' ? text : `${text}\n`,
  );
}

/** Runs one to its end and forgets it; rejects if it does not end well. */
export async function runToEnd(runtime: SandboxRuntime, spec: WorkloadSpec): Promise<string> {
  await runtime.create(spec);
  await runtime.start(spec.id);
  const { exit } = await runtime.wait(spec.id);
  await runtime.delete(spec.id);
  if (exit.code !== 0) throw new Error(`The workload ended with ${exit.code} ${exit.reason}: ${exit.message ?? ''}`);
  return outputOf(spec);
}
