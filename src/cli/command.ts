/**
 * What a command is, as a value: its help, its completion and the check of its arguments all come from it, and its code is
 * loaded only when it runs, so that `wasmlet version` does not pay for a node.
 */
import type { Log } from '#kit';

export interface Flag {
  /** Word for the value in the help; a flag without one is a switch. */
  readonly value?: string;
  /** One letter. */
  readonly short?: string;
  /** May be given several times. */
  readonly many?: boolean;
  /** The value is a whole number from `least` (else 0) to this; others are a usage error. */
  readonly most?: number;
  readonly least?: number;
  /** Values that are possible; others are a usage error. */
  readonly choices?: readonly string[];
  readonly summary: string;
  /** Left out of the help: for scripts and tests. */
  readonly hidden?: boolean;
}

export type Flags = Readonly<Record<string, Flag>>;

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What follows the name, as in `[--env K=V] MODULE [ARGS…]`. */
  readonly usage: string;
  /** A few lines for `--help`, after the summary. */
  readonly details?: string;
  readonly examples?: readonly string[];
  readonly group: 'node' | 'guests' | 'objects' | 'other';
  readonly flags: Flags;
  /** What follows the first positional belongs to the guest and is not parsed. */
  readonly stopAtPositional?: boolean;
  /** Least and greatest number of positionals. */
  readonly positionals: readonly [least: number, most: number];
  readonly hidden?: boolean;
  readonly load: () => Promise<{ readonly run: CommandRun }>;
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** The last value given. */
  value(flag: string): string | undefined;
  /** All values given, in order. */
  values(flag: string): readonly string[];
  has(flag: string): boolean;
}

export interface Context {
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Aborted at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  readonly columns: number;
}

/** Returns the exit code; see docs/names.md. */
export type CommandRun = (context: Context, args: Arguments) => Promise<number>;
