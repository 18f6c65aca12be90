/** Workloads of the scripted guest, for suites and tests: what it does stands in its arguments (guests/scripted). */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkloadSpec } from './contract.ts';

export const SCRIPTED = fileURLToPath(new URL('../../guests/scripted/scripted.wasm', import.meta.url));

export interface Place extends AsyncDisposable {
  readonly dataDir: string;
}

export function makePlace(): Place {
  const dataDir = mkdtempSync(join(tmpdir(), 'wasmlet-runtime-'));
  return { dataDir, [Symbol.asyncDispose]: async () => rmSync(dataDir, { recursive: true, force: true }) };
}

export type SpecPatch = Partial<WorkloadSpec> & { readonly tenant?: string };

/** `steps` are one line: `print hello , sleep 10 , exit 3`. */
export function scripted(dataDir: string, steps: string, { tenant = 'blue', ...patch }: SpecPatch = {}): WorkloadSpec {
  const id = patch.id ?? { podUid: randomUUID(), container: 'main', attempt: 0 };
  return {
    id,
    placement: { tenant, isolation: 'tenant' },
    label: `${tenant}/scripted`,
    module: { digest: 'sha256:5c', path: SCRIPTED },
    entrypoint: '_start',
    args: ['scripted', ...steps.split(' ').filter((word) => word !== '')],
    env: [],
    workingDir: '/',
    mounts: [],
    listeners: [],
    limits: {},
    logPath: join(
      dataDir,
      'tenants',
      tenant,
      'logs',
      `${tenant}_scripted_${id.podUid}`,
      id.container,
      `${id.attempt}.log`,
    ),
    onTerm: 'default',
    ...patch,
  };
}

/** A folder of the pod below its tenant's root, as volumes are. */
export function podFolder(dataDir: string, { id, placement }: WorkloadSpec, name: string): string {
  const path = join(dataDir, 'tenants', placement.tenant, 'pods', id.podUid, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** The log's lines without their times: `stdout F hello`. */
export function logLines({ logPath }: WorkloadSpec): string[] {
  const lines = readFileSync(logPath, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => line.slice(line.indexOf(' ') + 1));
}

/** Resolves when the log has a line that ends so. */
export async function logged(spec: WorkloadSpec, end: string): Promise<void> {
  for (;;) {
    try {
      if (logLines(spec).some((line) => line.endsWith(end))) return;
    } catch {
      // Not made yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
