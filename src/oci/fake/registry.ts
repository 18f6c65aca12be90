/**
 * A registry for tests, as one handler function over a few maps, and what makes a registry from hell of it: `fault` sees every
 * request first and may answer it in any way. Never loaded outside tests.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Artifact, Part } from '../artifact.ts';
import { sha256Of } from '../digest.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** Answers and returns true, or returns false and leaves the request to the registry. */
export type Fault = (request: IncomingMessage, response: ServerResponse, asked: Asked) => boolean | Promise<boolean>;

export class FakeRegistry implements AsyncDisposable {
  /** By digest. */
  readonly blobs = new Map<string, Uint8Array>();
  /** By `repository:tag` and `repository@digest`. */
  readonly manifests = new Map<string, { mediaType: string; bytes: Uint8Array }>();
  readonly asked: Asked[] = [];
  fault: Fault = () => false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #uploads = new Map<string, Buffer>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket.on('close', () => this.#sockets.delete(socket)));
      socket.on('error', () => {});
    });
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Offers an artifact as `repository:tag`; returns the reference to pull. */
  offer(artifact: Artifact, { repository = 'team/hello', tag = 'v1' } = {}): string {
    for (const part of [artifact.module, artifact.config]) this.blobs.set(part.digest, part.bytes);
    return this.offerManifest(artifact.manifest, { repository, tag });
  }

  /** Keeps a blob; returns its digest. */
  keep(bytes: Uint8Array): string {
    const digest = sha256Of(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  offerManifest(
    { mediaType, bytes }: Pick<Part, 'mediaType' | 'bytes'>,
    { repository = 'team/hello', tag = 'v1' } = {},
  ): string {
    this.manifests.set(`${repository}@${sha256Of(bytes)}`, { mediaType, bytes });
    this.manifests.set(`${repository}:${tag}`, { mediaType, bytes });
    return `${this.host}/${repository}:${tag}`;
  }

  /** How often a path that contains `part` was asked for. */
  count(part: string, method = 'GET'): number {
    return this.asked.filter((asked) => asked.method === method && asked.path.includes(part)).length;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const asked = { method, path: url, authorization: request.headers.authorization, range: request.headers.range };
    this.asked.push(asked);
    response.on('error', () => {});
    if (await this.fault(request, response, asked)) return;
    const path = url.split('?')[0] ?? '';
    if (method !== 'GET' && method !== 'HEAD') {
      await this.#write(request, response, { method, url: new URL(url, this.url) });
      return;
    }
    if (path === '/v2/') {
      response.writeHead(200).end('{}');
      return;
    }
    const blob = /^\/v2\/(.+)\/blobs\/(sha256:[0-9a-f]+)$/.exec(path);
    if (blob !== null) return this.#blob(response, asked, blob[2] ?? '');
    const manifest = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(path);
    if (manifest !== null)
      return this.#manifest(
        response,
        method,
        `${manifest[1]}${manifest[2]?.startsWith('sha256:') ? '@' : ':'}${manifest[2]}`,
      );
    notFound(response);
  }

  /** POST for a place, PATCH and PUT into it; PUT of a manifest. Nothing is checked but the digest. */
  async #write(
    request: IncomingMessage,
    response: ServerResponse,
    { method, url }: { method: string; url: URL },
  ): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const place = /^(\/v2\/.+)\/blobs\/uploads\/(\w*)$/.exec(url.pathname);
    const manifest = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url.pathname);
    if (manifest !== null) {
      const mediaType = request.headers['content-type'] ?? '';
      const bytes = Buffer.concat(parts);
      this.offerManifest({ mediaType, bytes }, { repository: manifest[1] ?? '', tag: manifest[2] ?? '' });
      response.writeHead(201, { 'docker-content-digest': sha256Of(bytes) }).end();
      return;
    }
    if (place === null) {
      notFound(response);
      return;
    }
    const id = method === 'POST' ? `u${this.#uploads.size}` : (place[2] ?? '');
    const bytes = Buffer.concat([this.#uploads.get(id) ?? Buffer.alloc(0), ...parts]);
    this.#uploads.set(id, bytes);
    const digest = url.searchParams.get('digest');
    if (method === 'PUT' && digest === sha256Of(bytes)) this.blobs.set(digest, bytes);
    const status = method !== 'PUT' ? 202 : digest === sha256Of(bytes) ? 201 : 400;
    response.writeHead(status, { location: `${place[1]}/blobs/uploads/${id}?state=x` }).end();
  }

  #blob(response: ServerResponse, { method, range }: Asked, digest: string): void {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) {
      notFound(response);
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const headers = { 'content-length': bytes.length - from, 'content-type': 'application/octet-stream' };
    if (from === 0) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
    response.end(method === 'HEAD' ? undefined : bytes.subarray(from));
  }

  #manifest(response: ServerResponse, method: string, name: string): void {
    const found = this.manifests.get(name);
    if (found === undefined) {
      notFound(response);
      return;
    }
    response.writeHead(200, {
      'content-type': found.mediaType,
      'content-length': found.bytes.length,
      'docker-content-digest': sha256Of(found.bytes),
    });
    response.end(method === 'HEAD' ? undefined : found.bytes);
  }
}

function notFound(response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code: 'NOT_FOUND', message: 'there is no such thing' }] }));
}
