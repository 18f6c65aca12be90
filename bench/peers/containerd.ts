/**
 * The peer: Debian's containerd with runc, driven by its own `ctr`, without Kubernetes and without a network. Containers run from a root
 * file system that is there. Needs root.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Daemon } from '../../test/processes/daemon.ts';
import { processesWith } from '../../test/processes/left-behind.ts';
import { type Outcome, run } from '../process.ts';

export const HOW_TO_GET_IT = "none: needs root and Debian's containerd and runc";

export interface Containerd extends AsyncDisposable {
  readonly versions: string;
  /** Runs a container to its end and removes it. */
  run(rootfs: string, command: readonly string[]): Promise<Outcome>;
  /** Starts one that goes on running. */
  start(rootfs: string, command: readonly string[]): Promise<void>;
  /** Shims and the processes in their containers. */
  processes(): number[];
}

export async function startContainerd(folder: string): Promise<Containerd | undefined> {
  const [containerd, runc] = await Promise.all([run('containerd', ['--version']), run('runc', ['--version'])]);
  if (process.getuid?.() !== 0 || containerd.code !== 0 || runc.code !== 0) return undefined;
  const state = join(folder, 'containerd');
  const socket = join(state, 'containerd.sock');
  const daemon = new Daemon({
    name: 'containerd',
    argv: ['containerd', '--config', writeConfig(state)],
    log: join(folder, 'containerd.log'),
  });
  daemon.start();
  const ctr = (args: readonly string[]) => run('ctr', ['--address', socket, ...args]);
  await answering(ctr);
  const running: string[] = [];
  let made = 0;
  return {
    versions: `containerd ${/ v?(\d[\d.]+)/.exec(containerd.stdout)?.[1] ?? ''}, runc ${/([\d.]+)/.exec(runc.stdout)?.[1] ?? ''}, by ctr`,
    run: (rootfs, command) => ctr(['run', '--rm', '--rootfs', rootfs, `once-${made++}`, ...command]),
    async start(rootfs, command) {
      const id = `stays-${made++}`;
      const { code, stderr } = await ctr(['run', '--detach', '--rootfs', rootfs, id, ...command]);
      if (code !== 0) throw new Error(`ctr run ended with ${code}: ${stderr.slice(-500)}`);
      running.push(id);
    },
    processes: () =>
      processesWith(socket)
        .filter(isShim)
        .flatMap((pid) => [pid, ...childrenOf(pid)]),
    async [Symbol.asyncDispose]() {
      for (const id of running) {
        await ctr(['tasks', 'kill', '--signal', 'SIGKILL', id]);
        await ctr(['tasks', 'delete', '--force', id]);
        await ctr(['containers', 'delete', id]);
      }
      await daemon.signal('SIGKILL');
    },
  };
}

function writeConfig(state: string): string {
  mkdirSync(state, { recursive: true });
  const path = join(state, 'config.toml');
  writeFileSync(
    path,
    `version = 2
root = "${state}/root"
state = "${state}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${state}/containerd.sock"
`,
  );
  return path;
}

async function answering(ctr: (args: readonly string[]) => Promise<Outcome>): Promise<void> {
  for (let left = 100; left > 0; left--) {
    if ((await ctr(['version'])).code === 0) return;
    await setTimeout(100);
  }
  throw new Error('containerd did not answer within 10 s');
}

function isShim(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('containerd-shim');
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
