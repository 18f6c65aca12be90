/**
 * The same hello as a container image on Debian's smallest base and as a wasm pod: bytes to pull, and memory while it runs. The
 * container's are those of its shim and itself; the pod's what the sandbox takes more with it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type Claim, type Figure, figure } from '../claim.ts';
import { HOW_TO_GET_IT, startContainerd } from '../peers/containerd.ts';
import { memoryOf } from '../process.ts';
import { type Bench, openBench } from '../workload.ts';
import { HELLO_MODULE, HELLO_SOURCE } from './container-start.ts';

const PODS = 200;
const CONTAINERS = 5;
const SMALLER = { bytes: 50, memory: 20 } as const;
const NO_ROOT =
  'none: WASMLET_BENCH_ROOTFS names no Debian root file system (debootstrap --variant=minbase bookworm DIR)';

export const imageSize: Claim = {
  name: 'image-size',
  summary: 'the same hello as a Debian-based container and as a wasm pod: bytes and memory',
  async measure({ folder, log }) {
    const base = process.env['WASMLET_BENCH_ROOTFS'];
    const rootfs = base !== undefined && existsSync(join(base, 'bin')) ? rootWithHello(base, folder) : undefined;
    return [bytesFigure(folder, rootfs), await memoryFigure({ folder, rootfs, log })];
  },
};

/** A copy-on-write view of the base with the program in it, as a container gets. */
function rootWithHello(base: string, folder: string): string {
  const root = join(folder, 'rootfs');
  mkdirSync(root, { recursive: true });
  execFileSync('cp', ['-a', '--reflink=auto', `${base}/.`, root]);
  execFileSync('gcc', ['-Os', '-s', '-o', join(root, 'usr/bin/hello'), HELLO_SOURCE]);
  return root;
}

/** What a registry has and a node pulls: layers are compressed, the module is as it is, since that is how both are pushed. */
function bytesFigure(folder: string, rootfs: string | undefined): Figure {
  const about = {
    claim: 'hello, bytes to pull',
    unit: 'KB',
    ours: statSync(HELLO_MODULE).size / 1024,
    target: `at least ${SMALLER.bytes} times smaller`,
  };
  if (rootfs === undefined) return { ...about, peerName: NO_ROOT, holds: false };
  const layer = join(folder, 'layer.tar.gz');
  // Without what the package manager keeps for itself, as images of Debian are made.
  const without = '--exclude=./var/cache/apt/* --exclude=./var/lib/apt/lists/* --exclude=./var/log/*';
  execFileSync('sh', ['-c', `tar -C "$0" ${without} -cf - . | gzip > "$1"`, rootfs, layer]);
  const peer = statSync(layer).size / 1024;
  const packed = gzipSync(readFileSync(HELLO_MODULE)).byteLength / 1024;
  const peerName = `Debian's minbase, gzip (the module by gzip ${packed.toFixed(1)} KB)`;
  return figure({ ...about, peer, peerName }, { atMost: peer / SMALLER.bytes });
}

interface Running {
  readonly folder: string;
  readonly rootfs: string | undefined;
  readonly log: (line: string) => void;
}

async function memoryFigure({ folder, rootfs, log }: Running): Promise<Figure> {
  await using bench = await openBench(folder);
  const ours = await aPod(bench);
  const about = {
    claim: 'hello while it runs, PSS',
    unit: 'KB',
    ours,
    target: `at least ${SMALLER.memory} times smaller`,
  };
  log(`a pod takes ${ours.toFixed(0)} KB`);
  if (rootfs === undefined) return { ...about, peerName: NO_ROOT, holds: false };
  await using containerd = (await startContainerd(folder)) ?? null;
  if (containerd === null) return { ...about, peerName: HOW_TO_GET_IT, holds: false };
  for (let left = CONTAINERS; left > 0; left--) await containerd.start(rootfs, ['/usr/bin/hello', 'wait']);
  await setTimeout(2000);
  const peer = pssOf(containerd.processes()) / CONTAINERS;
  return figure(
    { ...about, peer, peerName: `${containerd.versions}, shim and container` },
    { atMost: peer / SMALLER.memory },
  );
}

/** KB of all sandboxes that each of many takes more; the first ones bring what they share. */
async function aPod({ runtime, spec }: Bench): Promise<number> {
  async function start(count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const wanted = spec(HELLO_MODULE, ['wait']);
      await runtime.create(wanted);
      await runtime.start(wanted.id);
    }
    await setTimeout(2000);
  }
  const pss = () => pssOf(runtime.sandboxes().map(({ pid }) => pid));
  await start(1);
  const before = pss();
  await start(PODS);
  return (pss() - before) / PODS;
}

function pssOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + memoryOf(pid).pss * 1024, 0);
}
