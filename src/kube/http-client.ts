/**
 * The API client over HTTP. It turns calls into requests, answers into objects, and failures into the errors of
 * `errors.ts`; connections are the business of `http/`. The node, the command line and the tests all use this one.
 */
import { type Clock, systemClock } from '#kit';
import type {
  CallOptions,
  DeleteOptions,
  KubeClient,
  ListOptions,
  PatchType,
  RawInit,
  RawResponse,
  Resource,
  Target,
  WatchOptions,
  WriteOptions,
} from './client.ts';
import { kubeError } from './errors.ts';
import { linesOf, parseJson, readBody } from './http/body.ts';
import { abortable, anySignal, deadlineOf } from './http/deadline.ts';
import { openTransport } from './http/negotiate.ts';
import { statusError } from './http/status.ts';
import type { ClientIdentity, HttpResponse, Lane, Transport } from './http/transport.ts';
import { describeTarget, listQuery, patchMediaType, queryOf, watchQuery, writeQuery } from './http/words.ts';
import { pathOf } from './resources.ts';
import type { KubeList, KubeObject, WatchEventOf } from './types/mod.ts';

export type { ClientIdentity } from './http/transport.ts';

export interface ConnectConfig {
  /** `https://host:port`, or `http://` for a local proxy. A path in front of `/api` is kept. */
  readonly server: string;
  /** PEM of the authorities that may vouch for the server. */
  readonly ca?: string | Uint8Array | undefined;
  readonly serverName?: string | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
  /** Asked for at each new connection. */
  readonly identity?: (() => ClientIdentity | undefined) | undefined;
  /** A bearer token; asked for at each request, so that a file can be read again. */
  readonly token?: (() => string | undefined | Promise<string | undefined>) | undefined;
  readonly userAgent?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly limits?: Partial<ClientLimits> | undefined;
}

export interface ClientLimits {
  /** Milliseconds until a connection stands. */
  connectTimeout: number;
  /** Milliseconds until an answer is there whole; of a watch or a raw request, until its headers. */
  requestTimeout: number;
  /** Bytes of one answer. */
  bodyBytes: number;
  /** Bytes of one watch event. */
  lineBytes: number;
  /** How often 429 is waited for, and the longest wait in milliseconds; a longer Retry-After is an error at once. */
  retries: number;
  retryAfter: number;
}

const LIMITS: ClientLimits = {
  connectTimeout: 10_000,
  requestTimeout: 32_000,
  bodyBytes: 64 << 20,
  lineBytes: 8 << 20,
  retries: 5,
  retryAfter: 30_000,
};

/** A client whose credentials may change while it lives. */
export interface HttpKubeClient extends KubeClient {
  /** New requests use new connections, and with them the identity of now. */
  renew(): void;
}

export function connect(config: ConnectConfig): HttpKubeClient {
  return new HttpClient(config);
}

interface Call extends CallOptions {
  readonly method: string;
  readonly path: string;
  /** For messages: "get pods 'default/a'". */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

class HttpClient implements HttpKubeClient {
  readonly server: string;
  readonly #config: ConnectConfig;
  readonly #limits: ClientLimits;
  readonly #clock: Clock;
  readonly #basePath: string;
  readonly #transport: Transport;
  readonly #closed = new AbortController();

