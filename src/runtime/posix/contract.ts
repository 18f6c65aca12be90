/** What the POSIX extension is given, and what it gives to who hosts a guest. */
import type { Exit, PosixGrant, Signal } from '../contract.ts';

/** The grant. Its absence is the refusal. */
export interface PosixOptions extends PosixGrant {
  /** Thousandths of a core that the guest may use. */
  readonly cpuMillis?: number | undefined;
}

/** What the host says of the guest while it runs. */
export interface PosixFacts {
  readonly memoryBytes: number;
  /** Undefined where there is none; it may change while the guest runs. */
  readonly memoryLimit: number | undefined;
  readonly cpuNanos: number;
  readonly threads: number;
}

export interface PosixHost {
  readonly facts: () => PosixFacts;
  /** Ends the guest; does not return. */
  readonly leave: (exit: Exit) => never;
}

/** `taken`: the guest deals with it, or ignores it. `default`: whoever sent it does what the signal does by itself. */
export type SignalOutcome = 'taken' | 'default';

export type { Signal };
