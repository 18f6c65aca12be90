/** HTTP/1.1: for servers that offer nothing newer, and for plain `http://` (a local proxy). */
import type * as Http from 'node:http';
import * as https from 'node:https';
import { isWasmletError } from '#kit';
import { kubeError } from '../errors.ts';
import { tlsOptionsOf } from './tls.ts';
import type { HttpRequest, HttpResponse, Transport, TransportConfig } from './transport.ts';

// Not by `import`, whose names load undici: 4.6 MB that nobody uses.
const http = process.getBuiltinModule('node:http');

export function http1Transport(config: TransportConfig): Transport {
  let agent = newAgent(config);
  return {
    send: (request) => send(config, agent, request),
    renew() {
      const old = agent;
      agent = newAgent(config);
      // Sockets in use end with their answers, as no later request can take them.
      old.destroy();
    },
    async close() {
      agent.destroy();
    },
  };
}

function newAgent(config: TransportConfig): Http.Agent {
  const options = { keepAlive: true, keepAliveMsecs: 30_000, scheduling: 'lifo' as const };
  return config.origin.protocol === 'https:'
    ? new https.Agent({ ...options, ...tlsOptionsOf(config, ['http/1.1']) })
    : new http.Agent(options);
}

function send(config: TransportConfig, agent: Http.Agent, request: HttpRequest): Promise<HttpResponse> {
  const client = config.origin.protocol === 'https:' ? https : http;
  const { signal, body } = request;
  return new Promise((resolve, reject) => {
    const outgoing = client.request(new URL(request.path, config.origin), {
      method: request.method,
      // Without a length Node sends the body of a DELETE unframed.
      headers: { ...request.headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      agent,
    });
    function abort(): void {
      outgoing.destroy(signal?.reason);
    }
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    outgoing.on('close', () => signal?.removeEventListener('abort', abort));
    outgoing.on('error', (error) => reject(asUnreachable(error, config)));
    outgoing.on('response', (incoming) => resolve(responseOf(incoming, config)));
    outgoing.end(body);
  });
}

function responseOf(incoming: Http.IncomingMessage, config: TransportConfig): HttpResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  incoming.on('error', () => {});
  return {
    status: incoming.statusCode ?? 0,
    headers,
    body: bodyOf(incoming, config),
    discard: () => incoming.destroy(),
  };
}

async function* bodyOf(incoming: Http.IncomingMessage, config: TransportConfig): AsyncGenerator<Uint8Array> {
  try {
    yield* incoming as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw asUnreachable(error, config);
  }
}

function asUnreachable(error: unknown, { origin }: TransportConfig): unknown {
  if (isWasmletError(error) || (error instanceof Error && error.name === 'AbortError')) return error;
  return kubeError('KUBE_UNREACHABLE', `Cannot reach the API server ${origin.origin}`, { cause: error });
}
