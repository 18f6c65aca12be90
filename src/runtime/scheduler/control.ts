/**
 * The words of a loop thread's control memory: one shared page that the checks in its guests read, that its driver writes, and that
 * the control thread's timer reads and interrupts by. Plain loads and stores suffice: a word that is seen late costs a part of a slice.
 */
export const WORD = {
  /** Not 0: who has the thread is to give it back. The only word that guests read. */
  interrupt: 0,
  /** Grows when the thread is given and when it is given back: odd while somebody has it. */
  turn: 1,
  /** 1 while the control thread's timer runs; the driver asks for it when it is 0. */
  armed: 2,
  /** How many others are ready. */
  ready: 3,
  /** Microseconds by the clock that tasks had the thread since it began, whether or not it had a processor; wraps. */
  busy: 4,
} as const;

export function controlMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
}

export function wordsOf(memory: WebAssembly.Memory): Int32Array {
  return new Int32Array(memory.buffer, 0, 16);
}
