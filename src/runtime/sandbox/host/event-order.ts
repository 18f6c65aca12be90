/**
 * A sandbox's events in their order: numbered without gaps (docs/decisions/0003-sandbox-protocol.md). Between a new connection and the
 * snapshot they are held back, since the number that they follow is the snapshot's, and its answer may lie behind them on the way.
 */

/** A sandbox that says more than this before it answers a request says it for ever. */
const MOST_HELD = 100_000;

interface Held {
  readonly event: number;
  readonly act: () => void;
}

export class EventOrder {
  #last = 0;
  #held: Held[] | undefined;

  /** The connection is a new one to a sandbox that has been there: its snapshot is to come. */
  hold(): void {
    this.#held = [];
  }

  /** The snapshot has the states up to this event. Answers what is wrong with those that were held. */
  release(last: number): string | undefined {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#last = Math.max(this.#last, last);
    for (const { event, act } of held) {
      const wrong = this.take(event, act);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  /** Does what the event says when it is its turn, nothing when it is known; answers what is wrong with it otherwise. */
  take(event: number, act: () => void): string | undefined {
    if (this.#held !== undefined) {
      if (this.#held.length >= MOST_HELD) return `more than ${MOST_HELD} events before its snapshot`;
      this.#held.push({ event, act });
      return undefined;
    }
    if (event <= this.#last) return undefined;
    if (event !== this.#last + 1) return `event ${event} follows event ${this.#last}`;
    this.#last = event;
    act();
    return undefined;
  }
}
