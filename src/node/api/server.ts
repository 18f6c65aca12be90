/**
 * The HTTPS server of the node's API (10250). Binds one exact address: a wildcard would take every pod's port.
 * Each request is authenticated, authorised, then routed; what fails on the way is answered in the kubelet's words.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { type Log, messageOf } from '#kit';
import type { KeyPair } from '#kube/certificates';
import { nodeError } from '../errors.ts';
import { type ApiAnswer, textAnswer, type User } from './answers.ts';
import type { Authenticate, Caller } from './authentication.ts';
import { type Authorize, attributesOf } from './authorization.ts';
import type { Route } from './routes.ts';

export interface ApiServerOptions {
  readonly address: string;
  /** 0 for any. */
  readonly port: number;
  readonly certificate: KeyPair;
  /** PEM; without one nobody is known by certificate. */
  readonly clientAuthority?: string | undefined;
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  readonly route: Route;
  readonly log: Log;
}

export interface ApiServer extends AsyncDisposable {
  readonly port: number;
  /** New connections are shown this one. */
  useCertificate(pair: KeyPair): void;
}

const CONNECTIONS = 1024;

export async function serveApi(options: ApiServerOptions): Promise<ApiServer> {
  const { address, port, certificate, clientAuthority } = options;
  const server = createServer({
    ...tlsOf(certificate, clientAuthority),
    requestCert: clientAuthority !== undefined,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    headersTimeout: 20_000,
    requestTimeout: 30_000,
    keepAliveTimeout: 90_000,
  });
  server.maxConnections = CONNECTIONS;
  server.on('tlsClientError', () => {});
  server.on('request', (request, response) => {
    handle(options, { request, response }).catch((error) => {
      options.log.error('A request to the node failed', { path: request.url, error: messageOf(error) });
      response.destroy();
    });
  });
  await listen(server, { address, port });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    useCertificate: (pair) => server.setSecureContext(tlsOf(pair, clientAuthority)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function tlsOf(
  { cert, key }: KeyPair,
  ca: string | undefined,
): { cert: string; key: string; ca: string[]; minVersion: 'TLSv1.2' } {
  // An empty list trusts nobody; leaving it out would trust the system's authorities.
  return { cert, key, ca: ca === undefined ? [] : [ca], minVersion: 'TLSv1.2' };
}

function listen(server: Server, { address, port }: { address: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE')
        return reject(
          nodeError('NODE_ADDRESS_UNKNOWN', `Cannot listen on ${address}:${port}`, {
            cause,
            hint: 'Give an address of this machine with --node-ip, and a port that this user may bind with --port',
          }),
        );
      const hint = 'Another kubelet or node runs on this address: stop it, or choose another with --port';
      reject(nodeError('NODE_PORT_IN_USE', `Cannot listen on ${address}:${port}: the port is taken`, { cause, hint }));
    });
    server.listen({ host: address, port, exclusive: true }, () => resolve());
  });
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function handle(options: ApiServerOptions, { request, response }: Exchange): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  request.resume();
  try {
    const answer = await answerTo(options, { request, signal: gone.signal });
    await write(response, answer, request.method === 'HEAD');
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
}

async function answerTo(
  { authenticate, authorize, route, log }: ApiServerOptions,
  { request, signal }: { request: IncomingMessage; signal: AbortSignal },
): Promise<ApiAnswer> {
  const url = new URL(request.url ?? '/', 'https://node');
  const method = request.method ?? '';
  const user = await authenticate(callerOf(request)).catch((error) => {
    log.warn('Cannot find out who calls', { error: messageOf(error) });
    return undefined;
  });
  if (user === undefined) return textAnswer(401, 'Unauthorized');
  const refusal = await refusalOf(authorize, { user, method, path: url.pathname });
  if (refusal !== undefined) return refusal;
  return await route({ method, path: url.pathname, query: url.searchParams, user, signal });
}

async function refusalOf(
  authorize: Authorize,
  { user, method, path }: { user: User; method: string; path: string },
): Promise<ApiAnswer | undefined> {
  const attributes = attributesOf(method, path);
  const { verb, subresources } = attributes;
  try {
    if (await authorize(user, attributes)) return undefined;
  } catch {
    const about = `user=${user.name}, verb=${verb}, resource=nodes, subresource=${subresources[0]}`;
    return textAnswer(500, `Authorization error (${about})`);
  }
  const about = `user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}]`;
  return textAnswer(403, `Forbidden (${about})\n`);
}

function callerOf(request: IncomingMessage): Caller {
  const socket = request.socket as TLSSocket;
  const { authorization } = request.headers;
  if (!socket.authorized) return { authorization };
  const { subject } = socket.getPeerCertificate();
  const { CN, O } = (subject ?? {}) as { CN?: string | string[]; O?: string | string[] };
  const commonName = [CN ?? ''].flat().at(-1) ?? '';
  return { authorization, certificate: { commonName, organizations: [O ?? []].flat() } };
}

async function write(response: ServerResponse, answer: ApiAnswer, headOnly: boolean): Promise<void> {
  const { status, type, body } = answer;
  response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
  if (headOnly || typeof body === 'string') {
    response.end(headOnly ? undefined : body);
    return;
  }
  // Headers go out at once: who follows a silent container must see that it has begun.
  response.flushHeaders();
  for await (const chunk of body) {
    if (!response.write(chunk)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
}
