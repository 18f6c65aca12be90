/** A node of ours with a number of idle hello pods on it, and what its processes hold of the machine's memory. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { processesWith } from '../test/processes/left-behind.ts';
import { type Burst, type BurstResult, burst } from './burst.ts';
import { compileHello } from './hello.ts';
import { HELLO_IMAGE } from './peers/kubelet.ts';
import { cpuOf, memoryOf, wasmlet } from './process.ts';

export interface Crowd extends AsyncDisposable {
  readonly kubeconfig: string;
  /** Waits until the node has nothing left to do and has given back what the work had left. */
  settle(): Promise<void>;
  processes(): readonly Process[];
  start(options: Pick<Burst, 'count' | 'namespaces' | 'atOnce' | 'limit'>): Promise<BurstResult>;
}

export interface Process {
  readonly pid: number;
  readonly role: 'node' | 'sandbox' | 'other';
  /** MB. */
  readonly pss: number;
  /** Of it, pages of linear memory that guests have touched. */
  readonly linear: number;
  readonly cpuSeconds: number;
}

const SETTLED_MS = 5_000;
/** Enough for the events of thousands of pods to be written. */
const SETTLE_ROUNDS = 60;
/** CPU seconds in one round of a node that has nothing left to do. */
const QUIET_CPU_S = 0.15;

/** With `pods` as the most that the node takes. */
export async function startCrowd(folder: string, { pods }: { pods: number }): Promise<Crowd> {
  const dir = join(folder, 'data');
  const module = await compileHello(folder);
  await wasmlet(['push', '--local', '--data-dir', dir, module, HELLO_IMAGE]);
  await wasmlet(['up', '--detach', '--data-dir', dir, '--max-pods', String(pods)]);
  const kubeconfig = join(dir, 'kubeconfig');
  const processes = () => processesWith(dir).flatMap((pid) => readProcess(pid));
  return {
    kubeconfig,
    processes,
    start: (options) => burst({ kubeconfig, image: HELLO_IMAGE, ...options }),
    async settle() {
      for (let round = 0; round < SETTLE_ROUNDS; round++) {
        const before = sum(processes(), 'cpuSeconds');
        await setTimeout(SETTLED_MS);
        if (sum(processes(), 'cpuSeconds') - before < QUIET_CPU_S) break;
      }
      // What a quiet thread gives back, it gives back after a moment.
      await setTimeout(2 * SETTLED_MS);
    },
    async [Symbol.asyncDispose]() {
      await wasmlet(['down', '--data-dir', dir]);
    },
  };
}

export function sum(processes: readonly Process[], field: 'pss' | 'linear' | 'cpuSeconds', role?: Process['role']) {
  return processes
    .filter((process) => role === undefined || process.role === role)
    .reduce((total, process) => total + process[field], 0);
}

function readProcess(pid: number): Process[] {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    const role = / up /.test(words) ? 'node' : /sandbox/.test(words) ? 'sandbox' : 'other';
    const linear = role === 'sandbox' ? linearMemoryOf(readFileSync(`/proc/${pid}/smaps`, 'utf8')) : 0;
    return [{ pid, role, pss: memoryOf(pid).pss, linear, cpuSeconds: cpuOf(pid) }];
  } catch {
    return []; // Ended meanwhile.
  }
}

/** A linear memory is what can be written at the beginning of a reservation of gigabytes that cannot be touched. */
const RESERVED_KB = 1 << 20;

/** MB of pages touched. Source: proc(5), smaps. */
export function linearMemoryOf(smaps: string): number {
  const maps = smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).map((text) => {
    const [, from = '0', to = '0', rights = ''] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(text) ?? [];
    const kb = Number(/^Rss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
    return { from: Number.parseInt(from, 16), to: Number.parseInt(to, 16), rights, kb };
  });
  let total = 0;
  for (const [at, map] of maps.entries()) {
    const next = maps[at + 1];
    const reserved = next !== undefined && next.from === map.to && next.rights.startsWith('---');
    if (map.rights.startsWith('rw') && reserved && (next.to - next.from) / 1024 >= RESERVED_KB) total += map.kb;
  }
  return total / 1024;
}
