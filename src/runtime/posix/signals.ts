/**
 * Signals of one guest: what it declared for each, which are blocked, which are pending. A signal that is to be taken up ends the wait of
 * the calls that can be interrupted; nothing is run in the midst of a guest. Semantics as POSIX's for a process with one thread.
 */
import { constants } from 'node:os';
import { Gate } from '../wasi/core/gate.ts';
import type { SignalOutcome } from './contract.ts';

export const ACTION = { default: 0, ignore: 1, take: 2 } as const;
export const HOW = { block: 0, unblock: 1, set: 2 } as const;
/** Of classic signals; there are no real-time ones. */
export const LAST_SIGNAL = 31;

const { SIGKILL, SIGSTOP, SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU } = constants.signals;
/** Their default is to do nothing; stopping is nothing here, since nobody could continue. */
const HARMLESS: ReadonlySet<number> = new Set([SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU]);
const FIXED: ReadonlySet<number> = new Set([SIGKILL, SIGSTOP]);
const ALL = (1n << BigInt(LAST_SIGNAL)) - 1n;
/** These two cannot be blocked. */
const BLOCKABLE = ALL & ~bitOf(SIGKILL) & ~bitOf(SIGSTOP);

export class Signals {
  readonly #actions = new Map<number, number>();
  #blocked = 0n;
  #pending = 0n;
  #interruption = new AbortController();

  /** Opens with every signal that becomes pending, blocked ones too: `signal_wait` waits for those. */
  readonly arrivals = new Gate();

  /** Aborted by the next signal that the guest has to take up. */
  get interruption(): AbortSignal {
    return this.#interruption.signal;
  }

  get pending(): bigint {
    return this.#pending;
  }

  /** Whether a call that would wait answers EINTR instead. */
  get isDue(): boolean {
    return this.deliverable() !== 0n;
  }

  /** Whether the guest has declared that it takes up any signal. */
  get isListening(): boolean {
    return this.#actions.size > 0;
  }

  /** The former action. Undefined where the signal or the action is none, or cannot be changed. */
  setAction(signal: number, action: number): number | undefined {
    if (!isSignal(signal) || action < ACTION.default || action > ACTION.take) return undefined;
    if (FIXED.has(signal)) return undefined;
    const former = this.#actions.get(signal) ?? ACTION.default;
    if (action === ACTION.default) this.#actions.delete(signal);
    else this.#actions.set(signal, action);
    if (action !== ACTION.take) this.#pending &= ~bitOf(signal);
    return former;
  }

  /** The former mask; undefined where `how` is none. */
  setMask(how: number, set: bigint): bigint | undefined {
    const former = this.#blocked;
    const chosen = set & BLOCKABLE;
    if (how === HOW.block) this.#blocked |= chosen;
    else if (how === HOW.unblock) this.#blocked &= ~chosen;
    else if (how === HOW.set) this.#blocked = chosen;
    else return undefined;
    if (this.isDue) this.#interrupt();
    return former;
  }

  /** What a signal comes to. */
  send(signal: number): SignalOutcome {
    const action = this.#actions.get(signal) ?? ACTION.default;
    if (action === ACTION.default) return HARMLESS.has(signal) ? 'taken' : 'default';
    if (action === ACTION.take) {
      this.#pending |= bitOf(signal);
      this.arrivals.open();
      if (this.isDue) this.#interrupt();
    }
    return 'taken';
  }

  /** Signals that are pending and not blocked, of a set. */
  deliverable(set: bigint = ~this.#blocked): bigint {
    return this.#pending & set & ALL;
  }

  /** Takes the lowest; 0 where there is none. */
  take(set?: bigint): number {
    const bits = this.deliverable(set);
    for (let signal = 1; signal <= LAST_SIGNAL; signal++) {
      if ((bits & bitOf(signal)) === 0n) continue;
      this.#pending &= ~bitOf(signal);
      return signal;
    }
    return 0;
  }

  /** As /proc/self/status shows them. */
  masks(): { readonly pending: bigint; readonly blocked: bigint; readonly ignored: bigint; readonly caught: bigint } {
    const of = (wanted: number): bigint =>
      [...this.#actions].reduce((bits, [signal, action]) => (action === wanted ? bits | bitOf(signal) : bits), 0n);
    return { pending: this.#pending, blocked: this.#blocked, ignored: of(ACTION.ignore), caught: of(ACTION.take) };
  }

  #interrupt(): void {
    const over = this.#interruption;
    this.#interruption = new AbortController();
    over.abort();
  }
}

export function isSignal(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= LAST_SIGNAL;
}

export function bitOf(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}
