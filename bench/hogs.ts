/** Guests that want all of the processor, in real sandbox processes, and what each has got: what the claims of fairness are measured on. */
import { randomUUID } from 'node:crypto';
import { closeSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { boundTo, listenTcp } from '#kit/os';
import type { Limits, WorkloadId, WorkloadSpec } from '#runtime';
import { createRuntime, type SandboxRuntime } from '#runtime/sandbox';

const guests = join(import.meta.dirname, '../guests');

export type Hog = 'spin' | 'fill' | 'copy' | 'grow' | 'call' | 'yield' | 'recurse' | 'garbage' | 'compile';

export interface Echo {
  /** Milliseconds from one byte to its answer. */
  ping(): Promise<number>;
}

export class Hogs implements AsyncDisposable {
  readonly #runtime: SandboxRuntime;
  readonly #folder: string;
  readonly #fds: number[] = [];
  readonly #sockets: Socket[] = [];
  readonly #bomb: string;
  #tenant = 0;

  static async open(folder: string): Promise<Hogs> {
    return new Hogs(folder, await createRuntime({ dataDir: folder }));
  }

  private constructor(folder: string, runtime: SandboxRuntime) {
    this.#folder = folder;
    this.#runtime = runtime;
    this.#bomb = join(folder, 'bomb.wasm');
    writeFileSync(this.#bomb, compileBomb());
  }

  get sandboxes(): readonly number[] {
    return this.#runtime.sandboxes().map(({ pid }) => pid);
  }

  /** A namespace that has nobody yet. */
  fresh(): string {
    return `bench-${++this.#tenant}`;
  }

  async start(tenant: string, hog: Hog, limits: Limits = {}): Promise<WorkloadId> {
    const file = hog === 'compile' ? this.#bomb : join(guests, hog === 'garbage' ? 'gc/gc.wasm' : 'hog/hog.wasm');
    const entrypoint = hog === 'compile' ? '_start' : hog;
    return this.#start(this.#spec(tenant, { file, entrypoint, limits }));
  }

  async startAll(tenant: string, hogs: readonly Hog[], limits: Limits = {}): Promise<WorkloadId[]> {
    const ids: WorkloadId[] = [];
    for (const hog of hogs) ids.push(await this.start(tenant, hog, limits));
    return ids;
  }

  async echo(tenant: string): Promise<Echo> {
    const fd = listenTcp({ address: '127.0.0.1', port: 0 });
    this.#fds.push(fd);
    const { address, port } = boundTo(fd);
    const spec = this.#spec(tenant, { file: join(guests, 'hog/hog.wasm'), entrypoint: 'echo', limits: {} });
    await this.#start({ ...spec, listeners: [{ name: 'echo', address, port, fd }] });
    let socket: Socket | undefined;
    return {
      ping: async () => {
        socket ??= await this.#connect(port);
        return roundTrip(socket);
      },
    };
  }

  async cpuNanos(ids: readonly WorkloadId[]): Promise<number[]> {
    const all = await Promise.all(ids.map((id) => this.#runtime.stats(id)));
    return all.map((stats) => stats?.cpuNanos ?? Number.NaN);
  }

  /** CPU nanoseconds of each in the time. */
  async during(ids: readonly WorkloadId[], milliseconds: number): Promise<{ used: number[]; elapsed: number }> {
    const began = performance.now();
    const before = await this.cpuNanos(ids);
    const middle = (began + performance.now()) / 2;
    await setTimeout(milliseconds);
    const ending = performance.now();
    const after = await this.cpuNanos(ids);
    const elapsed = (ending + performance.now()) / 2 - middle;
    return { used: after.map((nanos, at) => nanos - (before[at] ?? Number.NaN)), elapsed: elapsed * 1e6 };
  }

  async end(tenant: string): Promise<void> {
    for (const { id, state } of this.#runtime.list())
      if (state.phase !== 'exited') await this.#runtime.kill(id, 'SIGKILL');
    await this.#runtime.release({ tenant, isolation: 'tenant' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const { tenant } of this.#runtime.sandboxes()) if (tenant !== undefined) await this.end(tenant);
    await this.#runtime[Symbol.asyncDispose]();
    for (const fd of this.#fds) closeSync(fd);
  }

  async #start(spec: WorkloadSpec): Promise<WorkloadId> {
    await this.#runtime.create(spec);
    await this.#runtime.start(spec.id);
    return spec.id;
  }

  #spec(
    tenant: string,
    { file, entrypoint, limits }: { file: string; entrypoint: string; limits: Limits },
  ): WorkloadSpec {
    const id = { podUid: randomUUID(), container: 'main', attempt: 0 };
    const logs = join(this.#folder, 'tenants', tenant, 'logs', `${tenant}_hog_${id.podUid}`, id.container);
    return {
      id,
      placement: { tenant, isolation: 'tenant' },
      label: `${tenant}/${entrypoint}`,
      module: { digest: `sha256:bench-${file.split('/').at(-1)}`, path: file },
      entrypoint,
      args: [entrypoint],
      env: [],
      workingDir: '/',
      mounts: [],
      listeners: [],
      limits,
      logPath: join(logs, '0.log'),
      onTerm: 'default',
    };
  }

  #connect(port: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket.setNoDelay(true)));
      socket.on('error', reject);
      this.#sockets.push(socket);
    });
  }
}

function roundTrip(socket: Socket): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    socket.once('data', () => resolve(performance.now() - began));
    socket.once('close', () => reject(new Error('the guest hung up')));
    socket.write('x');
  });
}

/** Jain's index: 1 when all have the same, 1/n when one has all. */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((a, b) => a + b, 0);
  return sum ** 2 / (values.length * values.reduce((a, b) => a + b * b, 0));
}

const FUNCTIONS = 200;
const ROUNDS = 4000;

/** A module of 200 functions of 36 KB, each of which the engine compiles when it is first called, and again when it is called often. */
function compileBomb(): Uint8Array {
  // local.get 0, i32.const 77, i32.mul, i32.const 5, i32.xor, local.set 0
  const round = [0x20, 0, 0x41, 0xcd, 0, 0x6c, 0x41, 5, 0x73, 0x21, 0];
  const body = [0, ...Array.from({ length: ROUNDS }, () => round).flat(), 0x0b];
  const calls = Array.from({ length: FUNCTIONS }, (_, at) => [0x41, 7, 0x10, ...leb(at)]).flat();
  // A loop over all of them, for ever.
  const start = [0, 0x03, 0x40, ...calls, 0x0c, 0, 0x0b, 0x0b];
  const bodies = [...Array.from({ length: FUNCTIONS }, () => body), start];
  const name = Buffer.from('_start');
  return Buffer.concat([
    Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    section(1, [2, 0x60, 1, 0x7f, 0, 0x60, 0, 0]),
    section(3, [...leb(bodies.length), ...Array.from({ length: FUNCTIONS }, () => 0), 1]),
    section(7, [1, name.length, ...name, 0, ...leb(FUNCTIONS)]),
    section(10, [...leb(bodies.length), ...bodies.flatMap((one) => [...leb(one.length), ...one])]),
  ]);
}

function section(id: number, content: readonly number[]): Uint8Array {
  return Buffer.from([id, ...leb(content.length), ...content]);
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
