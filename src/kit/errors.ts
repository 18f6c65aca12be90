/**
 * Errors for people: what could not be done, to what, why, and what to do about it.
 *
 * Each room declares its codes once (`defineErrors` in the room's `errors.ts`); `docs/errors.md` has a row for each
 * code, and `src/kube/reasons.ts` is the one place where codes become Kubernetes reasons, HTTP statuses and exit codes.
 */

/** When the same call may succeed: `later` by itself, `never` until somebody changes something. */
export type Retry = 'later' | 'never';

/** Who can mend it: the author of the input, or whoever runs the machine or the remote side. */
export type Blame = 'user' | 'system';

export interface ErrorKind {
  readonly retry: Retry;
  readonly blame: Blame;
}

export interface ErrorDetails {
  readonly code: string;
  readonly retry: Retry;
  readonly blame: Blame;
  /** What to do, as a sentence for the person who reads it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class WasmletError extends Error {
  override readonly name = 'WasmletError';
  readonly code: string;
  readonly retry: Retry;
  readonly blame: Blame;
  readonly hint: string | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.retry = details.retry;
    this.blame = details.blame;
    this.hint = details.hint;
  }
}

export type ErrorTable<Code extends string> = Readonly<Record<Code, ErrorKind>>;

/**
 * Declares a room's codes and returns the function that makes its errors.
 *
 *     export const OCI_ERRORS = { OCI_UNAUTHORIZED: { retry: 'later', blame: 'user' }, … } as const;
 *     export const ociError = defineErrors(OCI_ERRORS);
 *     throw ociError('OCI_UNAUTHORIZED', `Cannot pull '${ref}': the registry refused the credentials`, { hint, cause });
 *
 * Codes are never reused for another meaning once released.
 */
export function defineErrors<Code extends string>(table: ErrorTable<Code>) {
  return function makeError(
    code: Code,
    message: string,
    more: { hint?: string; cause?: unknown; retry?: Retry } = {},
  ): WasmletError {
    const { retry, blame } = table[code];
    return new WasmletError(message, { code, retry, blame, ...more });
  };
}

export function isWasmletError(error: unknown, code?: string): error is WasmletError {
  return error instanceof WasmletError && (code === undefined || error.code === code);
}

/** The chain of messages of an error and its causes, outermost first, for one line of a log or an event. */
export function messageOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && at !== null && depth < 8; depth++) {
    const text = at instanceof Error ? at.message : String(at);
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}
