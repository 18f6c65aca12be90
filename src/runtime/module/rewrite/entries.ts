/**
 * How often functions are entered in a run, as far as calls tell: counted along them from the start, up to a few. What is called in a
 * loop, by reference, or by itself in turn counts as entered often.
 */

/** Entered more often than this is often. */
const FEW = 4;
const OFTEN = FEW + 1;
/** Calls in a row from the start: what a program does is near it, and what its libraries do is far. */
const FAR = 2;
/** Rounds of adding up: functions that call each other in turn add up to often in them. */
const ROUNDS = 4 * FEW;
/** Calls that are remembered; in a module with more, no function is entered rarely. */
const MOST_CALLS = 2_000_000;

export class Entries {
  readonly #count: Uint8Array;
  readonly #distance: Uint8Array;
  readonly #callers: number[] = [];
  readonly #callees: number[] = [];
  readonly #starts: number[] = [];
  readonly #exported: number[] = [];
  #tooMany = false;

  constructor(functions: number) {
    this.#count = new Uint8Array(functions);
    this.#distance = new Uint8Array(functions).fill(FAR + 1);
  }

  called(caller: number, { callee, inLoop }: { readonly callee: number; readonly inLoop: boolean }): void {
    if (inLoop) this.#count[callee] = OFTEN;
    else if (this.#callers.length < MOST_CALLS) {
      this.#callers.push(caller);
      this.#callees.push(callee);
    } else this.#tooMany = true;
  }

  referred(callee: number): void {
    this.#count[callee] = OFTEN;
  }

  /** Of a module with a start, nothing else is called from outside. */
  exported(index: number, { isStart }: { readonly isStart: boolean }): void {
    (isStart ? this.#starts : this.#exported).push(index);
  }

  /** To be asked once all is told. */
  rare(): (index: number) => boolean {
    if (this.#tooMany || this.#starts.length === 0) return () => false;
    for (const index of this.#starts) {
      this.#count[index] = Math.max(1, this.#count[index] ?? 0);
      this.#distance[index] = 0;
    }
    this.#walk();
    return (index) => (this.#count[index] ?? OFTEN) <= FEW && (this.#distance[index] ?? OFTEN) <= FAR;
  }

  /** Adds up what reaches a function, one call further each time. What is further than far does not matter. */
  #walk(): void {
    const first = this.#count.slice();
    for (let round = 0; round < ROUNDS; round++) {
      const next = first.slice();
      this.#callers.forEach((caller, at) => {
        const callee = this.#callees[at] ?? 0;
        next[callee] = Math.min(OFTEN, (next[callee] ?? 0) + (this.#count[caller] ?? 0));
        const distance = (this.#distance[caller] ?? FAR) + 1;
        if (distance < (this.#distance[callee] ?? 0)) this.#distance[callee] = distance;
      });
      this.#count.set(next);
    }
  }
}
