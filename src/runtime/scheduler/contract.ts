/**
 * Who has a loop thread: guests as tasks with weights and quotas. No WebAssembly word here: a task is entered by a step and
 * gives the thread back. What is decided, and why, is in docs/decisions/0011-engine.md.
 */

export interface TaskLimits {
  /** Relative share of the thread; Kubernetes' `cpu.shares` (1024 a core). */
  readonly cpuShares?: number | undefined;
  /** Thousandths of a core that may be used; absent means no quota. */
  readonly cpuMillis?: number | undefined;
}

export interface Task {
  /** Runs `step` when it is this task's turn: it enters the guest, or settles what the guest waits for. One step at a time. */
  ready(step: () => void): void;
  /** The task gave the thread back: it waits, or is over. Idempotent. */
  pause(): void;
  /** Whether the task, which has the thread, must give it back now. Cheap: it reads one word. */
  isDue(): boolean;
  /** Runs `call` in which the task cannot be suspended: `isDue` is false in it until a budget is over. */
  unsuspendable<T>(call: () => T): T;
  /** The budget of `unsuspendable` is over: the guest must be trapped. */
  readonly isOverdue: boolean;
  limit(limits: TaskLimits): void;
  /** CPU time of the thread that was this task's, in nanoseconds. */
  readonly cpuNanos: number;
  /** Forgets the task; a step that waits is dropped. */
  end(): void;
}

export interface Scheduler {
  add(limits?: TaskLimits): Task;
  /** Share of the last second that tasks had the thread, 0 to 1. */
  readonly busy: number;
}
