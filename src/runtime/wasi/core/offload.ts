/**
 * Helper threads for calls that may wait in the kernel for something that never answers. Started when first needed, ended when idle: a
 * guest whose files are on this machine's disks costs none. Calls are made in lanes, one a mount, so that a mount that hangs
 * holds its own few threads and nobody else's; when all of them hang, calls on it answer EBUSY at once instead of waiting for ever.
 *
 * A call cannot be taken back from the kernel: who gave up on it lets it be, and what comes of it late is closed by its caller's
 * continuation (`DescriptorTable.add`).
 */
import { isMainThread, Worker } from 'node:worker_threads';
import { type Clock, entryUrl, systemClock } from '#kit';
import { endWithin } from '#kit/os';
import type { Blocking, BlockingName } from './blocking.ts';
import { fail } from './errno.ts';

export interface Order {
  readonly call: BlockingName;
  readonly args: readonly unknown[];
}

export type Answer = { readonly result: unknown } | { readonly code: string; readonly message: string };

export interface OffloadOptions {
  /** Threads in all, and for one lane. */
  readonly most?: number;
  readonly mostOfLane?: number;
  /** A lane whose threads have been busy for so long, each with one call, hangs. */
  readonly hangsAfterMs?: number;
  readonly idleMs?: number;
  readonly clock?: Pick<Clock, 'monotonic' | 'sleep'>;
}

interface Job extends Order {
  readonly lane: Lane;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
}

interface Lane {
  readonly key: number;
  readonly waiting: Job[];
  readonly busy: Set<HelperThread>;
  watched: boolean;
}

const DEFAULTS = { most: 16, mostOfLane: 4, hangsAfterMs: 2000, idleMs: 5000, clock: systemClock };
/** What a helper needs is small, and its stack is Node's. */
const RESOURCES = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

/** A process whose helper hangs would never end by itself. */
let guarded = false;
const EXIT_MS = 500;

class HelperThread {
  job: Job | undefined;
  /** When it began with its job, or to rest. */
  since = 0;
  readonly #worker: Worker;

  constructor({ answered, ended }: { answered: (answer: Answer) => void; ended: () => void }) {
    this.#worker = new Worker(entryUrl('offload'), { resourceLimits: RESOURCES, execArgv: ['--no-warnings'] });
    this.#worker.on('message', answered);
    this.#worker.on('error', ended);
    this.#worker.on('exit', ended);
    this.#worker.unref();
  }

  /** While somebody waits for the answer, the process does not end by itself. */
  make(job: Job, now: number): void {
    this.job = job;
    this.since = now;
    this.#worker.ref();
    this.#worker.postMessage({ call: job.call, args: job.args } satisfies Order);
    job.signal?.addEventListener('abort', this.#forsaken, { once: true });
  }

  rest(now: number): void {
    this.since = now;
    this.job?.signal?.removeEventListener('abort', this.#forsaken);
    this.job = undefined;
    this.#worker.unref();
  }

  end(): void {
    void this.#worker.terminate();
  }

  readonly #forsaken = (): void => {
    this.#worker.unref();
  };
}

export class Offload {
  readonly #options: Required<OffloadOptions>;
  readonly #threads = new Set<HelperThread>();
  readonly #idle: HelperThread[] = [];
  readonly #lanes = new Map<number, Lane>();
  #sweeping: NodeJS.Timeout | undefined;

