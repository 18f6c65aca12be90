/**
 * Gives the loop thread to one task after another: `RunQueue` decides, this enters. A step runs at once where nobody else has the
 * thread, so that a guest which waits for its socket goes on in the turn in which the bytes come; it runs in a later turn of the event
 * loop where tasks have had a part of a slice since the loop was looked at.
 *
 * A turn is charged with its length, unless that is so long that the kernel may have given the processor to others meanwhile: then with no
 * more than the CPU time that the thread has used since it was last asked. So a guest that waits for its socket pays no system call.
 */
import type { Scheduler, Task, TaskLimits } from './contract.ts';
import { WORD } from './control.ts';
import { type Place, RunQueue } from './run-queue.ts';

/** What the driver needs of its thread. */
export interface Thread {
  /** Nanoseconds of a clock that nobody sets. */
  readonly now: () => number;
  /** Nanoseconds of CPU time that this thread has used, exactly; absent where the system cannot be asked. */
  readonly cpu?: (() => number) | undefined;
  /** After the event loop has been looked at. */
  readonly later: (call: () => void) => void;
  /** Before it is. */
  readonly soon: (call: () => void) => void;
  /** After so many milliseconds; answers how to take it back. */
  readonly at: (milliseconds: number, call: () => void) => () => void;
  /** See `control.ts`. */
  readonly words: Int32Array;
  /** Starts the timer that interrupts. */
  readonly arm: () => void;
}

