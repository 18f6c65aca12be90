/** How many pods a second go from bound to Running, and what of it is the engine's: creating and starting a guest in a warm sandbox. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime } from '#runtime/sandbox';
import { type Claim, figure, quantile } from '../claim.ts';
import { type Process, startCrowd, sum } from '../crowd.ts';
import { compileHello } from '../hello.ts';
import { cpuOf } from '../process.ts';

const PODS = 1000;
const LIMIT_MS = 300_000;
const PER_SECOND = 100;
const ENGINE_MS = 2;
const WARM = 100;
const STARTS = 400;
const NO_PEER = { peerName: 'none' };

export const starts: Claim = {
  name: 'starts',
  summary: `${PODS} pods, bound to Running a second, and the engine's time for one start`,
  async measure({ folder, log, pods = PODS }) {
    const burst = await measureBurst(folder, pods, log);
    const engine = await measureEngine(join(folder, 'engine'), log);
    return [
      figure(
        {
          ...NO_PEER,
          claim: `${pods} pods at once, bound to Running`,
          unit: 'pods a second',
          ours: burst.rate,
          target: `at least ${PER_SECOND}`,
        },
        { atLeast: PER_SECOND },
      ),
      figure(
        {
          ...NO_PEER,
          claim: `${pods} pods at once: CPU of the sandbox a pod`,
          unit: 'ms',
          ours: burst.sandboxMs,
          target: `at most ${ENGINE_MS} ms`,
        },
        { atMost: ENGINE_MS },
      ),
      figure(
        {
          ...NO_PEER,
          claim: `${pods} pods at once: CPU of node and API a pod`,
          unit: 'ms',
          ours: burst.nodeMs,
          target: 'published',
        },
        { atMost: Number.POSITIVE_INFINITY },
      ),
      figure(
        {
          ...NO_PEER,
          claim: 'a start in a warm sandbox, one after the other: CPU of the sandbox',
          unit: 'ms',
          ours: engine.cpu,
          target: `at most ${ENGINE_MS} ms`,
        },
        { atMost: ENGINE_MS },
      ),
      figure(
        {
          ...NO_PEER,
          claim: 'a start in a warm sandbox, create to running, median',
          unit: 'ms',
          ours: engine.wall,
          target: 'published',
        },
        { atMost: Number.POSITIVE_INFINITY },
      ),
    ];
  },
};

async function measureBurst(folder: string, pods: number, log: (line: string) => void) {
  await using crowd = await startCrowd(folder, { pods: pods + 50 });
  await crowd.settle();
  const before = crowd.processes();
  const { span, durations } = await crowd.start({ count: pods, limit: LIMIT_MS });
  // The warm sandbox that is started meanwhile is not what the pods cost.
  const known = (process: Process) => before.some(({ pid }) => pid === process.pid);
  const after = crowd.processes().filter(known);
  const spent = (role: Process['role']) =>
    ((sum(after, 'cpuSeconds', role) - sum(before, 'cpuSeconds', role)) * 1000) / pods;
  const result = { rate: (pods * 1000) / span, sandboxMs: spent('sandbox'), nodeMs: spent('node') };
  log(
    `${result.rate.toFixed(0)} pods a second, p99 ${(quantile(durations, 0.99) / 1000).toFixed(1)} s; CPU a pod: node and API ${result.nodeMs.toFixed(1)} ms, sandbox ${result.sandboxMs.toFixed(2)} ms`,
  );
  return result;
}

/** Without a node: what the runtime alone takes from `create` to running. */
async function measureEngine(folder: string, log: (line: string) => void): Promise<{ cpu: number; wall: number }> {
  mkdirSync(folder, { recursive: true });
  const dataDir = join(folder, 'data');
  const path = await compileHello(folder);
  const digest = `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
  await using runtime = await createRuntime({ dataDir, warm: 0 });
  const placement = { tenant: 'bench', isolation: 'tenant' } as const;
  const running = new Map<string, () => void>();
  runtime.subscribe(({ id, state }) => state.phase === 'running' && running.get(id.podUid)?.());
  async function start(at: number): Promise<number> {
    const id = { podUid: `start-${at}`, container: 'hello', attempt: 0 };
    const logPath = join(dataDir, 'tenants', 'bench', 'logs', id.podUid, '0.log');
    const isRunning = new Promise<void>((resolve) => running.set(id.podUid, resolve));
    const begun = performance.now();
    const world = { entrypoint: '_start', args: ['hello'], env: [], workingDir: '/', mounts: [], listeners: [] };
    const more = { limits: {}, logPath, onTerm: 'default', label: id.podUid } as const;
    await runtime.create({ id, placement, module: { digest, path }, ...world, ...more });
    await runtime.start(id);
    await isRunning;
    return performance.now() - begun;
  }
  try {
    await runtime.admit({ digest, path });
    for (let at = 0; at < WARM; at++) await start(at);
    const pids = runtime.sandboxes().map(({ pid }) => pid);
    const cpu = () => pids.reduce((total, pid) => total + cpuOf(pid), 0);
    const before = cpu();
    const walls: number[] = [];
    for (let at = WARM; at < WARM + STARTS; at++) walls.push(await start(at));
    const result = { cpu: ((cpu() - before) * 1000) / STARTS, wall: quantile(walls, 0.5) };
    log(`the engine alone: ${result.cpu.toFixed(2)} ms of CPU, ${result.wall.toFixed(2)} ms from create to running`);
    return result;
  } finally {
    await runtime.release(placement).catch(() => {});
    for (const { pid } of runtime.sandboxes()) process.kill(pid, 'SIGKILL');
  }
}
