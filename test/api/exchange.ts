/** One request of kubectl with its answer, as the recording keeps it. */
export interface Exchange {
  /** The kubectl command that it belongs to. */
  readonly step: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: unknown;
  /** A body that is not JSON: protobuf. */
  readonly bytes?: string;
  readonly status: number;
  readonly answerType?: string;
  readonly warnings?: readonly string[];
  /** JSON, or text; of a watch the list of its events. Left out for discovery and OpenAPI documents. */
  readonly answer?: unknown;
}

export interface Recording {
  readonly kubernetes: string;
  readonly kubectl: string;
  readonly exchanges: readonly Exchange[];
}

export function isWatch(path: string): boolean {
  const query = new URLSearchParams(path.split('?')[1] ?? '');
  return ['true', '1'].includes(query.get('watch') ?? '');
}

/** Answers that are big and tested elsewhere (src/apiserver/openapi, src/apiserver/discovery). */
export function isDocument(path: string): boolean {
  return /^\/(openapi\/.*|version|api|apis|api\/v1|apis\/[^/]+\/v1)(\?.*)?$/.test(path);
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function parsedWatch(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parsed);
}
