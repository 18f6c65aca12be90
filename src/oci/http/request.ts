/**
 * One HTTP request to a registry, over node:http and node:https with kept connections, every wait of it bounded: the
 * connection, the head of the answer, and the pauses in its body. What the answer means is the caller's business.
 */
import type { IncomingMessage, Agent as PlainAgent } from 'node:http';
import { type RequestOptions, Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Clock } from '#kit';
import { type Body, bodyOf } from './body.ts';
import { DEFAULT_TIMEOUTS, type Timeouts, tooSlow, transportError } from './failure.ts';
import { isLoopback } from './trust.ts';

/**
 * Not by `import`: a module that imports `node:http` gets all its names, among them WebSocket and fetch's classes, whose
 * getters load undici: 4.6 MB of memory that every node would hold for nothing.
 */
const plainHttp = process.getBuiltinModule('node:http');

export interface Upload {
  /** Bytes; the registry is told before. */
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly upload?: Upload | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly url: URL;
  header(name: string): string | undefined;
  readonly body: Body;
}

export interface HttpOptions {
  readonly clock: Clock;
  readonly timeouts?: Partial<Timeouts>;
  /** Certificate authorities to trust for a host (with port) besides the usual ones, as PEM. */
  readonly authorities?: (host: string) => Promise<readonly string[] | undefined>;
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read from it; this process's own if not given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export class HttpClient implements Disposable {
  readonly #clock: Clock;
  readonly #timeouts: Timeouts;
  readonly #authorities: NonNullable<HttpOptions['authorities']>;
  readonly #agents: Agents;
  /** This machine's own registries are never asked through a proxy. */
  readonly #direct: Agents;

  constructor({ clock, timeouts = {}, authorities = async () => undefined, env = process.env }: HttpOptions) {
    this.#clock = clock;
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...timeouts };
    this.#authorities = authorities;
    this.#direct = makeAgents(undefined);
    this.#agents = PROXIES.some((name) => env[name]) ? makeAgents(env) : this.#direct;
  }

  [Symbol.dispose](): void {
    for (const { plain, tls } of [this.#agents, this.#direct]) {
      plain.destroy();
      tls.destroy();
    }
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, signal } = request;
    signal?.throwIfAborted();
    const options = await this.#optionsOf(request);
    let message: IncomingMessage;
    try {
      message = await this.#exchange(request, options);
    } catch (error) {
      // A kept connection that the server had closed meanwhile: nothing was said on it yet.
      if (!(error instanceof StaleConnection)) throw error;
      message = await this.#exchange(request, { ...options, agent: false });
    }
    return {
      status: message.statusCode ?? 0,
      url,
      header: (name) => singleHeader(message, name),
      body: bodyOf(message, { clock: this.#clock, timeouts: this.#timeouts, host: url.host, signal }),
    };
  }

  async #optionsOf({ method, url, headers, upload }: HttpRequest): Promise<RequestOptions> {
    const secure = url.protocol === 'https:';
    const agents = isLoopback(url) ? this.#direct : this.#agents;
    const extra = secure ? await this.#authorities(url.host) : undefined;
    return {
      method,
      agent: secure ? agents.tls : agents.plain,
      headers: {
        'user-agent': 'wasmlet',
        ...headers,
        ...(upload === undefined ? {} : { 'content-length': String(upload.length) }),
      },
      minVersion: 'TLSv1.2',
      // The agent's own timeout is for idle connections; the ones below are for the exchange.
      timeout: 0,
      ...(extra === undefined || extra.length === 0 ? {} : { ca: [...(await usualAuthorities()), ...extra] }),
    };
  }

  async #exchange({ url, upload, signal }: HttpRequest, options: RequestOptions): Promise<IncomingMessage> {
    const over = new AbortController();
    let moved = 0;
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const request = (url.protocol === 'https:' ? tlsRequest : plainHttp.request)(url, options);
        function fail(error: unknown): void {
          reject(error);
          request.destroy();
        }
        signal?.addEventListener('abort', () => fail(signal.reason), { once: true, signal: over.signal });
        request.on('error', (cause) => {
          const stale =
            request.reusedSocket && upload === undefined && (cause as { code?: string }).code === 'ECONNRESET';
          reject(stale ? new StaleConnection() : transportError(url, cause));
        });
        request.on('response', (response: IncomingMessage) => {
          // Who reads the body hears of its end; nobody may have begun to.
          resolve(response.on('error', () => {}));
        });
        void this.#watch(
          over.signal,
          () => moved,
          () => fail(tooSlow(url, 'it did not answer in time')),
        );
        if (upload === undefined) request.end();
        else void send(request, upload, (bytes) => (moved += bytes)).catch(fail);
      });
    } finally {
      over.abort();
    }
  }

  /** Calls `late` when the answer is not there after `answer` milliseconds in which nothing moved either. */
  async #watch(over: AbortSignal, moved: () => number, late: () => void): Promise<void> {
    try {
      for (;;) {
        const before = moved();
        await this.#clock.sleep(this.#timeouts.answer, { signal: over });
        if (moved() - before < this.#timeouts.minBytes) return late();
      }
    } catch {
      // The exchange is over.
    }
  }
}

interface Agents {
  readonly plain: PlainAgent;
  readonly tls: TlsAgent;
}

const PROXIES = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'] as const;

function makeAgents(env: HttpOptions['env']): Agents {
  const options = { keepAlive: true, maxSockets: 8, maxFreeSockets: 2, timeout: 15_000 };
  const all = env === undefined ? options : { ...options, proxyEnv: { ...env } as NodeJS.ProcessEnv };
  return { plain: new plainHttp.Agent(all), tls: new TlsAgent(all) };
}

class StaleConnection extends Error {}

async function send(
  request: ReturnType<typeof plainHttp.request>,
  upload: Upload,
  moved: (bytes: number) => void,
): Promise<void> {
  for await (const chunk of upload.open()) {
    if (request.destroyed) return;
    const room = request.write(chunk);
    moved(chunk.length);
    if (!room) await new Promise<void>((resolve) => request.once('drain', resolve).once('close', resolve));
  }
  request.end();
}

let usual: readonly string[] | undefined;

/** The authorities that Node trusts by itself; naming our own in an option would replace them. */
async function usualAuthorities(): Promise<readonly string[]> {
  usual ??= (await import('node:tls')).getCACertificates('default');
  return usual;
}

function singleHeader(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
