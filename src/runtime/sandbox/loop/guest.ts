/**
 * One workload on a loop thread: its module, log, sockets and WASI world, from create to exit.
 * What the guest does with them is WASI's; here is what belongs to the workload whatever the guest does.
 */
import { closeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { isWasmletError, messageOf, systemClock } from '#kit';
import type { Exit, Limits, Signal } from '../../contract.ts';
import { shapeOf } from '../../module/instantiate.ts';
import type { TooSmall } from '../../module/limits.ts';
import type { Scheduler, Task } from '../../scheduler/mod.ts';
import {
  createThreadedWorld,
  createWasi,
  type GuestWorld,
  rememberedMemories,
  type WasiListener,
  type WasiOptions,
} from '../../wasi/mod.ts';
import { runtimeError } from '../errors.ts';
import type { WireSpec } from '../protocol/messages.ts';
import type { LogDescriptors } from './log-descriptors.ts';
import { LogFile } from './log-file.ts';
import { type MemoryCount, roomOf } from './memory-count.ts';
import type { LoopSpec } from './messages.ts';
import type { Compiled, ModuleName, Modules } from './modules.ts';

export interface GuestContext {
  readonly modules: Modules;
  readonly descriptors: LogDescriptors;
  readonly scheduler: Scheduler;
  /** The thread's control memory. */
  readonly control: WebAssembly.Memory;
  readonly memories: MemoryCount;
  readonly insecureTrustedGuests: boolean;
  readonly started: (key: string, at: number) => void;
  readonly exited: (key: string, exit: Exit, at: number) => void;
}

interface Parts {
  readonly spec: WireSpec;
  readonly context: GuestContext;
  readonly compiled: Compiled;
  readonly log: LogFile;
  readonly servers: readonly Server[];
  readonly task: Task;
  readonly wasi: GuestWorld;
  /** What it has of the process's address space. */
  readonly room: number;
}

export class Guest {
  readonly #parts: Parts;
  #phase: 'created' | 'running' | 'exited' = 'created';

  static async create({ spec, moduleFd, listenerFds }: LoopSpec, context: GuestContext): Promise<Guest> {
    const log = new LogFile(spec.logPath, { clock: systemClock, descriptors: context.descriptors });
    const name = moduleOf(spec);
    const compiled = await context.modules
      .acquire({ ...name, path: spec.module.path, fd: moduleFd })
      .catch((error: unknown) => {
        for (const fd of listenerFds) closeSync(fd);
        throw error;
      });
    const { cpuMillis, cpuShares } = spec.limits;
    const task = context.scheduler.add({ cpuMillis, cpuShares });
    let servers: readonly Server[] = [];
    let room = 0;
    try {
      servers = await Promise.all(listenerFds.map(serve));
      room = takeRoom(spec, { compiled, rewritten: name.rewritten, memories: context.memories });
      log.create();
      const wasi = await makeWasi({ spec, context, compiled, log, servers, task, rewritten: name.rewritten });
      return new Guest({ spec, context, compiled, log, servers, task, wasi, room });
    } catch (error) {
      for (const server of servers) server.close();
      context.modules.release(name);
      context.memories.give(room);
      task.end();
      if (isWasmletError(error, 'RUNTIME_FULL')) throw error;
      throw runtimeError('RUNTIME_CREATE_FAILED', `Cannot create workload '${spec.key}': ${messageOf(error)}`);
    }
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Returns when the guest first waits, or is done. Repeating it does nothing. */
  start(): void {
    if (this.#phase !== 'created') return;
    this.#phase = 'running';
    const { spec, context, compiled, wasi } = this.#parts;
    context.started(spec.key, Date.now());
    if (!(compiled instanceof WebAssembly.Module)) {
      void this.#finish(tooSmallExit(compiled.tooSmall));
      return;
    }
    wasi.run(compiled, spec.entrypoint).then(
      (exit) => this.#finish(exit),
      (error) => this.#finish({ code: 128, reason: 'StartError', message: messageOf(error).slice(0, 4096) }),
    );
  }

  /** Whether the guest was granted the extension and deals with the signal itself. */
  signal(name: Signal): boolean {
    return this.#phase === 'running' && this.#parts.wasi.signal(name) === 'taken';
  }

  kill(exit: Exit): void {
    if (this.#phase === 'created') {
      this.#phase = 'running';
      void this.#finish(exit);
    } else if (this.#phase === 'running') this.#parts.wasi.kill(exit);
  }

  /** Gives everything back; for one that was never started, too. */
  async dispose(): Promise<void> {
    if (this.#phase === 'exited') return;
    this.#phase = 'exited';
    await this.#close();
  }

  stats() {
    const { wasi, log } = this.#parts;
    const { memoryBytes, cpuNanos } = wasi.stats();
    return { cpuNanos, memoryBytes, logBytesDropped: log.dropped };
  }

  /** Limits that are not named are taken away. False, and no change, where more memory is in use, or a plain module is asked for other memory. */
  resize({ memoryBytes, cpuMillis, cpuShares }: Limits): boolean {
    const { wasi, task, spec } = this.#parts;
    if (this.#phase === 'exited') return false;
    const isPlain = !moduleOf(spec).rewritten;
    if (isPlain ? memoryBytes !== spec.limits.memoryBytes : !wasi.limitMemory(memoryBytes)) return false;
    task.limit({ cpuMillis, cpuShares });
    return true;
  }

  async #finish(exit: Exit): Promise<void> {
    if (this.#phase === 'exited') return;
    this.#phase = 'exited';
    const at = Date.now();
    const { spec, context } = this.#parts;
    await this.#close().catch((error) => console.error(`Cannot close workload '${spec.key}': ${messageOf(error)}`));
    context.exited(spec.key, exit, at);
  }

  async #close(): Promise<void> {
    const { spec, context, log, servers, wasi, task, room } = this.#parts;
    log.end();
    for (const server of servers) server.close();
    context.modules.release(moduleOf(spec));
    context.memories.give(room);
    await wasi[Symbol.asyncDispose]();
    task.end();
  }
}

function moduleOf({ module, limits, execution }: WireSpec): ModuleName {
  const rewritten = execution?.class === 'shared' || execution?.class === 'thread';
  return {
    digest: module.digest,
    rewritten,
    memoryBytes: rewritten ? undefined : limits.memoryBytes,
  };
}

/** Room for the guest's memories, in units of `MemoryCount`. */
function takeRoom(
  { key }: WireSpec,
  { compiled, rewritten, memories }: { compiled: Compiled; rewritten: boolean; memories: MemoryCount },
): number {
  const shape = rewritten && compiled instanceof WebAssembly.Module ? shapeOf(compiled) : undefined;
  const room = shape === undefined ? 1 : roomOf(shape.memories);
  if (memories.take(room)) return room;
  throw runtimeError(
    'RUNTIME_FULL',
    `Cannot create workload '${key}': its sandbox has no address space for more memories`,
  );
}

function makeWasi({
  spec,
  context,
  compiled,
  log,
  servers,
  task,
  rewritten,
}: Pick<Parts, 'spec' | 'context' | 'compiled' | 'log' | 'servers' | 'task'> & {
  readonly rewritten: boolean;
}): Promise<GuestWorld> {
  const { memoryBytes, cpuMillis } = spec.limits;
  const options: WasiOptions = {
    args: spec.args,
    env: spec.env,
    preopens: spec.mounts,
    workingDir: spec.workingDir,
    listeners: servers.map((server, at): WasiListener => ({ server, name: spec.listeners[at]?.name })),
    stdout: (bytes) => log.write('stdout', bytes),
    stderr: (bytes) => log.write('stderr', bytes),
    limits: memoryBytes === undefined ? {} : { memoryBytes },
    task,
    ...(spec.posix !== undefined && { posix: { ...spec.posix, cpuMillis } }),
    ...(rewritten ? { control: context.control } : {}),
    insecureTrustedGuests: context.insecureTrustedGuests,
  };
  const memories = compiled instanceof WebAssembly.Module ? rememberedMemories(compiled) : undefined;
  return memories === undefined ? createWasi(options) : createThreadedWorld({ ...options, memories });
}

/** The shape that WASI asks for: connections wait unread until the guest accepts them. */
function serve(fd: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.once('error', reject);
    server.listen({ fd }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function tooSmallExit({ neededBytes, limitBytes }: TooSmall): Exit {
  const message = `The module declares ${neededBytes} bytes of memory to begin with; its limit is ${limitBytes} bytes`;
  return { code: 137, signal: 9, reason: 'OOMKilled', message };
}
