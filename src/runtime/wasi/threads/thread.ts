/** One thread of a guest, seen from the host: its worker, its mailbox, and what it has cost. */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { entryUrl, messageOf } from '#kit';
import { errorExit } from '../exit.ts';
import type { ThreadData, ThreadEnd } from './contract.ts';
import { AnsweringMailbox } from './mailbox.ts';

/** A guest's worker runs no script but ours, and ours keeps nothing. */
const RESOURCES = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 1 } as const;

export interface GuestThreadOptions {
  readonly data: Omit<ThreadData, 'mailbox' | 'identity' | 'call'>;
  readonly call: ThreadData['call'];
  readonly serve: (index: number, args: readonly (number | bigint)[]) => Promise<number>;
  /** Called once, when nothing of the thread runs any more. */
  readonly ended: (end: ThreadEnd) => void;
}

export class GuestThread {
  readonly #options: GuestThreadOptions;
  readonly #worker: Worker;
  readonly #mailbox = new AnsweringMailbox();
  readonly #identity = new Int32Array(new SharedArrayBuffer(4));
  readonly #gone = Promise.withResolvers<void>();
  #end: ThreadEnd | undefined;
  #isOver = false;
  /** The last that was seen: the kernel forgets a thread's time with it. */
  #micros = 0;

  constructor(options: GuestThreadOptions) {
    this.#options = options;
    const identity = this.#identity.buffer as SharedArrayBuffer;
    const workerData: ThreadData = { ...options.data, mailbox: this.#mailbox.buffer, identity, call: options.call };
    this.#worker = new Worker(entryUrl('guest-thread'), {
      workerData,
      env: {},
      argv: [],
      execArgv: ['--no-warnings'],
      stdin: false,
      resourceLimits: RESOURCES,
    });
    this.#worker.on('message', (end: ThreadEnd) => {
      this.#end = end;
    });
    this.#worker.on('error', (error) => {
      this.#end ??= {
        exit: errorExit('Error', `a thread of the guest failed: ${messageOf(error)}`),
        cpuMicros: this.cpuMicros(),
      };
    });
    this.#worker.on('exit', () => this.#over());
    void this.#serve();
  }

  /** Resolves when the thread is gone, whatever it was doing. */
  async end(): Promise<void> {
    if (!this.#isOver) {
      this.cpuMicros();
      void this.#worker.terminate();
    }
    await this.#gone.promise;
  }

  /** CPU time of the thread so far. Source: Linux `Documentation/scheduler/sched-stats.rst`, /proc/<pid>/schedstat, in nanoseconds. */
  cpuMicros(): number {
    const tid = Atomics.load(this.#identity, 0);
    if (tid === 0 || this.#isOver) return this.#micros;
    try {
      const [nanos = '0'] = readFileSync(`/proc/self/task/${tid}/schedstat`, 'latin1').split(' ');
      this.#micros = Math.max(this.#micros, Number(nanos) / 1000);
    } catch {
      // It ended in between, or the kernel keeps no such numbers: what was seen before stands.
    }
    return this.#micros;
  }

  async #serve(): Promise<void> {
    while (!this.#isOver) {
      const call = await this.#mailbox.next();
      if (call === undefined || this.#isOver) continue;
      const answer = await this.#options.serve(call.index, call.args);
      this.#mailbox.answer(answer);
    }
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#mailbox.wake();
    this.#gone.resolve();
    const cpuMicros = Math.max(this.#micros, this.#end?.cpuMicros ?? 0);
    const exit =
      this.#end === undefined ? errorExit('Error', 'a thread of the guest ended without a word') : this.#end.exit;
    this.#options.ended({ exit, cpuMicros });
  }
}