export const systemThread: Omit<Thread, 'words' | 'arm'> = {
  now: () => performance.now() * 1e6,
  later: setImmediate,
  soon: queueMicrotask,
  at: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** So long may tasks run one after another before the event loop is looked at. */
const TURN_NANOS = 500_000;
/** A turn of less is charged with its length. */
const SHORT_NANOS = 200_000;
/** What the thread did between turns for longer than this is not to be taken for a guest's. */
const STALE_NANOS = 5e6;
/** For a call that cannot be suspended. */
const UNSUSPENDABLE_NANOS = 50e6;
const BUSY_WINDOW_NANOS = 1e9;

export class LoopScheduler implements Scheduler {
  readonly #thread: Thread;
  readonly #queue = new RunQueue<LoopTask>();
  #current: LoopTask | undefined;
  #began = 0;
  /** The last reading of the CPU clock, and what short turns were charged with since. */
  #cpu = 0;
  #charged = 0;
  #readAt = Number.NEGATIVE_INFINITY;
  /** Of tasks, since the event loop was looked at. */
  #ran = 0;
  #planned = false;
  #alarm: { readonly at: number; readonly cancel: () => void } | undefined;
  #total = 0;
  #window = { since: 0, total: 0, share: 0 };

  constructor(thread: Thread) {
    this.#thread = thread;
    this.#window.since = thread.now();
  }

  add(limits: TaskLimits = {}): Task {
    return new LoopTask(this, (task) => this.#queue.add(task, limits));
  }

  get busy(): number {
    this.#turnWindow();
    const elapsed = this.#thread.now() - this.#window.since;
    const part = elapsed / BUSY_WINDOW_NANOS;
    const recent = elapsed > 0 ? (this.#total - this.#window.total) / elapsed : 0;
    return Math.min(1, part * recent + (1 - part) * this.#window.share);
  }

  get thread(): Thread {
    return this.#thread;
  }

  ready(task: LoopTask): void {
    this.#queue.enqueue(task.place, this.#thread.now());
    if (this.#current !== undefined || this.#planned) this.#thread.words[WORD.ready] = this.#queue.size;
    else if (this.#ran < TURN_NANOS) this.#next();
    else this.#plan();
  }

  leave(task: LoopTask): void {
    if (this.#current !== task) return;
    const { words } = this.#thread;
    const now = this.#thread.now();
    const used = this.#measure(now);
    this.#current = undefined;
    words[WORD.turn] = ((words[WORD.turn] ?? 0) + 1) | 0;
    task.used += used;
    this.#total += now - this.#began;
    words[WORD.busy] = (this.#total / 1000) | 0;
    this.#ran += used;
    this.#queue.charge(task.place, used, now);
    this.#plan();
  }

  limit(task: LoopTask, limits: TaskLimits): void {
    this.#queue.limit(task.place, limits, this.#thread.now());
    if (this.#current === undefined && !this.#planned) this.#plan();
  }

  end(task: LoopTask): void {
    this.leave(task);
    this.#queue.remove(task.place);
  }

  /** Whether the task has the thread. */
  has(task: LoopTask): boolean {
    return this.#current === task;
  }

  /** What the task has used of the turn that it is in. */
  inTurn(task: LoopTask): number {
    return this.#current === task ? Math.max(0, this.#thread.now() - this.#began) : 0;
  }

  /** The CPU time of the turn that ends now. */
  #measure(now: number): number {
    const length = now - this.#began;
    if (this.#thread.cpu === undefined) return length;
    if (length < SHORT_NANOS) {
      this.#charged += length;
      return length;
    }
    const before = this.#cpu + this.#charged;
    this.#read(now);
    return Math.max(0, Math.min(length, this.#cpu - before));
  }

  #read(now: number): void {
    this.#cpu = this.#thread.cpu?.() ?? 0;
    this.#charged = 0;
    this.#readAt = now;
  }

  #next(): void {
    const { words } = this.#thread;
    const now = this.#thread.now();
    const place = this.#queue.next(now);
    if (place === undefined) {
      this.#sleep();
      return;
    }
    const task = place.owner;
    this.#current = task;
    words[WORD.interrupt] = 0;
    words[WORD.ready] = this.#queue.size;
    // Ordered: whoever stops the timer looks at the turn afterwards.
    Atomics.store(words, WORD.turn, ((words[WORD.turn] ?? 0) + 1) | 0);
    if (Atomics.load(words, WORD.armed) === 0) {
      words[WORD.armed] = 1;
      this.#thread.arm();
    }
    this.#began = now;
    if (now - this.#readAt > STALE_NANOS) this.#read(now);
    task.step();
  }

  /** Somebody may be next: soon, or after the event loop where it has waited for long enough. */
  #plan(): void {
    if (this.#planned) return;
    const { later, soon } = this.#thread;
    if (this.#ran >= TURN_NANOS) {
      this.#planned = true;
      later(() => {
        this.#ran = 0;
        this.#go();
      });
    } else if (this.#queue.size > 0) {
      this.#planned = true;
      soon(() => this.#go());
    } else {
      this.#sleep();
    }
  }

  #go(): void {
    this.#planned = false;
    if (this.#current === undefined) this.#next();
  }

  /** Nobody is ready: until somebody's next period, or until somebody comes. */
  #sleep(): void {
    const { soonest } = this.#queue;
    if (soonest === undefined || (this.#alarm !== undefined && this.#alarm.at <= soonest)) return;
    this.#alarm?.cancel();
    const milliseconds = Math.max(1, Math.ceil((soonest - this.#thread.now()) / 1e6));
    const cancel = this.#thread.at(milliseconds, () => {
      this.#alarm = undefined;
      if (this.#current === undefined && !this.#planned) this.#next();
    });
    this.#alarm = { at: soonest, cancel };
  }

  #turnWindow(): void {
    const now = this.#thread.now();
    const elapsed = now - this.#window.since;
    if (elapsed < BUSY_WINDOW_NANOS) return;
    this.#window = { since: now, total: this.#total, share: (this.#total - this.#window.total) / elapsed };
  }
}

class LoopTask implements Task {
  readonly place: Place<LoopTask>;
  readonly #scheduler: LoopScheduler;
  readonly #words: Int32Array;
  #step: (() => void) | undefined;
  #over = false;
  used = 0;
  /** Depth of `unsuspendable`, and the reading of `cpuNanos` at which its budget is over. */
  #depth = 0;
  #budget = 0;
  #wasDue = false;

  constructor(scheduler: LoopScheduler, place: (task: LoopTask) => Place<LoopTask>) {
    this.#scheduler = scheduler;
    this.#words = scheduler.thread.words;
    this.place = place(this);
  }

  get cpuNanos(): number {
    return this.used + this.#scheduler.inTurn(this);
  }

  ready(step: () => void): void {
    if (this.#over) return;
    if (this.#step !== undefined) throw new Error('Cannot wait for two turns of one task');
    this.#step = step;
    this.#scheduler.ready(this);
  }

  pause(): void {
    this.#scheduler.leave(this);
  }

  isDue(): boolean {
    if (this.#words[WORD.interrupt] === 0 || !this.#scheduler.has(this)) return false;
    if (this.#depth === 0) return true;
    // Taken back, so that the guest does not ask in each round; the timer sets it again.
    this.#words[WORD.interrupt] = 0;
    this.#wasDue = true;
    return false;
  }

  get isOverdue(): boolean {
    return this.#depth > 0 && this.cpuNanos >= this.#budget;
  }

  unsuspendable<T>(call: () => T): T {
    if (this.#depth++ === 0) this.#budget = this.cpuNanos + UNSUSPENDABLE_NANOS;
    try {
      return call();
    } finally {
      if (--this.#depth === 0 && this.#wasDue) {
        this.#wasDue = false;
        this.#words[WORD.interrupt] = 1;
      }
    }
  }

  limit(limits: TaskLimits): void {
    if (!this.#over) this.#scheduler.limit(this, limits);
  }

  end(): void {
    this.#over = true;
    this.#step = undefined;
    this.#scheduler.end(this);
  }

  /** For the scheduler: enters the guest. */
  step(): void {
    const step = this.#step;
    this.#step = undefined;
    if (step === undefined) this.pause();
    else step();
  }
}
