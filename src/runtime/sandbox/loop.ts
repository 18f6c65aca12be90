/**
 * A loop thread: a worker on which guests live as suspended or running stacks (JSPI). It knows no socket of the node and no
 * record on disk; it takes requests from the control thread and tells it what became of the guests.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { collectWhenCalm, isWasmletError, messageOf } from '#kit';
import { ffiAvailable, threadCpuClock, threadId } from '#kit/os';
import { LoopScheduler, systemThread, wordsOf } from '../scheduler/mod.ts';
import { runtimeError } from './errors.ts';
import { Guest } from './loop/guest.ts';
import { LogDescriptors } from './loop/log-descriptors.ts';
import { MemoryCount } from './loop/memory-count.ts';
import type { FromLoop, LoopData, ToLoop } from './loop/messages.ts';
import { Modules } from './loop/modules.ts';

const port = parentPort;
if (port === null) throw new Error('This file is a worker thread of a sandbox');
const data = workerData as LoopData;
const progress = new Int32Array(data.progress);
const guests = new Map<string, Guest>();

function send(message: FromLoop): void {
  port?.postMessage(message);
}

const scheduler = new LoopScheduler({
  ...systemThread,
  ...(ffiAvailable() ? { cpu: threadCpuClock() } : {}),
  words: wordsOf(data.control),
  arm: () => send({ arm: true }),
});

const context = {
  modules: new Modules(),
  scheduler,
  control: data.control,
  memories: new MemoryCount(data.memories, data.mostMemories),
  descriptors: new LogDescriptors(),
  insecureTrustedGuests: data.insecureTrustedGuests,
  started: (key: string, at: number) => send({ started: key, at }),
  exited: (key: string, exit: Parameters<Guest['kill']>[0], at: number) => send({ exited: key, exit, at }),
};

function guestOf(key: string): Guest {
  const guest = guests.get(key);
  if (guest === undefined) throw runtimeError('RUNTIME_UNKNOWN_WORKLOAD', `Cannot find workload '${key}'`);
  return guest;
}

/**
 * Starting is the host's work, which no turn is charged with: so no more of it at once than a part of a slice, or a crowd that is started
 * together would hold the thread for seconds.
 */
const START_MS = 1;
const starting: Guest[] = [];

function startSome(): void {
  const until = performance.now() + START_MS;
  do {
    Atomics.add(progress, 0, 1);
    starting.shift()?.start();
  } while (starting.length > 0 && performance.now() < until);
  if (starting.length > 0) setImmediate(startSome);
}

async function handle(request: ToLoop): Promise<unknown> {
  switch (request.do) {
    case 'create':
      guests.set(request.create.spec.key, await Guest.create(request.create, context));
      return undefined;
    case 'start': {
      const guest = guestOf(request.key);
      // The answer goes first: the guest may hold this thread from its first instruction on.
      queueMicrotask(() => {
        if (starting.push(guest) === 1) setImmediate(startSome);
      });
      return undefined;
    }
    case 'signal':
      return guestOf(request.key).signal(request.signal);
    case 'kill':
      return guestOf(request.key).kill(request.exit);
    case 'delete': {
      const guest = guests.get(request.key);
      guests.delete(request.key);
      return guest?.dispose();
    }
    case 'resize':
      return guestOf(request.key).resize(request.limits);
    case 'stats':
      return guestOf(request.key).stats();
  }
}

port.on('message', (request: ToLoop) => {
  Atomics.add(progress, 0, 1);
  handle(request).then(
    (ok) => send({ answer: request.ask, ok }),
    (error) => {
      const code = isWasmletError(error) ? error.code : 'RUNTIME_CREATE_FAILED';
      send({ answer: request.ask, error: { code, message: messageOf(error) } });
    },
  );
});

// What thousands of guests have left behind, and the thread's own start.
collectWhenCalm({ worth: 8 << 20, atStart: true });
send({ ready: ffiAvailable() ? threadId() : 0 });