  constructor(options: OffloadOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Threads that there are. */
  get threads(): number {
    return this.#threads.size;
  }

  /** Calls that are being made. */
  get busy(): number {
    return this.#threads.size - this.#idle.length;
  }

  /**
   * Makes a call on another thread. Rejects with EBUSY where the lane hangs, and with the errno of what the call throws. One that is
   * aborted before it is made is not made, and rejects with ECANCELED.
   */
  run<Name extends BlockingName>(
    call: Name,
    args: Parameters<Blocking[Name]>,
    { lane: key, signal }: { lane: number; signal?: AbortSignal | undefined },
  ): Promise<ReturnType<Blocking[Name]>> {
    return new Promise((resolve, reject) => {
      const lane = this.#lanes.get(key) ?? { key, waiting: [], busy: new Set<HelperThread>(), watched: false };
      this.#lanes.set(key, lane);
      const job: Job = { call, args, lane, resolve: resolve as Job['resolve'], reject, signal };
      if (this.#start(job)) return;
      // A close is never refused: it would be lost.
      if (call !== 'closeDescriptor' && this.#hangs(lane)) reject(fail('BUSY'));
      else lane.waiting.push(job);
      void this.#watch(lane);
    });
  }

  #start(job: Job): boolean {
    const { most, mostOfLane, clock } = this.#options;
    if (job.lane.busy.size >= mostOfLane) return false;
    const thread = this.#idle.pop() ?? (this.#threads.size < most ? this.#add() : undefined);
    if (thread === undefined) return false;
    job.lane.busy.add(thread);
    thread.make(job, clock.monotonic());
    return true;
  }

  #add(): HelperThread {
    if (isMainThread && !guarded) {
      guarded = true;
      process.once('exit', () => endWithin(EXIT_MS));
    }
    const thread = new HelperThread({
      answered: (answer) => this.#answered(thread, answer),
      ended: () => this.#ended(thread),
    });
    this.#threads.add(thread);
    return thread;
  }

  #answered(thread: HelperThread, answer: Answer): void {
    const { job } = thread;
    if (job === undefined) return;
    thread.rest(this.#options.clock.monotonic());
    this.#idle.push(thread);
    this.#leave(thread, job);
    if ('result' in answer) job.resolve(answer.result);
    else job.reject(Object.assign(new Error(answer.message), { code: answer.code }));
  }

  #ended(thread: HelperThread): void {
    this.#threads.delete(thread);
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
    const { job } = thread;
    if (job === undefined) return;
    thread.job = undefined;
    this.#leave(thread, job);
    job.reject(fail('IO'));
  }

  /** A place is free: the next of this lane, or of any. */
  #leave(thread: HelperThread, { lane }: Job): void {
    lane.busy.delete(thread);
    for (const one of [lane, ...this.#lanes.values()]) {
      for (let job = one.waiting[0]; job !== undefined; job = one.waiting[0]) {
        if (job.signal?.aborted === true && job.call !== 'closeDescriptor') job.reject(fail('CANCELED'));
        else if (!this.#start(job)) break;
        one.waiting.shift();
      }
      if (one.busy.size === 0 && one.waiting.length === 0) this.#lanes.delete(one.key);
    }
    this.#sweeping ??= setInterval(() => this.#sweep(), this.#options.idleMs).unref();
  }

  /** Whether nothing of the lane was answered for long, though it has all the threads that it can get. */
  #hangs({ busy }: Lane): boolean {
    const { clock, hangsAfterMs } = this.#options;
    const since = clock.monotonic() - hangsAfterMs;
    const threads = busy.size > 0 ? busy : this.#threads;
    return [...threads].every((thread) => thread.job !== undefined && thread.since <= since);
  }

  /** Refuses what waits in a lane when it is seen to hang. */
  async #watch(lane: Lane): Promise<void> {
    if (lane.watched) return;
    lane.watched = true;
    while (lane.waiting.some(({ call }) => call !== 'closeDescriptor')) {
      await this.#options.clock.sleep(this.#options.hangsAfterMs);
      if (!this.#hangs(lane)) continue;
      const refused = lane.waiting.filter(({ call }) => call !== 'closeDescriptor');
      lane.waiting.splice(0, lane.waiting.length, ...lane.waiting.filter((job) => !refused.includes(job)));
      for (const job of refused) job.reject(fail('BUSY'));
    }
    lane.watched = false;
  }

  /** Ends the threads that nobody needed for long. */
  #sweep(): void {
    const { clock, idleMs } = this.#options;
    const since = clock.monotonic() - idleMs;
    for (const thread of this.#idle.filter((idle) => idle.since <= since)) {
      this.#idle.splice(this.#idle.indexOf(thread), 1);
      this.#threads.delete(thread);
      thread.end();
    }
    if (this.#threads.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}

/** The helper threads of this thread's guests. */
export const offload = new Offload();
