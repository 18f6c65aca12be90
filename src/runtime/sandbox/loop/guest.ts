/**
 * One workload on a loop thread: its module, log, sockets and WASI world, from create to exit.
 * What the guest does with them is WASI's; here is what belongs to the workload whatever the guest does.
 */
import { closeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { messageOf, systemClock } from '#kit';
import type { Exit } from '../../contract.ts';
import { createWasi, type Wasi, type WasiListener } from '../../wasi/mod.ts';
import { runtimeError } from '../errors.ts';
import type { WireSpec } from '../protocol/messages.ts';
import type { LogDescriptors } from './log-descriptors.ts';
import { LogFile } from './log-file.ts';
import type { LoopSpec } from './messages.ts';
import type { Compiled, Modules } from './modules.ts';

export interface GuestContext {
  readonly modules: Modules;
  readonly descriptors: LogDescriptors;
  readonly insecureTrustedGuests: boolean;
  readonly started: (key: string, at: number) => void;
  readonly exited: (key: string, exit: Exit, at: number) => void;
}

export class Guest {
  readonly #spec: WireSpec;
  readonly #context: GuestContext;
  readonly #compiled: Compiled;
  readonly #log: LogFile;
  readonly #servers: readonly Server[];
  readonly #wasi: Wasi;
  #phase: 'created' | 'running' | 'exited' = 'created';

  static async create({ spec, moduleFd, listenerFds }: LoopSpec, context: GuestContext): Promise<Guest> {
    const log = new LogFile(spec.logPath, { clock: systemClock, descriptors: context.descriptors });
    const source = { ...spec.module, fd: moduleFd, memoryBytes: spec.limits.memoryBytes };
    const compiled = await context.modules.acquire(source).catch((error: unknown) => {
      for (const fd of listenerFds) closeSync(fd);
      throw error;
    });
    let servers: readonly Server[] = [];
    try {
      servers = await Promise.all(listenerFds.map(serve));
      log.create();
      const wasi = await createWasi({
        args: spec.args,
        env: spec.env,
        preopens: spec.mounts,
        workingDir: spec.workingDir,
        listeners: servers.map((server, at): WasiListener => ({ server, name: spec.listeners[at]?.name })),
        stdout: (bytes) => log.write('stdout', bytes),
        stderr: (bytes) => log.write('stderr', bytes),
        limits: spec.limits.memoryBytes === undefined ? {} : { memoryBytes: spec.limits.memoryBytes },
        insecureTrustedGuests: context.insecureTrustedGuests,
      });
      return new Guest({ spec, context, compiled, log, servers, wasi });
    } catch (error) {
      for (const server of servers) server.close();
      context.modules.release(source);
      throw runtimeError('RUNTIME_CREATE_FAILED', `Cannot create workload '${spec.key}': ${messageOf(error)}`);
    }
  }

  private constructor(parts: {
    spec: WireSpec;
    context: GuestContext;
    compiled: Compiled;
    log: LogFile;
    servers: readonly Server[];
    wasi: Wasi;
  }) {
    this.#spec = parts.spec;
    this.#context = parts.context;
    this.#compiled = parts.compiled;
    this.#log = parts.log;
    this.#servers = parts.servers;
    this.#wasi = parts.wasi;
  }

  /** Returns when the guest first waits, or is done. Repeating it does nothing. */
  start(): void {
    if (this.#phase !== 'created') return;
    this.#phase = 'running';
    this.#context.started(this.#spec.key, Date.now());
    if (!(this.#compiled instanceof WebAssembly.Module)) {
      void this.#finish(tooSmallExit(this.#compiled.tooSmall.neededBytes, this.#spec.limits.memoryBytes ?? 0));
      return;
    }
    this.#wasi.run(this.#compiled, this.#spec.entrypoint).then(
      (exit) => this.#finish(exit),
      (error) => this.#finish({ code: 128, reason: 'StartError', message: messageOf(error).slice(0, 4096) }),
    );
  }

  kill(exit: Exit): void {
    if (this.#phase === 'created') {
      this.#phase = 'running';
      void this.#finish(exit);
    } else if (this.#phase === 'running') this.#wasi.kill(exit);
  }

  /** Gives everything back; for one that was never started, too. */
  async dispose(): Promise<void> {
    if (this.#phase === 'exited') return;
    this.#phase = 'exited';
    await this.#close();
  }

  stats() {
    const { memoryBytes } = this.#wasi.stats();
    return { cpuNanos: 0, memoryBytes, logBytesDropped: this.#log.dropped };
  }

  async #finish(exit: Exit): Promise<void> {
    if (this.#phase === 'exited') return;
    this.#phase = 'exited';
    const at = Date.now();
    await this.#close().catch((error) =>
      console.error(`Cannot close workload '${this.#spec.key}': ${messageOf(error)}`),
    );
    this.#context.exited(this.#spec.key, exit, at);
  }

  async #close(): Promise<void> {
    this.#log.end();
    for (const server of this.#servers) server.close();
    this.#context.modules.release({ digest: this.#spec.module.digest, memoryBytes: this.#spec.limits.memoryBytes });
    await this.#wasi[Symbol.asyncDispose]();
  }
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

function tooSmallExit(needed: number, limit: number): Exit {
  const message = `The module declares ${needed} bytes of memory to begin with; its limit is ${limit}`;
  return { code: 137, signal: 9, reason: 'OOMKilled', message };
}
