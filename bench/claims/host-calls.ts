/**
 * What a call of preview 1 costs, beside node:wasi (uvwasi, in C): the same guest, the same file, both hosts in turn in one process.
 * Ours goes the engine's way. Memory and disk are out of it: the file is small and in the kernel's memory.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';
import { threadCpuClock } from '#kit/os';
import { createWasi } from '#runtime/wasi';
import { controlMemory, LoopScheduler, systemThread, wordsOf } from '../../src/runtime/scheduler/mod.ts';
import { type Claim, type Figure, figure, quantile } from '../claim.ts';

const GUEST = fileURLToPath(new URL('../../guests/calls/calls.wasm', import.meta.url));
const ROUNDS = 15;
const ROUND_MS = 10;
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

interface Peer {
  /** Microseconds a call. */
  time(one: Case, times: number): Promise<number>;
}

/** As on a loop thread: a turn is over when a word in memory says so. */
function ours(module: WebAssembly.Module, folder: string): Peer {
  const scheduler = new LoopScheduler({ ...systemThread, words: wordsOf(controlMemory()), arm: () => {} });
  const preopens = [{ guestPath: '/', hostPath: folder }];
  return {
    async time({ entry, size }, times) {
      await using wasi = await createWasi({ preopens, task: scheduler.add() });
      const instance = await WebAssembly.instantiate(module, wasi.imports(module));
      const start = threadNanos();
      const { result } = await wasi.invoke(instance, entry, size === undefined ? [times] : [times, size]);
      return perCall({ start, times, errno: result, entry });
    },
  };
}

function nodes(module: WebAssembly.Module, folder: string): Peer {
  return {
    async time({ entry, size }, times) {
      const wasi = new WASI({ version: 'preview1', preopens: { '/': folder } });
      const instance = await WebAssembly.instantiate(module, wasi.getImportObject() as WebAssembly.Imports);
      wasi.initialize(instance);
      const call = instance.exports[entry] as (times: number, size?: number) => number;
      const start = threadNanos();
      const errno = size === undefined ? call(times) : call(times, size);
      return perCall({ start, times, errno, entry });
    },
  };
}

/** Nanoseconds of CPU time of this thread: nothing here waits, and what others do on the machine is not ours to measure. */
const threadNanos = threadCpuClock();

function perCall({ start, times, errno, entry }: { start: number; times: number; errno: unknown; entry: string }) {
  const micros = (threadNanos() - start) / 1000 / times;
  if (errno !== 0) throw new Error(`The guest's ${entry} failed with errno ${errno}`);
  return micros;
}

async function measure(one: Case, { own, peer }: { own: Peer; peer: Peer }): Promise<Figure> {
  const first = Math.max(0.05, await own.time(one, 5000));
  const times = Math.min(200_000, Math.max(200, Math.round((ROUND_MS * 1000) / first)));
  const figures = { own: [] as number[], peer: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    figures.own.push(await own.time(one, times));
    figures.peer.push(await peer.time(one, times));
  }
  const { claim, atMost } = one;
  const common = {
    claim,
    unit: 'µs',
    ours: quantile(figures.own, 0.5),
    peer: quantile(figures.peer, 0.5),
    peerName: `node:wasi of Node ${process.version}`,
    target: atMost === undefined ? 'published' : `at most ${atMost} of it`,
  };
  return figure(common, { atMost: atMost === undefined ? Number.POSITIVE_INFINITY : common.peer * atMost });
}

export const hostCalls: Claim = {
  name: 'host-calls',
  summary: 'what files, clocks and randomness of WASI cost a call, beside node:wasi',
  async measure({ folder, log }) {
    const data = join(folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), Buffer.alloc(FILE_BYTES, 'x'));
    const module = await WebAssembly.compile(readFileSync(GUEST));
    const hosts = { own: ours(module, data), peer: nodes(module, data) };
    // Once through everything, so that neither host is measured while it is compiled.
    for (const one of CASES) for (const host of [hosts.own, hosts.peer]) await host.time(one, 3000);
    const figures: Figure[] = [];
    for (const one of CASES) {
      figures.push(await measure(one, hosts));
      log(one.claim);
    }
    return figures;
  },
};
