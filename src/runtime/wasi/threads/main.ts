/**
 * A worker that is one thread of one guest: makes the instance, calls its function, says how that ended. Everything it calls is
 * asked of the host by the mailbox, but for the clocks and randomness, which the thread has by itself. See `world.ts`.
 */
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '#kit';
import type { Exit } from '../../contract.ts';
import { systemWasiClock, type WasiClock } from '../core/clocks.ts';
import { errnoOfNodeError, WasiErrno } from '../core/errno.ts';
import { GuestMemory } from '../core/memory.ts';
import { pooledRandom } from '../core/random.ts';
import { errorExit, nearItsLimit, trapExit } from '../exit.ts';
import type { P1Context } from '../p1/context.ts';
import { environmentFunctions } from '../p1/environment.ts';
import type { ThreadData, ThreadEnd } from './contract.ts';
import { CallingMailbox } from './mailbox.ts';

const data = workerData as ThreadData;
const memory = data.memories[0]?.memory;
const mailbox = new CallingMailbox(data.mailbox);
/** More than this the host fills, in parts. */
const LOCAL_RANDOM_BYTES = 65_536;

Atomics.store(new Int32Array(data.identity), 0, threadNumber());
const exit = run();
const end: ThreadEnd = { exit, cpuMicros: cpuMicros() };
parentPort?.postMessage(end);

/** Undefined when the function returned. */
function run(): Exit | undefined {
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(data.module, imports());
  } catch (error) {
    return error instanceof WebAssembly.RuntimeError ? failure(error) : errorExit('StartError', messageOf(error));
  }
  try {
    return enter(instance.exports);
  } catch (error) {
    return failure(error);
  }
}

function enter(exports: WebAssembly.Exports): Exit | undefined {
  const { call } = data;
  const name = call.do === 'thread' ? 'wasi_thread_start' : call.entrypoint;
  const entry = exports[name];
  if (typeof entry !== 'function')
    return errorExit('StartError', `Cannot start the guest: it exports no function '${name}'`);
  if (call.do === 'thread') {
    entry(call.id, call.argument);
    return undefined;
  }
  const initialize = exports['_initialize'];
  if (typeof initialize === 'function' && name !== '_start' && name !== '_initialize') initialize();
  entry();
  return undefined;
}

function failure(error: unknown): Exit {
  const limit = data.memoryLimit;
  const outOfMemory = nearItsLimit(error, { bytes: memory?.buffer.byteLength ?? 0, limit });
  return trapExit(error, { outOfMemory, limit });
}

function imports(): WebAssembly.Imports {
  // Without prototypes: a module may import 'constructor' and must not get JavaScript's.
  const made: Record<string, WebAssembly.ModuleImports> = Object.create(null);
  const own = ownFunctions();
  for (const { module, name, index } of data.functions) {
    const asked = (...args: unknown[]): number => mailbox.call(index, args);
    const isWasi = module === 'wasi_snapshot_preview1' || module === 'wasi_unstable';
    group(made, module)[name] = (isWasi ? own[name]?.(asked) : undefined) ?? asked;
  }
  for (const { module, name, memory } of data.memories) group(made, module)[name] = memory;
  return made;
}

function group(made: Record<string, WebAssembly.ModuleImports>, name: string): WebAssembly.ModuleImports {
  const known = made[name] ?? (Object.create(null) as WebAssembly.ModuleImports);
  made[name] = known;
  return known;
}

type Asked = (...args: unknown[]) => number;

/** Calls that need nothing of the host's; made from the function that would ask the host. */
function ownFunctions(): Record<string, (asked: Asked) => Asked> {
  const { monotonicStart } = data;
  if (monotonicStart === undefined || memory === undefined) return {};
  const guestMemory = new GuestMemory();
  guestMemory.attach(memory);
  const clock: WasiClock = { ...systemWasiClock, monotonic: () => process.hrtime.bigint() - monotonicStart };
  const context = { memory: guestMemory, clock, random: pooledRandom(), args: [], env: [] } as unknown as P1Context;
  const functions = environmentFunctions(context);
  const local = (name: string): Asked => guarded(functions[name] as (...args: unknown[]) => void);
  const random = local('random_get');
  return {
    clock_time_get: () => local('clock_time_get'),
    clock_res_get: () => local('clock_res_get'),
    random_get: (asked) => (pointer, length) =>
      (Number(length) >>> 0 > LOCAL_RANDOM_BYTES ? asked : random)(pointer, length),
  };
}

function guarded(fn: (...args: unknown[]) => void): Asked {
  return (...args) => {
    try {
      fn(...args);
      return 0;
    } catch (error) {
      if (error instanceof WasiErrno) return error.errno;
      const errno = errnoOfNodeError(error);
      if (errno === undefined) throw error;
      return errno;
    }
  };
}

/** The kernel's number of this thread, without a library: /proc/thread-self leads to `<pid>/task/<tid>`. */
function threadNumber(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1) ?? 0) || 0;
  } catch {
    return 0;
  }
}

function cpuMicros(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
