/**
 * Takes the thread back from guests that do not give it: a timer of the control thread that looks whether the turn it saw last still goes
 * on, and sets the interrupt word. It runs only while guests have turns; a loop thread that begins one asks for it when it does not run.
 */
import { WORD } from '../../scheduler/mod.ts';

/** Half of the shortest turn that is taken back: a turn is seen in its first tick and interrupted in the next. */
const TICK_MS = 2;
/** Ticks that a guest may go on when nobody else is ready; the event loop is to be looked at all the same. */
const TICKS_ALONE = 2;
/** Fewer turns in a tick are not worth a timer that runs on. */
const FEW_TURNS = 8;
/** The busy share forgets within about this time. */
const BUSY_MS = 100;

export interface InterrupterClock {
  readonly now: () => number;
  readonly after: (milliseconds: number, call: () => void) => void;
}

const systemClock: InterrupterClock = {
  now: () => performance.now(),
  after: (milliseconds, call) => void setTimeout(call, milliseconds).unref(),
};

export class Interrupter {
  readonly #words: Int32Array;
  readonly #clock: InterrupterClock;
  #running = false;
  #stopped = false;
  #seen = 0;
  #ticks = 0;
  #busy = { at: 0, counted: 0, share: 0 };

  constructor(words: Int32Array, clock: InterrupterClock = systemClock) {
    this.#words = words;
    this.#clock = clock;
    this.#busy.at = clock.now();
  }

  /** Share of the recent time that guests had the thread, 0 to 1. */
  get busy(): number {
    this.#measure();
    return Math.min(1, this.#busy.share);
  }

  /** How many guests have the thread or wait for it. */
  get ready(): number {
    return (this.#words[WORD.ready] ?? 0) + (this.#turn() & 1);
  }

  /** A turn begins and no timer runs. */
  arm(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    Atomics.store(this.#words, WORD.armed, 1);
    this.#seen = this.#turn();
    this.#ticks = 0;
    this.#schedule();
  }

  /** Whatever has the thread gives it back: there is a message to take up. */
  interrupt(): void {
    this.#words[WORD.interrupt] = 1;
  }

  stop(): void {
    this.#stopped = true;
  }

  #turn(): number {
    return Atomics.load(this.#words, WORD.turn);
  }

  #schedule(): void {
    this.#clock.after(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    if (this.#stopped) return;
    const turn = this.#turn();
    const turns = (turn - this.#seen) | 0;
    const isHeld = (turn & 1) === 1;
    this.#ticks = isHeld && turns === 0 ? this.#ticks + 1 : 0;
    this.#seen = turn;
    const others = this.#words[WORD.ready] ?? 0;
    if (this.#ticks >= (others > 0 ? 1 : TICKS_ALONE)) this.interrupt();
    this.#measure();
    if (!isHeld && turns < FEW_TURNS && this.#disarm(turn)) return;
    this.#schedule();
  }

  /** False when a turn began in the meantime, whose thread may have seen the timer as running. */
  #disarm(turn: number): boolean {
    Atomics.store(this.#words, WORD.armed, 0);
    if (this.#turn() === turn) {
      this.#running = false;
      return true;
    }
    Atomics.store(this.#words, WORD.armed, 1);
    return false;
  }

  #measure(): void {
    const now = this.#clock.now();
    const elapsed = now - this.#busy.at;
    if (elapsed < 1) return;
    const counted = this.#words[WORD.busy] ?? 0;
    // A turn is counted at its end: one that was longer than this time stands for the times before, in which nothing was counted.
    const recent = ((counted - this.#busy.counted) | 0) / 1000 / elapsed;
    const weight = 1 - Math.exp(-elapsed / BUSY_MS);
    this.#busy = { at: now, counted, share: this.#busy.share + (recent - this.#busy.share) * weight };
  }
}
