/**
 * HTTP/2 sessions to one API server. A server allows a session so many streams (100 as a rule), so there are as many
 * sessions as needed, watches on their own. A session that ends (GOAWAY, a dead peer found by ping, a reset) is
 * forgotten and the next request opens another; nothing here repeats a request, except one that the server says it
 * never looked at (REFUSED_STREAM).
 */
import * as http2 from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { isWasmletError } from '#kit';
import { abortable } from './deadline.ts';
import { connectTls, unreachable } from './tls.ts';
import type { HttpRequest, HttpResponse, Lane, Transport, TransportConfig } from './transport.ts';

/** Source: client-go's `golang.org/x/net/http2` settings (ReadIdleTimeout 30 s, PingTimeout 15 s). */
const PING_AFTER = 30_000;
const PING_TIMEOUT = 15_000;
const STREAMS_IF_UNTOLD = 100;
/** What a session may hold, in MB: a list of thousands is read beside other calls. Node's default is 10. */
const SESSION_MB = 64;

interface Session {
  readonly h2: http2.ClientHttp2Session;
  readonly lane: Lane;
  streams: number;
  lastRead: number;
  /** Its last stream has ended. */
  readonly onIdle: () => void;
}

export interface Http2Transport extends Transport {
  /** Takes over a socket whose handshake chose `h2`. */
  adopt(socket: TLSSocket, lane: Lane): void;
}

export function http2Transport(config: TransportConfig): Http2Transport {
  const sessions = new Set<Session>();
  const opening = new Map<Lane, Promise<Session>>();
  /** Raised by `renew` and `close`: a connection that was begun before is not kept. */
  let generation = 0;
  let closed = false;

  async function openFor(lane: Lane): Promise<Session> {
    const begun = generation;
    const socket = await connectTls(config, ['h2']);
    const session = openSession(config, { sessions, socket, lane });
    if (closed) session.h2.destroy();
    else if (begun !== generation) retire(session, sessions);
    return session;
  }

  async function sessionFor(lane: Lane): Promise<Session> {
    for (;;) {
      if (closed) throw unreachable(config.origin, new Error('the client is closed'));
      for (const session of sessions) if (session.lane === lane && hasRoom(session)) return session;
      let promise = opening.get(lane);
      if (promise === undefined) {
        promise = openFor(lane);
        opening.set(lane, promise);
        const forget = (): void => {
          if (opening.get(lane) === promise) opening.delete(lane);
        };
        promise.then(forget, forget);
      }
      const session = await promise;
      if (hasRoom(session)) return session;
    }
  }

  return {
    adopt(socket, lane) {
      openSession(config, { sessions, socket, lane });
    },
    async send(request) {
      try {
        return await exchange(config, await abortable(sessionFor(request.lane), request.signal), request);
      } catch (error) {
        if (!wasRefused(error)) throw error;
        return await exchange(config, await abortable(sessionFor(request.lane), request.signal), request);
      }
    },
    renew() {
      generation++;
      opening.clear();
      for (const session of sessions) retire(session, sessions);
    },
    async close() {
      closed = true;
      generation++;
      opening.clear();
      for (const { h2 } of sessions) h2.destroy();
      sessions.clear();
    },
  };
}

function hasRoom({ h2, streams }: Session): boolean {
  const allowed = h2.remoteSettings?.maxConcurrentStreams ?? STREAMS_IF_UNTOLD;
  return !h2.closed && !h2.destroyed && streams < Math.min(allowed, STREAMS_IF_UNTOLD);
}

/** Calls under way may finish; a watch would keep the old certificate for minutes, so it is cut and opened anew. */
function retire(session: Session, sessions: Set<Session>): void {
  sessions.delete(session);
  if (session.lane === 'watch') session.h2.destroy();
  else session.h2.close();
}

