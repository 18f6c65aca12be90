/** What a request to the node's API is to its handlers, and what they answer. No socket in sight, so tests need none. */

export interface User {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly user: User;
  /** Aborted when the caller is gone. */
  readonly signal: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string | AsyncIterable<Uint8Array>;
}

export function textAnswer(status: number, body: string): ApiAnswer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

export function jsonAnswer(value: unknown): ApiAnswer {
  return { status: 200, type: 'application/json', body: JSON.stringify(value) };
}
