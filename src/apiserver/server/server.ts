/**
 * The HTTPS server: HTTP/2 by ALPN and HTTP/1.1, client certificates of our own CA, bounded bodies, one reply a request. Everything
 * that is wrong with a request is answered as a Status; everything that is wrong with us is logged and answered 500.
 */
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { messageOf } from '#kit';
import { userOfCertificate, userOfToken } from '../access/authenticate.ts';
import { impersonated } from '../access/impersonate.ts';
import { ANONYMOUS, type User } from '../access/user.ts';
import { apiError } from '../errors.ts';
import type { Api } from '../rest/api.ts';
import { handle } from '../rest/handler.ts';
import type { ApiRequest, Reply, Sink } from '../rest/request.ts';
import { badRequest, internalError, StatusError, tooLarge, unauthorized } from '../status.ts';

const MAX_BODY = 3 << 20;
const BODY_TIME = 30_000;
const HEADER_TIME = 10_000;
const MAX_URL = 16_384;
/** What a connection may hold, in MB: 250 answers of ordinary size. Beyond it calls are refused (ENHANCE_YOUR_CALM). */
const SESSION_MB = 64;
/** Bytes of an answer that are handed to the connection at a time. */
const PIECE = 256 << 10;

export interface ServerOptions {
  readonly address: string;
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface RunningServer extends AsyncDisposable {
  readonly port: number;
}

/** Throws API_CANNOT_LISTEN when the address is taken. */
export async function listen(api: Api, options: ServerOptions): Promise<RunningServer> {
  const stop = new AbortController();
  const { address, port, cert, key, ca } = options;
  const server = createSecureServer({
    cert,
    key,
    ca,
    allowHTTP1: true,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HEADER_TIME,
    headersTimeout: HEADER_TIME,
    maxHeaderSize: 65_536,
    maxSessionMemory: SESSION_MB,
    settings: { maxConcurrentStreams: 250, maxHeaderListSize: 65_536 },
  } as Parameters<typeof createSecureServer>[0]);
  const sessions = new Set<{ close(): void; destroy(): void }>();
  const sockets = new Set<TLSSocket>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.once('close', () => sessions.delete(session));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  server.on('request', (request, response) => void serve(api, { request, response, stop: stop.signal }));
  await bind(server, { address, port });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      stop.abort(apiError('API_STOPPED', 'Cannot go on: the API server stops'));
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.close();
        setTimeout(() => {
          for (const session of sessions) session.destroy();
          for (const socket of sockets) socket.destroy();
        }, 250).unref();
      });
    },
  };
}

function bind(server: Http2SecureServer, { address, port }: { address: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = cause.code === 'EADDRINUSE' ? 'Choose another port, or stop what listens there.' : undefined;
      const more = hint === undefined ? { cause } : { cause, hint };
      reject(apiError('API_CANNOT_LISTEN', `Cannot listen on ${address}:${port}: ${messageOf(cause)}`, more));
    });
    server.listen(port, address, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve();
    });
  });
}

interface Exchange {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  readonly stop: AbortSignal;
}

async function serve(api: Api, { request, response, stop }: Exchange): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort(stop.aborted ? stop.reason : new Error('the client went away'));
  response.on('error', () => {});
  request.on('error', leave);
  response.once('close', leave);
  stop.addEventListener('abort', leave, { once: true });
  try {
    const reply = await replyTo(api, { request, signal: gone.signal });
    if (!response.destroyed) await send(response, reply, request.method === 'HEAD');
  } catch (error) {
    if (!response.destroyed)
      api.log.warn('an answer broke off', { path: request.url.slice(0, 200), error: messageOf(error) });
    response.stream?.close?.();
    if (response.stream === undefined) response.destroy?.();
  } finally {
    stop.removeEventListener('abort', leave);
  }
}

async function replyTo(
  api: Api,
  { request, signal }: { request: Http2ServerRequest; signal: AbortSignal },
): Promise<Reply> {
  try {
    const reply = await handle(api, requestOf(api, request, signal));
    await api.store.settled();
    return reply;
  } catch (error) {
    if (error instanceof StatusError) return statusReply(error);
    api.log.error('a request failed', { path: request.url.slice(0, 200), error });
    return statusReply(internalError(messageOf(error)));
  }
}

export function statusReply(error: StatusError): Reply {
  const { retryAfterSeconds } = error.status.details ?? {};
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  return { status: error.code, contentType: 'application/json', headers, body: `${JSON.stringify(error.status)}\n` };
}

