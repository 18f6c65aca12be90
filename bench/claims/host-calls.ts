/**
 * What a call of preview 1 costs, beside node:wasi (uvwasi, in C): the same guest, the same file, both hosts in turn in one process.
 * Ours goes the engine's way, rewritten. A figure is the thread's CPU time a call, and published beside it is the time by the clock, which
 * holds what others do on the machine. Memory and disk are out of it: the file is small and in the kernel's memory.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';
import { threadCpuClock } from '#kit/os';
import { instantiate, rewrite } from '#runtime/module';
import { createWasi } from '#runtime/wasi';
import { controlMemory, LoopScheduler, systemThread, wordsOf } from '../../src/runtime/scheduler/mod.ts';
import { type Claim, type Figure, figure, quantile } from '../claim.ts';

const GUEST = fileURLToPath(new URL('../../guests/calls/calls.wasm', import.meta.url));
const ROUNDS = 21;
/** Long beside the start of a guest, which both hosts pay for anew in each round. */
const ROUND_MS = 20;
const FILE_BYTES = 1 << 20;

interface Case {
  readonly claim: string;
  readonly entry: string;
  readonly size?: number;
  /** Times node:wasi's; absent: published only. */
  readonly atMost?: number;
}

const CASES: readonly Case[] = [
  { claim: 'path_open and fd_close', entry: 'open_close', atMost: 1.2 },
  { claim: 'read of 64 bytes', entry: 'read', size: 64, atMost: 1.1 },
  { claim: 'read of 4 KiB', entry: 'read', size: 4096, atMost: 1.1 },
  { claim: 'read of 64 KiB', entry: 'read', size: 65_536, atMost: 1.1 },
  { claim: 'write of 64 bytes', entry: 'write', size: 64, atMost: 1.1 },
  { claim: 'write of 4 KiB', entry: 'write', size: 4096, atMost: 1.1 },
  { claim: 'write of 64 KiB', entry: 'write', size: 65_536, atMost: 1.1 },
  { claim: 'read of 4 KiB, one after the other', entry: 'read_on', size: 4096, atMost: 1.1 },
  { claim: 'path_filestat_get', entry: 'stat' },
  { claim: 'clock_time_get', entry: 'clock' },
  { claim: 'random_get of 16 bytes', entry: 'random' },
];

/** Microseconds a call. */
interface Time {
  /** CPU time of this thread: nothing here waits, and what others do on the machine is not ours to measure. */
  readonly cpu: number;
  readonly clock: number;
}

interface Peer {
  time(one: Case, times: number): Promise<Time>;
}

/** The rewritten guest, as on a loop thread: a turn is over when a word in memory says so. */
function ours(bytes: Buffer<ArrayBuffer>, folder: string): Peer {
  const rewritten = rewrite(bytes);
  if ('unsupported' in rewritten) throw new Error(`The guest cannot be rewritten: ${rewritten.unsupported}`);
  const module = new WebAssembly.Module(rewritten.bytes);
  const control = controlMemory();
  const scheduler = new LoopScheduler({ ...systemThread, words: wordsOf(control), arm: () => {} });
  const preopens = [{ guestPath: '/', hostPath: folder }];
  // Never called: nobody else is ready, and nothing grows.
  const injected = { control, yield: () => 0, grow: () => 0 };
  return {
    async time({ entry, size }, times) {
      await using wasi = await createWasi({ preopens, task: scheduler.add() });
      const made = instantiate(module, wasi.imports(module), { injected });
      if (!('instance' in made)) throw new Error('There is no room for the guest');
      const since = now();
      const { result } = await wasi.invoke(made.instance, entry, size === undefined ? [times] : [times, size]);
      return perCall({ since, times, errno: result, entry });
    },
  };
}

function nodes(bytes: Buffer<ArrayBuffer>, folder: string): Peer {
  const module = new WebAssembly.Module(bytes);
  return {
    async time({ entry, size }, times) {
      const wasi = new WASI({ version: 'preview1', preopens: { '/': folder } });
      const instance = await WebAssembly.instantiate(module, wasi.getImportObject() as WebAssembly.Imports);
      wasi.initialize(instance);
      const call = instance.exports[entry] as (times: number, size?: number) => number;
      const since = now();
      const errno = size === undefined ? call(times) : call(times, size);
      return perCall({ since, times, errno, entry });
    },
  };
}

const threadNanos = threadCpuClock();

/** In microseconds. */
function now(): Time {
  return { clock: performance.now() * 1000, cpu: threadNanos() / 1000 };
}

function perCall({ since, times, errno, entry }: { since: Time; times: number; errno: unknown; entry: string }): Time {
  const { cpu, clock } = now();
  if (errno !== 0) throw new Error(`The guest's ${entry} failed with errno ${errno}`);
  return { cpu: (cpu - since.cpu) / times, clock: (clock - since.clock) / times };
}

async function measure(one: Case, { own, peer }: { own: Peer; peer: Peer }): Promise<Figure[]> {
  const first = Math.max(0.05, (await own.time(one, 5000)).cpu);
  const times = Math.min(200_000, Math.max(200, Math.round((ROUND_MS * 1000) / first)));
  const rounds = { own: [] as Time[], peer: [] as Time[] };
  for (let round = 0; round < ROUNDS; round++) {
    rounds.own.push(await own.time(one, times));
    rounds.peer.push(await peer.time(one, times));
  }
  const { claim, atMost = Number.POSITIVE_INFINITY } = one;
  const target = one.atMost === undefined ? 'published' : `at most ${atMost} of it`;
  const peerName = `node:wasi of Node ${process.version}`;
  const common = { unit: 'µs', peerName };
  return [
    between(rounds, { of: ({ cpu }) => cpu, at: 0.5 }, ({ own, peer }) =>
      figure({ ...common, claim, ours: own, peer, target }, { atMost: peer * atMost }),
    ),
    // Of the rounds in which nobody else had the processor.
    between(rounds, { of: ({ clock }) => clock, at: 0.1 }, ({ own, peer }) => {
      const byClock = { ...common, claim: `${claim}, by the clock, p10`, ours: own, peer, target: 'published' };
      return figure(byClock, { atMost: Number.POSITIVE_INFINITY });
    }),
  ];
}

function between(
  { own, peer }: { own: readonly Time[]; peer: readonly Time[] },
  { of, at }: { of: (time: Time) => number; at: number },
  make: (times: { own: number; peer: number }) => Figure,
): Figure {
  return make({ own: quantile(own.map(of), at), peer: quantile(peer.map(of), at) });
}

export const hostCalls: Claim = {
  name: 'host-calls',
  summary: 'what files, clocks and randomness of WASI cost a call in CPU time, beside node:wasi',
  async measure({ folder, log }) {
    const data = join(folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), Buffer.alloc(FILE_BYTES, 'x'));
    const guest = readFileSync(GUEST);
    const hosts = { own: ours(guest, data), peer: nodes(guest, data) };
    // Once through everything, so that neither host is measured while it is compiled.
    for (const one of CASES) for (const host of [hosts.own, hosts.peer]) await host.time(one, 3000);
    const figures: Figure[] = [];
    for (const one of CASES) {
      figures.push(...(await measure(one, hosts)));
      log(one.claim);
    }
    return figures;
  },
};
