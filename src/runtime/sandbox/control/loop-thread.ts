/**
 * The control thread's end of a loop thread: requests and answers, and the watch for a guest that holds the thread.
 *
 * V8 ends a thread between any two loop iterations of a guest, but not one guest of several: so a kill that the loop does
 * not take up while it burns its time on one thing ends the whole thread (docs/decisions/0005-first-shape.md).
 */
import { Worker } from 'node:worker_threads';
import { entryUrl, messageOf } from '#kit';
import { threadTicks } from '#kit/os';
import type { Exit } from '../../contract.ts';
import { isRuntimeErrorCode, runtimeError } from '../errors.ts';
import type { FromLoop, LoopData, LoopRequest } from '../loop/messages.ts';

export interface LoopEvents {
  started(key: string, at: number): void;
  exited(key: string, exit: Exit, at: number): void;
  /** The thread is gone and with it every guest on it; `reason` is a clause for their message. */
  ended(reason: string): void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A kernel clock tick is 10 ms; ten of them without a message taken up are one guest's. */
const HELD_TICKS = 10;
const WATCH_MS = 50;
/** For a thread that neither moves nor burns time: it waits in the kernel for something. */
const HELD_MS = 2000;

export class LoopThread {
  readonly #worker: Worker;
  readonly #events: LoopEvents;
  readonly #progress: Int32Array;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<void>;
  #tid = 0;
  #asked = 0;
  #ended = false;

  constructor(events: LoopEvents, { insecureTrustedGuests }: { readonly insecureTrustedGuests: boolean }) {
    this.#events = events;
    const data: LoopData = { progress: new SharedArrayBuffer(4), insecureTrustedGuests };
    this.#progress = new Int32Array(data.progress);
    this.#worker = new Worker(entryUrl('loop'), {
      workerData: data,
      // Host objects of guests; what is over ends this thread and not the process.
      resourceLimits: { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 8 },
    });
    this.#ready = new Promise((resolve) => {
      this.#worker.on('message', (message: FromLoop) => {
        if ('ready' in message) this.#tid = message.ready;
        if ('ready' in message) resolve();
        else this.#take(message);
      });
    });
    this.#worker.on('error', (error) => this.#end(`its thread failed: ${messageOf(error)}`));
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
    return answer;
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
    let seen = Atomics.load(this.#progress, 0);
    let ticks = threadTicks(this.#tid) ?? 0;
    let since = Date.now();
    while (!isDone() && !this.#ended) {
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
      const now = Atomics.load(this.#progress, 0);
      const burnt = (threadTicks(this.#tid) ?? 0) - ticks;
      if (now !== seen) {
        seen = now;
        ticks += burnt;
        since = Date.now();
      } else if (!isDone() && (burnt >= HELD_TICKS || Date.now() - since >= HELD_MS)) {
        this.#end(reason);
        await this.#worker.terminate();
      }
    }
  }

  #take(message: Exclude<FromLoop, { ready: number }>): void {
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

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.ended(reason);
    const error = runtimeError('RUNTIME_SANDBOX_GONE', `Cannot go on with the workload: ${reason}`);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function loopError({ code, message }: { readonly code: string; readonly message: string }): Error {
  return runtimeError(isRuntimeErrorCode(code) ? code : 'RUNTIME_CREATE_FAILED', message);
}
