/** Sends recorded requests to our server, with our ids and versions in the place of the recorded ones. */
import { decodeProtobuf } from '#kube/schema';
import { type Exchange, isWatch, parsed, parsedWatch } from './exchange.ts';
import type { Answered, TestServer } from './server.ts';

/** Recorded id or version → ours. */
export type Names = Map<string, string>;

export interface Replayed {
  readonly status: number;
  readonly answerType: string | undefined;
  readonly warnings: readonly string[];
  readonly answer: unknown;
}

export async function replay(server: TestServer, exchange: Exchange, names: Names): Promise<Replayed> {
  const { method, path, accept } = exchange;
  const { body, bytes, contentType } = sendable(exchange);
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(renamed(body, names));
  const watch = isWatch(path);
  const answered = await server.send({
    method,
    path: renamedPath(path, names),
    headers: {
      'user-agent': 'kubectl/v1.35.4',
      ...(accept === undefined ? {} : { accept }),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    },
    body: bytes === undefined ? text : Buffer.from(bytes, 'base64'),
    lines: watch ? (exchange.answer as unknown[]).length : undefined,
  });
  const replayed = replayedOf(answered, watch);
  learn(exchange.answer, replayed.answer, names);
  return replayed;
}

/** Names inside protobuf cannot be changed in place: a body that carries some is sent as the JSON that it means. */
function sendable(exchange: Exchange): Pick<Exchange, 'body' | 'bytes' | 'contentType'> {
  const { method, bytes } = exchange;
  if (bytes === undefined || method !== 'PUT') return exchange;
  return { body: decodeProtobuf(Buffer.from(bytes, 'base64')).object, contentType: 'application/json' };
}

function replayedOf({ status, headers, text }: Answered, watch: boolean): Replayed {
  // A header that came twice is one text for node:http, but for Set-Cookie.
  const warnings = headers['warning'] === undefined ? [] : String(headers['warning']).split(/, (?=299 )/);
  return { status, answerType: headers['content-type'], warnings, answer: watch ? parsedWatch(text) : parsed(text) };
}

/** Values are renamed where they stand alone, and inside texts that are JSON themselves they never matter. */
function renamed(value: unknown, names: Names): unknown {
  if (typeof value === 'string') return names.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => renamed(item, names));
  if (typeof value !== 'object' || value === null) return value;
  const keys = isPatchOf(value) ? [...RENAMED, 'value'] : RENAMED;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, item]) => [key, keys.includes(key) || typeof item === 'object' ? renamed(item, names) : item]),
  );
}

/** A JSON patch names in `path` what its `value` is. */
function isPatchOf(value: object): boolean {
  return 'path' in value && /\/(uid|resourceVersion)$/.test(String(value.path));
}

const RENAMED = ['uid', 'resourceVersion', 'name'];

const RENAMED_QUERY = ['resourceVersion', 'continue'];

function renamedPath(path: string, names: Names): string {
  const [place = '', query] = path.split('?');
  const parts = place.split('/').map((part) => names.get(part) ?? part);
  if (query === undefined) return parts.join('/');
  const pairs = query.split('&').map((pair) => {
    const [key = '', value = ''] = pair.split('=');
    const ours = RENAMED_QUERY.includes(key) ? names.get(decodeURIComponent(value)) : undefined;
    return ours === undefined ? pair : `${key}=${encodeURIComponent(ours)}`;
  });
  return `${parts.join('/')}?${pairs.join('&')}`;
}

/** Walks both answers side by side and notes what ours calls what. */
function learn(real: unknown, ours: unknown, names: Names): void {
  if (typeof real !== 'object' || real === null || typeof ours !== 'object' || ours === null) return;
  for (const [key, value] of Object.entries(real)) {
    const mine = (ours as Record<string, unknown>)[key];
    if (typeof value === 'object') learn(value, mine, names);
    else if (typeof value === 'string' && typeof mine === 'string' && value !== mine) {
      if (['uid', 'resourceVersion', 'continue'].includes(key)) names.set(value, mine);
      if (key === 'name' && /-[a-z0-9]{5}$/.test(value)) names.set(value, mine);
    }
  }
}