function openSession(
  config: TransportConfig,
  { sessions, socket, lane }: { sessions: Set<Session>; socket: TLSSocket; lane: Lane },
): Session {
  const h2 = http2.connect(config.origin, {
    createConnection: () => socket,
    settings: { enablePush: false },
    maxSessionMemory: SESSION_MB,
  });
  const session: Session = { h2, lane, streams: 0, lastRead: config.clock.monotonic(), onIdle };
  const ended = new AbortController();
  /** One idle connection a lane is kept for the next call; those of a burst go. */
  function onIdle(): void {
    const spare = [...sessions].some((other) => other !== session && other.lane === lane && hasRoom(other));
    if (spare) retire(session, sessions);
  }
  sessions.add(session);
  h2.on('error', () => {});
  h2.on('goaway', () => sessions.delete(session));
  h2.on('close', () => {
    sessions.delete(session);
    ended.abort();
  });
  watchOver(config, session, ended.signal).catch(() => {});
  return session;
}

/** Pings a silent session that has streams, and ends it when no answer comes: a dead peer sends no FIN. */
async function watchOver({ clock }: TransportConfig, session: Session, signal: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(PING_AFTER, { signal });
    if (session.streams === 0 || clock.monotonic() - session.lastRead < PING_AFTER) continue;
    const answered = new AbortController();
    session.h2.ping((error) => error === null && answered.abort());
    const dead = await clock.sleep(PING_TIMEOUT, { signal: AbortSignal.any([signal, answered.signal]) }).then(
      () => true,
      () => false,
    );
    if (dead) return session.h2.destroy(new Error('the API server does not answer pings'));
  }
}

function exchange(config: TransportConfig, session: Session, request: HttpRequest): Promise<HttpResponse> {
  const { signal } = request;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let stream: http2.ClientHttp2Stream;
    try {
      stream = session.h2.request(
        { ':method': request.method, ':path': request.path, ...request.headers },
        { endStream: request.body === undefined },
      );
    } catch (error) {
      return reject(unreachable(config.origin, error));
    }
    session.streams++;
    function abort(): void {
      stream.close(http2.constants.NGHTTP2_CANCEL);
      stream.destroy(asError(signal?.reason));
    }
    signal?.addEventListener('abort', abort, { once: true });
    let answered = false;
    stream.on('close', () => {
      session.streams--;
      if (session.streams === 0) session.onIdle();
      signal?.removeEventListener('abort', abort);
      if (!answered) reject(signal?.aborted ? signal.reason : unreachable(config.origin, closedEarly(stream)));
    });
    stream.on('error', (error) => reject(asUnreachable(config, error, stream)));
    stream.on('response', (headers) => {
      answered = true;
      resolve(responseOf(config, { session, stream, headers }));
    });
    if (request.body !== undefined) stream.end(request.body);
  });
}

function responseOf(
  config: TransportConfig,
  {
    session,
    stream,
    headers,
  }: { session: Session; stream: http2.ClientHttp2Stream; headers: http2.IncomingHttpHeaders },
): HttpResponse {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && value !== undefined)
      plain[name] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return {
    status: Number(headers[':status'] ?? 0),
    headers: plain,
    body: bodyOf(config, { session, stream, length: Number(plain['content-length'] ?? 0) }),
    discard: () => stream.close(http2.constants.NGHTTP2_CANCEL),
  };
}

async function* bodyOf(
  config: TransportConfig,
  { session, stream, length }: { session: Session; stream: http2.ClientHttp2Stream; length: number },
): AsyncGenerator<Uint8Array> {
  let missing = stream.endAfterHeaders ? 0 : length;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      session.lastRead = config.clock.monotonic();
      missing -= chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw asUnreachable(config, error, stream);
  }
  // A stream that was reset with CANCEL or NO_ERROR ends like a whole one.
  if (stream.aborted || stream.rstCode !== 0 || missing > 0) throw unreachable(config.origin, closedEarly(stream));
}

function closedEarly(stream: http2.ClientHttp2Stream): Error {
  return Object.assign(new Error(`the connection was closed early (HTTP/2 code ${stream.rstCode})`), {
    rstCode: stream.rstCode,
  });
}

function asUnreachable(config: TransportConfig, error: unknown, stream: http2.ClientHttp2Stream): unknown {
  if (isWasmletError(error) || (error instanceof Error && error.name === 'AbortError')) return error;
  return unreachable(config.origin, Object.assign(asError(error), { rstCode: stream.rstCode }));
}

function wasRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { rstCode?: number } | undefined) : undefined;
  return cause?.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
