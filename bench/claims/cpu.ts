/**
 * Programs that only compute, in a sandbox as pods run, with preemption on, beside wasmtime with epoch interruption on. The set and how its
 * time is taken are fixed in bench/modules/README.md. The class is admission's choice; what the other one would give, everything
 * compiled with all optimization in a process of its own, is published beside it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Claim, type Figure, figure, quantile } from '../claim.ts';
import { findWasmtime, HOW_TO_GET_IT, type Wasmtime } from '../peers/wasmtime.ts';
import { run } from '../process.ts';
import { type Bench, openBench, runToEnd } from '../workload.ts';

const ROUNDS = 5;
/** Of the class that is only published. */
const BATCH_ROUNDS = 3;
const KEPT = fileURLToPath(new URL('../modules/', import.meta.url));
const BATCH = fileURLToPath(new URL('../batch-main.ts', import.meta.url));
const LEAST_MEAN = 1;
const LEAST = 0.7;
const ELSEWHERE = 'not measured: WASMLET_BENCH_MODULES names no folder with it, see bench/modules/README.md';

interface Program {
  readonly name: string;
  readonly file: string;
  /** Kept in this repository. */
  readonly kept: boolean;
  readonly args: readonly string[];
  /** Its own time in what it prints, and what to multiply it with for milliseconds. */
  readonly time: readonly [pattern: RegExp, factor: number];
}

const NANOSECONDS = [/^elapsed_ns (\d+)$/m, 1e-6] as const;

const PROGRAMS: readonly Program[] = [
  {
    name: 'coremark',
    file: 'coremark.wasm',
    kept: false,
    args: ['0', '0', '0x66', '30000'],
    time: [/^Total time \(secs\): ([\d.]+)$/m, 1000],
  },
  {
    name: 'sqlite speedtest1',
    file: 'speedtest1.wasm',
    kept: false,
    args: ['--memdb', '--size', '30'],
    time: [/^ +TOTAL\.+ +([\d.]+)s$/m, 1000],
  },
  { name: 'regex', file: 'regex.wasm', kept: true, args: ['48'], time: NANOSECONDS },
  { name: 'zlib', file: 'zlib.wasm', kept: false, args: ['8'], time: NANOSECONDS },
  { name: 'sha256', file: 'sha256.wasm', kept: true, args: ['200'], time: NANOSECONDS },
  { name: 'heapsort', file: 'heapsort.wasm', kept: true, args: ['4000000'], time: NANOSECONDS },
];

interface Times {
  readonly ours: number[];
  readonly peer: number[];
  readonly batch: number[];
}

export const cpu: Claim = {
  name: 'cpu',
  summary: 'programs that compute, with preemption on, beside wasmtime with epoch interruption on',
  async measure({ folder, log }) {
    await using bench = await openBench(folder);
    const wasmtime = await findWasmtime();
    const figures: Figure[] = [];
    for (const program of PROGRAMS) figures.push(...(await measureOne(program, { bench, wasmtime, log })));
    return [...figures, mean(figures)];
  },
};

interface Hosts {
  readonly bench: Bench;
  readonly wasmtime: Wasmtime | undefined;
  readonly log: (line: string) => void;
}

async function measureOne(program: Program, { bench, wasmtime, log }: Hosts): Promise<Figure[]> {
  const module = join(program.kept ? KEPT : (process.env['WASMLET_BENCH_MODULES'] ?? ''), program.file);
  const about = { claim: `${program.name}, its own time`, unit: 'ms', target: `at least ${LEAST} of its speed` };
  if (!existsSync(module)) return [missing({ ...about, peerName: ELSEWHERE })];
  const { execution } = await bench.runtime.admit(bench.spec(module).module);
  const times: Times = { ours: [], peer: [], batch: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.ours.push(timeOf(program, await runToEnd(bench.runtime, bench.spec(module, program.args))));
    if (wasmtime !== undefined) times.peer.push(timeOf(program, await wasmtime.run(module, program.args)));
    if (round < BATCH_ROUNDS) times.batch.push(timeOf(program, await runBatch(module, program.args)));
  }
  const chosen = `${execution?.class ?? 'refused'}, ${execution?.optimize ?? ''}`;
  log(
    `${program.name} (${chosen}): ${JSON.stringify(times, (_, value) => (typeof value === 'number' ? Math.round(value) : value))}`,
  );
  const ours = quantile(times.ours, 0.5);
  const batch = figure(
    { claim: `${program.name}, batch class`, unit: 'ms', ours: quantile(times.batch, 0.5), target: 'published' },
    { atMost: Number.POSITIVE_INFINITY },
  );
  if (wasmtime === undefined) return [missing({ ...about, ours, peerName: HOW_TO_GET_IT }), batch];
  const peer = quantile(times.peer, 0.5);
  const peerName = `${wasmtime.version}, epoch interruption`;
  return [figure({ ...about, ours, peer, peerName }, { atMost: peer / LEAST }), batch];
}

function timeOf({ name, time: [pattern, factor] }: Program, output: string): number {
  const found = pattern.exec(output)?.[1];
  if (found === undefined) throw new Error(`${name} did not say how long it took: ${output.slice(-500)}`);
  return Number(found) * factor;
}

/** Nothing to compare with: not held. */
function missing({ ours = Number.NaN, ...about }: Omit<Figure, 'ours' | 'holds'> & { ours?: number }): Figure {
  return { ...about, ours, holds: false };
}

/** As often as the peer's time, ours fits in it: the geometric mean over the programs. */
function mean(figures: readonly Figure[]): Figure {
  const speeds = figures.flatMap(({ ours, peer }) => (peer === undefined ? [] : [peer / ours]));
  const ours = Math.exp(speeds.reduce((sum, speed) => sum + Math.log(speed), 0) / speeds.length);
  const target = `at least ${LEAST_MEAN}, of all ${PROGRAMS.length}`;
  const made = figure(
    { claim: `speed, geometric mean of ${speeds.length}`, unit: 'of the peer', ours, target },
    { atMost: 0 },
  );
  return { ...made, holds: speeds.length === PROGRAMS.length && ours >= LEAST_MEAN };
}

async function runBatch(module: string, args: readonly string[]): Promise<string> {
  const outcome = await run(process.execPath, ['--no-warnings', '--no-liftoff', BATCH, module, ...args]);
  if (outcome.code !== 0)
    throw new Error(`the batch process ended with ${outcome.code}: ${outcome.stderr.slice(-500)}`);
  return outcome.stdout;
}
