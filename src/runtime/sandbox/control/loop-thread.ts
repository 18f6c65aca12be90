/**
 * The control thread's end of a loop thread: requests and answers, the timer that takes the thread back from guests, and the watch for
 * one that does not give it.
 *
 * Every message sets the interrupt word, so rewritten guests give way to it at their next check. The last resort is for what has no
 * checks: V8 ends a thread between any two iterations of a loop, so a kill that is not taken up while the thread burns its time on one thing
 * ends the whole thread.
 */
import { Worker } from 'node:worker_threads';
import { entryUrl, messageOf } from '#kit';
import { threadTicks } from '#kit/os';
import type { Exit } from '../../contract.ts';
import { controlMemory, WORD, wordsOf } from '../../scheduler/mod.ts';
import { isRuntimeErrorCode, runtimeError } from '../errors.ts';
import type { FromLoop, LoopData, LoopRequest } from '../loop/messages.ts';
import { Interrupter } from './interrupter.ts';

export interface LoopEvents {
  started(key: string, at: number): void;
  exited(key: string, exit: Exit, at: number): void;
  /** The thread is gone and with it every guest on it; `reason` is a clause for their message. */
  ended(reason: string, options: { readonly outOfMemory: boolean }): void;
}

export interface LoopThreadOptions {
  readonly insecureTrustedGuests: boolean;
  /** See `LoopData`. */
  readonly memories: SharedArrayBuffer;
  readonly mostMemories?: number | undefined;
  /** For one guest alone, whose objects on the engine's heap may take so many bytes. */
  readonly own?: { readonly heapBytes: number } | undefined;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A kernel clock tick is 10 ms; ten of them without a message taken up are one guest's. */
const HELD_TICKS = 10;
const WATCH_MS = 25;
const MIB = 1024 * 1024;
/** Host objects of thousands of guests. */
const SHARED_HEAP_MIB = 1024;
/** What a thread needs before its guest has an object. */
const OWN_HEAP_MIB = 24;
const CLOCK_TICK_NANOS = 10e6;
/** For a thread that neither moves nor burns time: it waits in the kernel for something. */
const HELD_MS = 2000;
/** The same where the guest that is to end is alone: nobody else loses by the end of its thread. */
const HELD_ALONE_MS = 30;

export class LoopThread {
  /** For one guest alone. */
  readonly isOwn: boolean;
  readonly interrupter: Interrupter;
  /** Workloads that were placed here and have not been forgotten. */
  guests = 0;
  readonly #worker: Worker;
  readonly #events: LoopEvents;
  readonly #progress: Int32Array;
  readonly #words: Int32Array;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<void>;
  #tid = 0;
  #asked = 0;
  #ended = false;

  constructor(events: LoopEvents, { insecureTrustedGuests, memories, mostMemories, own }: LoopThreadOptions) {
    this.#events = events;
    const control = controlMemory();
    this.isOwn = own !== undefined;
    this.#words = wordsOf(control);
    this.interrupter = new Interrupter(this.#words);
    const progress = new SharedArrayBuffer(4);
    const data: LoopData = { progress, control, memories, mostMemories, insecureTrustedGuests };
    this.#progress = new Int32Array(data.progress);
    const heapMib = own === undefined ? SHARED_HEAP_MIB : OWN_HEAP_MIB + Math.ceil(own.heapBytes / MIB);
    this.#worker = new Worker(entryUrl('loop'), {
      workerData: data,
      // Beyond it this thread ends, and not the process.
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: 8 },
    });
    this.#ready = new Promise((resolve) => {
      this.#worker.on('message', (message: FromLoop) => {
        if ('arm' in message) this.interrupter.arm();
        else if (!('ready' in message)) this.#take(message);
        else {
          this.#tid = message.ready;
          resolve();
        }
      });
    });
    this.#worker.on('error', (error) => {
      const outOfMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#end(
        outOfMemory ? 'its objects need more memory than its limit' : `its thread failed: ${messageOf(error)}`,
        {
          outOfMemory,
        },
      );
    });
    this.#worker.on('exit', () => this.#end('its thread ended'));
  }

  get ready(): Promise<void> {
    return this.#ready;
  }

  ask(request: LoopRequest): Promise<unknown> {
    if (this.#ended)
      return Promise.reject(runtimeError('RUNTIME_SANDBOX_GONE', 'Cannot ask the loop thread: it ended'));
    const ask = ++this.#asked;
    const answer = new Promise((resolve, reject) => this.#waiting.set(ask, { resolve, reject }));
    this.#worker.postMessage({ ...request, ask });
    this.interrupter.interrupt();
    return answer;
  }

  /** CPU time of the whole thread, as the kernel counts it: to 10 ms. */
  get cpuNanos(): number {
    return (threadTicks(this.#tid) ?? 0) * CLOCK_TICK_NANOS;
  }

  /** Ends the thread, which nobody needs any more. */
  async stop(): Promise<void> {
    this.#end('it was not needed any more');
    await this.#worker.terminate();
  }

  /** Resolves when the loop took the request up; ends the thread when something holds it. */
  async askOrEnd(request: LoopRequest, reason: string): Promise<void> {
    const watch = setTimeout(() => void this.#watch(() => done, reason), WATCH_MS);
    let done = false;
    try {
      await this.ask(request);
    } finally {
      done = true;
      clearTimeout(watch);
    }
  }

  /** Ends when the request is done, when the thread moves on by itself, or with the thread. */
  async #watch(isDone: () => boolean, reason: string): Promise<void> {
    let seen = this.#moves;
    let ticks = threadTicks(this.#tid) ?? 0;
    let since = Date.now();
    const patience = this.guests <= 1 ? HELD_ALONE_MS : HELD_MS;
    while (!isDone() && !this.#ended) {
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
      const now = this.#moves;
      const burnt = (threadTicks(this.#tid) ?? 0) - ticks;
      if (now !== seen) {
        seen = now;
        ticks += burnt;
        since = Date.now();
      } else if (!isDone() && (burnt >= HELD_TICKS || Date.now() - since >= patience)) {
        this.#end(reason);
        await this.#worker.terminate();
      }
    }
  }

  /** Changes when the thread takes up another message, or another guest: it is not held by one thing. */
  get #moves(): number {
    return Atomics.load(this.#progress, 0) + Atomics.load(this.#words, WORD.turn);
  }

  #take(message: Exclude<FromLoop, { ready: number } | { arm: true }>): void {
    if (this.#ended) return;
    if ('started' in message) this.#events.started(message.started, message.at);
    else if ('exited' in message) this.#events.exited(message.exited, message.exit, message.at);
    else this.#answer(message);
  }

  #answer(message: Extract<FromLoop, { answer: number }>): void {
    const waiting = this.#waiting.get(message.answer);
    this.#waiting.delete(message.answer);
    if (message.error === undefined) waiting?.resolve(message.ok);
    else waiting?.reject(loopError(message.error));
  }

  #end(reason: string, { outOfMemory = false } = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    this.interrupter.stop();
    this.#events.ended(reason, { outOfMemory });
    const error = runtimeError('RUNTIME_SANDBOX_GONE', `Cannot go on with the workload: ${reason}`);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function loopError({ code, message }: { readonly code: string; readonly message: string }): Error {
  return runtimeError(isRuntimeErrorCode(code) ? code : 'RUNTIME_CREATE_FAILED', message);
}
