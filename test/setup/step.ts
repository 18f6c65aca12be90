/**
 * What the tests need on a machine beyond npm: a table of steps (see mod.ts), each of which can say whether it is done,
 * what it would cost, and how to do it. `npm test` announces the missing ones, then does them; a test file that is
 * started by hand finds the same things by the same environment variables or by the functions of these files.
 */

/** Environment variables that tell the tests where a thing is (docs/names.md, WASMLET_TEST_*). */
export type Variables = Readonly<Record<string, string>>;

export interface Step {
  readonly name: string;
  /** One line for people: what is installed and from where. */
  readonly what: string;
  /** Bytes to fetch or to keep, in words. */
  readonly size: string;
  /** About how long it takes on two cores. */
  readonly minutes: number;
  /** Keeps the processors busy: timing-sensitive groups wait for it. */
  readonly heavy?: boolean;
  /** Steps that must be done before this one. */
  readonly after?: readonly string[];
  /** Why it cannot be done here, or undefined when it can. */
  obstacle?(): string | undefined;
  /** The variables it gives when it is done; undefined when it is not. */
  present(): Variables | undefined;
  /** Does it. `log` takes the output of the commands. */
  install(options: { log: (text: string) => void; signal?: AbortSignal | undefined }): Promise<void>;
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}