function requestOf(api: Api, request: Http2ServerRequest, signal: AbortSignal): ApiRequest {
  if (request.url.length > MAX_URL) throw badRequest('the request URI is too long');
  const at = request.url.indexOf('?');
  const path = at < 0 ? request.url : request.url.slice(0, at);
  if (!path.startsWith('/')) throw badRequest('the request URI is not a path');
  return {
    method: request.method,
    path,
    query: new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1)),
    headers: request.headers,
    user: impersonated(userOf(api, request), request.headers),
    body: () => readAll(request, signal),
    signal,
  };
}

/** A connection's certificate does not change: it is read once. */
const certified = new WeakMap<object, User | undefined>();

function userOf(api: Api, request: Http2ServerRequest): User {
  const session = request.stream?.session;
  const socket = (session?.socket ?? request.socket) as TLSSocket;
  const connection: object = session ?? socket;
  if (!certified.has(connection)) certified.set(connection, certifiedUser(socket));
  const byCertificate = certified.get(connection);
  if (byCertificate !== undefined) return byCertificate;
  const [scheme = '', token = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() !== 'bearer' || token === '') return ANONYMOUS;
  const found = userOfToken(api, token);
  if (found === undefined) throw unauthorized();
  return found.user;
}

function certifiedUser(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  const subject = socket.getPeerCertificate()?.subject as unknown as
    | Record<string, string | string[] | undefined>
    | undefined;
  if (subject === undefined) return undefined;
  const [commonName = ''] = [subject['CN'] ?? ''].flat();
  return userOfCertificate({ commonName, organizations: [subject['O'] ?? []].flat() });
}

function readAll(request: Http2ServerRequest, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let size = 0;
    const late = setTimeout(
      () => end(new StatusError(408, 'Timeout', 'the body of the request did not arrive in time')),
      BODY_TIME,
    );
    function end(error?: unknown): void {
      clearTimeout(late);
      signal.removeEventListener('abort', abort);
      request.removeAllListeners('data');
      if (error === undefined) {
        resolve(Buffer.concat(parts));
        return;
      }
      request.resume();
      reject(error);
    }
    function abort(): void {
      end(signal.reason);
    }
    signal.addEventListener('abort', abort, { once: true });
    request.on('data', (bytes: Uint8Array) => {
      size += bytes.length;
      if (size > MAX_BODY) return end(tooLarge(`Request entity too large: limit is ${MAX_BODY}`));
      parts.push(bytes);
    });
    request.once('end', () => end());
  });
}

async function send(response: Http2ServerResponse, reply: Reply, headOnly: boolean): Promise<void> {
  response.statusCode = reply.status;
  response.setHeader('content-type', reply.contentType);
  response.setHeader('cache-control', 'no-cache, private');
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value as string);
  if (typeof reply.body === 'function') {
    flushHead(response);
    await reply.body(sinkOf(response));
    response.end();
    return;
  }
  if (reply.status !== 304) response.setHeader('content-length', Buffer.byteLength(reply.body));
  if (headOnly || reply.body.length <= PIECE) response.end(headOnly ? '' : reply.body);
  else await sendLong(response, Buffer.from(reply.body as string));
}

/** Piece by piece as it is read: a session that holds a long answer whole has no room for other calls (ENHANCE_YOUR_CALM). */
async function sendLong(response: Http2ServerResponse, bytes: Buffer): Promise<void> {
  const { drained } = sinkOf(response);
  for (let at = 0; at < bytes.length; at += PIECE) {
    if (!response.write(bytes.subarray(at, at + PIECE))) await drained();
  }
  response.end();
}

/** A watch without events yet must still be answered. */
function flushHead(response: Http2ServerResponse): void {
  response.writeHead(response.statusCode);
  (response as { flushHeaders?: () => void }).flushHeaders?.();
}

function sinkOf(response: Http2ServerResponse): Sink {
  return {
    write: (bytes) => response.write(bytes as string),
    get waiting() {
      return response.writableLength;
    },
    drained: () =>
      new Promise((resolve, reject) => {
        if (response.destroyed) return reject(new Error('the client went away'));
        function settle(): void {
          response.off('drain', settle);
          response.off('close', left);
          resolve();
        }
        function left(): void {
          response.off('drain', settle);
          reject(new Error('the client went away'));
        }
        response.once('drain', settle);
        response.once('close', left);
      }),
  };
}
