/**
 * The POSIX extension of one guest: its functions, the waits that its signals interrupt, and its /proc and /sys. Made by who hosts a guest
 * that has the grant; see docs/decisions/0012-posix.md.
 */
import { constants } from 'node:os';
import type { Signal } from '../contract.ts';
import type { Directory } from '../wasi/core/directory.ts';
import { fail } from '../wasi/core/errno.ts';
import { type Maybe, then } from '../wasi/core/maybe.ts';
import { SequentialDescriptor } from '../wasi/core/sequential.ts';
import type { Extension, P1Context, P1Function, P1Functions } from '../wasi/p1/context.ts';
import type { PosixHost, PosixOptions, SignalOutcome } from './contract.ts';
import { fileFunctions } from './files.ts';
import { identityFunctions } from './identity.ts';
import { type ProcWorld, procTree, sysTree } from './proc.ts';
import { signalFunctions } from './signal-functions.ts';
import { Signals } from './signals.ts';
import { POSIX_MODULE } from './table.ts';
import { VirtualDirectory } from './virtual.ts';

/** Calls that wait for bytes or peers on their first argument. */
const WAITING = ['fd_read', 'sock_accept', 'sock_recv'] as const;
const DEFAULT_MASK = 0o022;

export class Posix implements Extension {
  readonly #options: PosixOptions;
  readonly #host: PosixHost;
  readonly #signals = new Signals();
  #mask = DEFAULT_MASK;

  constructor(options: PosixOptions, host: PosixHost) {
    this.#options = options;
    this.#host = host;
  }

  /** What a signal from outside comes to. */
  signal(name: Signal): SignalOutcome {
    return this.#signals.send(constants.signals[name]);
  }

  /** The guest's context, with waits that end when a signal comes. */
  context(context: P1Context): P1Context {
    const signals = this.#signals;
    const { ended } = context;
    return Object.create(context, {
      extension: { value: this },
      ended: { get: () => (signals.isListening ? AbortSignal.any([ended, signals.interruption]) : ended) },
    }) as P1Context;
  }

  /** The functions of a module, by its name: the extension's own, or those given, made so that signals interrupt them. */
  functions(module: string, given: P1Functions, context: P1Context): P1Functions {
    if (module !== POSIX_MODULE)
      return Object.hasOwn(given, 'poll_oneoff') ? this.#interruptible(given, context) : given;
    const world = { options: this.#options, mask: () => this.#mask };
    return {
      ...identityFunctions(context, this.#procWorld(context)),
      umask_set: (mask: number, result: number) => {
        context.memory.setU32(result, this.#mask);
        this.#mask = mask & 0o777;
      },
      ...fileFunctions(context, world),
      ...signalFunctions(context, { signals: this.#signals, leave: this.#host.leave }),
    };
  }

  /** /proc and /sys, where nothing is mounted. */
  directories(context: P1Context): readonly Directory[] {
    const world = this.#procWorld(context);
    const taken = new Set([...context.table.entries()].map(([, entry]) => (entry as Partial<Directory>).preopen));
    return (
      [
        ['/proc', procTree(world)],
        ['/sys', sysTree(world)],
      ] as const
    )
      .filter(([name]) => !taken.has(name))
      .map(([preopen, node]) => new VirtualDirectory({ place: { node, path: preopen }, preopen }));
  }

  #procWorld(context: P1Context): ProcWorld {
    const { args, env, table, clock, limits } = context;
    const begin = clock.monotonic();
    return {
      options: this.#options,
      args,
      env,
      table,
      signals: this.#signals,
      mask: () => this.#mask,
      facts: this.#host.facts,
      descriptorLimit: limits.descriptors,
      uptime: () => clock.monotonic() - begin,
      startedAt: Number(clock.realtime() / 1_000_000_000n),
    };
  }

  #interruptible(given: P1Functions, context: P1Context): P1Functions {
    // The older snapshot has no `sock_accept`.
    const waiting = WAITING.filter((name) => Object.hasOwn(given, name)).map((name) => [
      name,
      this.#waiting(given[name] as P1Function, context),
    ]);
    return {
      ...given,
      ...Object.fromEntries(waiting),
      poll_oneoff: this.#poll(given['poll_oneoff'] as P1Function, context),
    };
  }

  /** A wait that a signal ended has no events. */
  #poll(poll: P1Function, { memory }: P1Context): P1Function {
    return (subscriptions: number, events: number, count: number, result: number) => {
      if (this.#signals.isDue) throw fail('INTR');
      const { interruption } = this.#signals;
      return then(poll(subscriptions, events, count, result) as Maybe<void>, () => {
        if (interruption.aborted && memory.u32(result) === 0) throw fail('INTR');
      });
    };
  }

  /** Waits until the call need not, and then makes it: one that a signal ends has moved nothing. */
  #waiting(call: P1Function, context: P1Context): P1Function {
    return (fd: number, ...rest: unknown[]) => {
      if (!this.#signals.isListening) return call(fd, ...rest);
      const descriptor = context.table.get(fd);
      if (!(descriptor instanceof SequentialDescriptor) || isReady(descriptor)) return call(fd, ...rest);
      return this.#readable(descriptor, context).then(() => call(fd, ...rest));
    };
  }

  async #readable(descriptor: SequentialDescriptor, context: P1Context): Promise<void> {
    for (;;) {
      if (this.#signals.isDue) throw fail('INTR');
      if (isReady(descriptor)) return;
      const { ended } = context;
      await Promise.race([descriptor.waitReadable({ signal: ended }), aborted(ended)]);
    }
  }
}

/** Also where the call answers an error, or EAGAIN, at once. */
function isReady(descriptor: SequentialDescriptor): boolean {
  try {
    return !descriptor.waits || descriptor.readable() !== undefined;
  } catch {
    return true;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
