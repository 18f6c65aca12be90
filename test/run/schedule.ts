/**
 * What runs beside what: two places, one for each core. A group takes one; a group that must be alone, both; a heavy
 * setup step one as well, so that the quick groups fill the minutes of a build and timing-sensitive ones wait for its end.
 */
export interface Task {
  readonly name: string;
  readonly places: 1 | 2;
  /** Tasks that must be done first. */
  readonly after: readonly string[];
  run(): Promise<void>;
}

const PLACES = 2;

/** Runs every task once; earlier ones first where they can. A task's failure is its own to report: `run` must not throw. */
export async function runTasks(tasks: readonly Task[], { signal }: { signal: AbortSignal }): Promise<void> {
  const waiting = [...tasks];
  const done = new Set<string>();
  const running = new Set<Promise<void>>();
  let free = PLACES;
  function startable(task: Task): boolean {
    return task.places <= free && task.after.every((name) => done.has(name) || !tasks.some((one) => one.name === name));
  }
  for (;;) {
    const index = signal.aborted ? -1 : waiting.findIndex(startable);
    const [task] = index < 0 ? [] : waiting.splice(index, 1);
    if (task !== undefined) {
      free -= task.places;
      const running1 = task.run().finally(() => {
        free += task.places;
        done.add(task.name);
        running.delete(running1);
      });
      running.add(running1);
    } else if (running.size > 0) {
      await Promise.race(running);
    } else {
      if (waiting.length > 0 && !signal.aborted) throw new Error(`Cannot run ${waiting[0]?.name}: its needs never end`);
      return;
    }
  }
}