  constructor(config: ConnectConfig) {
    const url = urlOf(config.server);
    this.#config = config;
    this.#limits = { ...LIMITS, ...config.limits };
    this.#clock = config.clock ?? systemClock;
    this.#basePath = url.pathname.replace(/\/+$/, '');
    this.server = url.origin + this.#basePath;
    this.#transport = openTransport({
      origin: new URL(url.origin),
      ca: config.ca,
      serverName: config.serverName,
      insecureSkipVerify: config.insecureSkipVerify,
      identity: config.identity,
      clock: this.#clock,
      connectTimeout: this.#limits.connectTimeout,
    });
  }

  get<T extends KubeObject>(resource: Resource, target: Target, { signal }: CallOptions = {}): Promise<T> {
    const what = `get ${describeTarget(resource, target)}`;
    return this.#json<T>({ method: 'GET', path: pathOf(resource, target), what, signal });
  }

  list<T extends KubeObject>(resource: Resource, options: ListOptions & CallOptions = {}): Promise<KubeList<T>> {
    const path = pathOf(resource, { namespace: options.namespace }) + listQuery(options);
    return this.#json<KubeList<T>>({
      method: 'GET',
      path,
      what: `list ${resource.plural}`,
      signal: options.signal,
    }).then((list) => ({ ...list, items: listItems<T>(list, resource) }));
  }

  create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: WriteOptions & CallOptions & Partial<Target> = {},
  ): Promise<T> {
    const namespace = options.namespace ?? object.metadata?.namespace;
    const target = { namespace, name: options.name, subresource: options.subresource };
    const what = `create ${describeTarget(resource, { ...target, name: options.name ?? object.metadata?.name ?? '' })}`;
    return this.#write<T>('POST', { path: pathOf(resource, target) + writeQuery(options), what, object, options });
  }

  replace<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: WriteOptions & CallOptions & Partial<Target> = {},
  ): Promise<T> {
    const name = options.name ?? object.metadata?.name ?? '';
    const target = {
      namespace: options.namespace ?? object.metadata?.namespace,
      name,
      subresource: options.subresource,
    };
    const what = `replace ${describeTarget(resource, target)}`;
    return this.#write<T>('PUT', { path: pathOf(resource, target) + writeQuery(options), what, object, options });
  }

  patch<T extends KubeObject>(
    resource: Resource,
    target: Target,
    patch: { readonly type: PatchType; readonly body: unknown; readonly force?: boolean },
    options: WriteOptions & CallOptions = {},
  ): Promise<T> {
    const query = writeQuery(options, patch.force === true ? { force: 'true' } : {});
    return this.#json<T>({
      method: 'PATCH',
      path: pathOf(resource, target) + query,
      what: `patch ${describeTarget(resource, target)}`,
      headers: { 'content-type': patchMediaType(patch.type) },
      body: JSON.stringify(patch.body),
      signal: options.signal,
    });
  }

  delete(resource: Resource, target: Target, options: DeleteOptions & CallOptions = {}): Promise<KubeObject> {
    const { signal, dryRun, ...rest } = options;
    const path = pathOf(resource, target) + queryOf({ dryRun: dryRun === true ? 'All' : undefined });
    const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', ...rest });
    const headers = { 'content-type': 'application/json' };
    return this.#json({
      method: 'DELETE',
      path,
      what: `delete ${describeTarget(resource, target)}`,
      headers,
      body,
      signal,
    });
  }

  async *watch<T extends KubeObject>(
    resource: Resource,
    options: WatchOptions & CallOptions = {},
  ): AsyncGenerator<WatchEventOf<T>> {
    const path = pathOf(resource, { namespace: options.namespace }) + watchQuery(options);
    const call = { method: 'GET', path, what: `watch ${resource.plural}`, signal: options.signal };
    try {
      const response = await this.#open(call, 'watch');
      await this.#orThrow(response, call.what);
      for await (const line of linesOf(response.body, this.#limits.lineBytes)) yield watchEvent<T>(line);
    } catch (error) {
      if (options.signal?.aborted) return;
      throw error;
    }
  }

  async raw(path: string, init: RawInit & CallOptions = {}): Promise<RawResponse> {
    const { method = 'GET', headers = {}, body, signal } = init;
    const what = `${method.toLowerCase()} ${path.split('?')[0]}`;
    const response = await this.#open(
      { method, path, what, headers: { accept: '*/*', ...headers }, body, signal },
      'call',
    );
    return {
      status: response.status,
      headers: response.headers,
      body: response.body,
      text: () => readBody(response.body, this.#limits.bodyBytes),
    };
  }

  renew(): void {
    this.#transport.renew();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(kubeError('KUBE_CLOSED', 'Cannot reach the API server: this client is closed'));
    await this.#transport.close();
  }

  #write<T extends KubeObject>(
    method: string,
    { path, what, object, options }: { path: string; what: string; object: T; options: CallOptions },
  ): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return this.#json<T>({ method, path, what, headers, body: JSON.stringify(object), signal: options.signal });
  }

  /** A call whose whole answer is one JSON object. */
  async #json<T>(call: Call): Promise<T> {
    const ms = this.#limits.requestTimeout + this.#limits.retries * this.#limits.retryAfter;
    using deadline = deadlineOf(this.#clock, { ms, what: call.what });
    const response = await this.#open({ ...call, signal: anySignal(call.signal, deadline.signal) }, 'call');
    const text = await readBody(response.body, this.#limits.bodyBytes);
    if (response.status >= 400) throw statusError(call.what, { httpStatus: response.status, text });
    const value = parseJson(text, `the answer to ${call.what}`);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw kubeError('KUBE_BAD_RESPONSE', `Cannot ${call.what}: the answer is not an object`);
    }
    return value as T;
  }

  async #orThrow(response: HttpResponse, what: string): Promise<void> {
    if (response.status < 400) return;
    const text = await readBody(response.body, 1 << 20).catch(() => '');
    throw statusError(what, { httpStatus: response.status, text });
  }

  /** Sends until something else than 429 with a bearable Retry-After comes; resolves when headers are there. */
  async #open(call: Call, lane: Lane): Promise<HttpResponse> {
    for (let attempt = 0; ; attempt++) {
      const response = await this.#send(call, lane);
      const wait = Number(response.headers['retry-after'] ?? Number.NaN) * 1000;
      const bearable = response.status === 429 && wait >= 0 && wait <= this.#limits.retryAfter;
      if (!bearable || attempt >= this.#limits.retries) return response;
      response.discard();
      await this.#clock.sleep(wait, { signal: call.signal });
    }
  }

  /** The deadline ends with the headers; the body lives on under the caller's signal. */
  async #send(call: Call, lane: Lane): Promise<HttpResponse> {
    using deadline = deadlineOf(this.#clock, { ms: this.#limits.requestTimeout, what: call.what });
    const signal = anySignal(call.signal, this.#closed.signal, deadline.signal);
    const headers = { ...(await abortable(this.#headers(), signal)), ...call.headers };
    const path = this.#basePath + call.path;
    return await this.#transport.send({ method: call.method, path, headers, body: call.body, lane, signal });
  }

  async #headers(): Promise<Record<string, string>> {
    const token = await this.#config.token?.();
    return {
      accept: 'application/json',
      'user-agent': this.#config.userAgent ?? 'wasmlet',
      ...(token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` }),
    };
  }
}

function urlOf(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw kubeError('KUBE_CONFIG_INVALID', `Cannot use the API server '${server}': not an http or https URL`, {
    hint: 'Write it as https://host:port',
  });
}

function listItems<T extends KubeObject>(list: KubeList<T>, { plural }: Resource): T[] {
  // Go writes an empty slice as null in some lists.
  const items: unknown = list.items ?? [];
  if (Array.isArray(items) && items.every((item) => typeof item === 'object' && item !== null)) return items;
  throw kubeError('KUBE_BAD_RESPONSE', `Cannot list ${plural}: the answer has no items`);
}

const EVENT_TYPES: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']);

function watchEvent<T extends KubeObject>(line: string): WatchEventOf<T> {
  const event = parseJson(line, 'a watch event') as Partial<WatchEventOf<T>> | null;
  if (typeof event !== 'object' || event === null || !EVENT_TYPES.has(event.type ?? '')) {
    throw kubeError('KUBE_BAD_RESPONSE', 'Cannot read a watch event: no known type');
  }
  if (typeof event.object !== 'object' || event.object === null) {
    throw kubeError('KUBE_BAD_RESPONSE', `Cannot read a watch event: ${event.type} without an object`);
  }
  return event as WatchEventOf<T>;
}
