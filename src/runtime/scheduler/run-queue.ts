/**
 * Who is next: the decision, without threads or clocks of its own. Fair shares as Linux' CFS has them (a virtual time that runs
 * slower for those with more weight), quotas as its bandwidth control has them (so much in each period, debts paid back).
 * Every step costs the logarithm of the number of those who wait. All times are nanoseconds; `now` never goes back.
 */
import type { TaskLimits } from './contract.ts';
import { Heap, type HeapItem } from './heap.ts';

export const SLICE_NANOS = 2e6;
/** Of a task that is alone: the event loop has to be looked at all the same. */
export const LONG_SLICE_NANOS = 5e6;
export const PERIOD_NANOS = 100e6;
const DEFAULT_SHARES = 1024;
/** What Kubernetes and the kernel know as the least. */
const LEAST_SHARES = 2;

/** One task's place. `key` is its virtual time while it is ready, the time of its release while it is throttled. */
export class Place<T> implements HeapItem {
  readonly owner: T;
  key = 0;
  order = 0;
  at = -1;
  virtual = Number.NEGATIVE_INFINITY;
  shares = DEFAULT_SHARES;
  /** Nanoseconds a period; undefined without a quota. */
  budget: number | undefined;
  /** Of the budget, in the period that began at `since`; more than the budget is debt. */
  used = 0;
  since = 0;

  constructor(owner: T) {
    this.owner = owner;
  }
}

export class RunQueue<T> {
  readonly #ready = new Heap<Place<T>>();
  readonly #throttled = new Heap<Place<T>>();
  /** The least virtual time of those who compete; never goes back. */
  #floor = 0;

  /** How many are ready. Those whose release has come count from the next `next` or `release` on. */
  get size(): number {
    return this.#ready.size;
  }

  /** When the first throttled one is released. */
  get soonest(): number | undefined {
    return this.#throttled.first?.key;
  }

  add(owner: T, limits: TaskLimits = {}): Place<T> {
    const place = new Place(owner);
    setLimits(place, limits);
    return place;
  }

  /** Also of a place that waits here. A new quota forgives debts. */
  limit(place: Place<T>, limits: TaskLimits, now: number): void {
    const waits = this.#ready.has(place) || this.#throttled.has(place);
    if (waits) this.remove(place);
    setLimits(place, limits);
    if (waits) this.enqueue(place, now);
  }

  /** The place is ready from now on: next before those who used more, yet without a claim to the time that it slept through. */
  enqueue(place: Place<T>, now: number): void {
    const release = releaseOf(place, now);
    if (release > now) {
      place.key = release;
      this.#throttled.push(place);
      return;
    }
    place.virtual = this.#placed(place);
    place.key = place.virtual;
    this.#ready.push(place);
  }

  /** Takes out the one whose turn it is. */
  next(now: number): Place<T> | undefined {
    this.release(now);
    const place = this.#ready.pop();
    if (place !== undefined) this.#raiseFloor(place.virtual);
    return place;
  }

  /** Lets those go whose next period has come. */
  release(now: number): void {
    for (let first = this.#throttled.first; first !== undefined && first.key <= now; first = this.#throttled.first) {
      this.#throttled.pop();
      this.enqueue(first, now);
    }
  }

  /** The place, which is in no queue, had the thread for so long. */
  charge(place: Place<T>, nanos: number, now: number): void {
    place.virtual = this.#placed(place);
    place.virtual += (nanos * DEFAULT_SHARES) / place.shares;
    if (place.budget !== undefined) {
      turnPeriod(place, place.budget, now);
      place.used += nanos;
    }
    const first = this.#ready.first;
    this.#raiseFloor(first === undefined ? place.virtual : Math.min(place.virtual, first.virtual));
  }

  remove(place: Place<T>): void {
    this.#ready.remove(place);
    this.#throttled.remove(place);
  }

  /** Of what a place did not use it may claim one slice. */
  #placed({ virtual, shares }: Place<T>): number {
    return Math.max(virtual, this.#floor - (SLICE_NANOS * DEFAULT_SHARES) / shares);
  }

  #raiseFloor(virtual: number): void {
    this.#floor = Math.max(this.#floor, virtual);
  }
}

function setLimits<T>(place: Place<T>, { cpuShares = DEFAULT_SHARES, cpuMillis }: TaskLimits): void {
  place.shares = Math.max(LEAST_SHARES, cpuShares);
  const budget = cpuMillis === undefined ? undefined : (Math.max(1, cpuMillis) / 1000) * PERIOD_NANOS;
  if (budget !== place.budget) place.used = Math.min(place.used, place.budget ?? 0, budget ?? 0);
  place.budget = budget;
}

/** Begins the period that `now` is in; each that went by pays back a budget. */
function turnPeriod<T>(place: Place<T>, budget: number, now: number): void {
  const periods = Math.floor((now - place.since) / PERIOD_NANOS);
  if (periods <= 0) return;
  place.since += periods * PERIOD_NANOS;
  place.used = Math.max(0, place.used - periods * budget);
}

/** The start of the first period with something left of the budget; `now` or before when that is this one. */
function releaseOf<T>(place: Place<T>, now: number): number {
  const { budget } = place;
  if (budget === undefined) return now;
  turnPeriod(place, budget, now);
  return place.used < budget ? now : place.since + Math.floor(place.used / budget) * PERIOD_NANOS;
}
