/**
 * One registry, one credential: the calls of the distribution specification that pulling and pushing need.
 * Source: github.com/opencontainers/distribution-spec `spec.md`.
 *
 * Answers are turned into codes here (`failure` in status.ts), 401 is answered once, 429 is waited for within bounds,
 * redirects are followed within bounds and without the credential once they leave the registry.
 */
import { type Clock, isWasmletError } from '#kit';
import { Authorizer } from './auth/authorizer.ts';
import type { Credential } from './auth/keyring.ts';
import { isDigest } from './digest.ts';
import { ociError } from './errors.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './http/request.ts';
import { badRedirect, checkTarget, mayBePlain, type Trust } from './http/trust.ts';
import { MAX_MANIFEST } from './manifest.ts';
import { ACCEPT } from './media-types.ts';
import type { Reference } from './reference.ts';
import { failure, retryAfterOf } from './status.ts';

export interface RegistryOptions {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly trust: Trust;
  readonly registry: string;
  readonly repository: string;
  readonly credential?: Credential | undefined;
}

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  /** What the registry says it is; the caller computes it. */
  readonly claimedDigest: string | undefined;
}

export interface OpenedBlob {
  /** Where the stream starts; 0 when the registry does not do ranges. */
  readonly offset: number;
  readonly stream: AsyncIterable<Uint8Array>;
}

type Call = Omit<HttpRequest, 'url' | 'signal'> & { readonly url: URL; readonly scope: string };

const MAX_REDIRECTS = 5;
const MAX_WAITS = 3;
/** A registry that asks for a longer pause is asked again by the caller's own back-off. */
const MAX_WAIT_MS = 30_000;

export class RegistryClient {
  readonly #options: RegistryOptions;
  readonly #authorizer: Authorizer;
  #base: Promise<URL> | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#authorizer = new Authorizer({ ...options, credential: options.credential });
  }

  get repository(): string {
    return this.#options.repository;
  }

  /** The digest that a tag points to now, if the registry says so without sending the manifest; undefined when it does not. */
  async head(reference: Reference, signal?: AbortSignal): Promise<string | undefined> {
    const response = await this.#manifestCall('HEAD', reference, signal);
    const digest = response.header('docker-content-digest');
    await response.body.discard();
    return isDigest(digest) ? digest : undefined;
  }

  async manifest(reference: Pick<Reference, 'tag' | 'digest'>, signal?: AbortSignal): Promise<FetchedManifest> {
    const response = await this.#manifestCall('GET', reference, signal);
    const contentType = response.header('content-type');
    if (contentType !== undefined && /^text\/html\b/i.test(contentType)) {
      await response.body.discard();
      throw ociError(
        'OCI_BAD_RESPONSE',
        `Cannot read ${this.#what}: registry ${this.#options.registry} answered with a web page`,
        {
          hint: 'Something that is no registry answers there: a login page, a proxy, a wrong host or port',
        },
      );
    }
    const bytes = await response.body.bytes(MAX_MANIFEST, `the manifest of ${this.#what}`);
    return { bytes, contentType, claimedDigest: response.header('docker-content-digest') };
  }

  /** Opens a blob from `offset` on. */
  async blob(
    digest: string,
    { offset, signal }: { offset: number; signal?: AbortSignal | undefined },
  ): Promise<OpenedBlob> {
    const headers = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const response = await this.#call(
      { method: 'GET', url: await this.#url(`blobs/${digest}`), headers, scope: this.#scope('pull') },
      signal,
    );
    if (response.status === 206 && rangeStart(response) === offset) return { offset, stream: response.body.stream() };
    if (response.status === 200) return { offset: 0, stream: response.body.stream() };
    throw await failure(response, { what: `blob ${digest} of ${this.#what}`, registry: this.#options.registry });
  }

  async hasBlob(digest: string, signal?: AbortSignal): Promise<boolean> {
    const url = await this.#url(`blobs/${digest}`);
    const response = await this.#call({ method: 'HEAD', url, scope: this.#scope('pull,push') }, signal);
    await response.body.discard();
    return response.status === 200;
  }

  /** One request of an upload; a status that is not `expected` is an error. */
  async upload(
    call: { readonly url: URL } & Omit<HttpRequest, 'url' | 'signal'>,
    { expected, what, signal }: { expected: number; what: string; signal?: AbortSignal | undefined },
  ): Promise<HttpResponse> {
    const response = await this.#call({ ...call, scope: this.#scope('pull,push') }, signal);
    if (response.status !== expected)
      throw await failure(response, {
        what: `${what} to ${this.#what}`,
        registry: this.#options.registry,
        verb: 'push',
      });
    return response;
  }

  /** A URL below the repository. */
  urlOf(path: string): Promise<URL> {
    return this.#url(path);
  }

  /** A Location that the registry gave for the next step of an upload. */
  locationOf(response: HttpResponse): URL {
    const location = response.header('location');
    if (location === undefined || !URL.canParse(location, response.url.href))
      throw badRedirect(response.url, 'it gives no place to upload to');
    const url = new URL(location, response.url);
    checkTarget(response.url, url, this.#options.trust);
    return url;
  }

  get #what(): string {
    return `${this.#options.registry}/${this.#options.repository}`;
  }

  #scope(actions: string): string {
    return `repository:${this.#options.repository}:${actions}`;
  }

  async #manifestCall(
    method: 'GET' | 'HEAD',
    { tag, digest }: Pick<Reference, 'tag' | 'digest'>,
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    const name = digest ?? tag ?? 'latest';
    const url = await this.#url(`manifests/${name}`);
    const response = await this.#call({ method, url, headers: { accept: ACCEPT }, scope: this.#scope('pull') }, signal);
    if (response.status === 200) return response;
    const separator = digest === undefined ? ':' : '@';
    throw await failure(response, { what: `${this.#what}${separator}${name}`, registry: this.#options.registry });
  }

  async #url(path: string): Promise<URL> {
    this.#base ??= this.#findBase();
    let base: URL;
    try {
      base = await this.#base;
    } catch (error) {
      this.#base = undefined;
      throw error;
    }
    return new URL(`/v2/${this.#options.repository}/${path}`, base);
  }

  /** https, and plain http only where it is allowed and https is not spoken. */
  async #findBase(): Promise<URL> {
    const host = this.#options.registry === 'docker.io' ? 'registry-1.docker.io' : this.#options.registry;
    if (!URL.canParse(`https://${host}/`))
      throw ociError('OCI_BAD_REFERENCE', `Cannot use registry '${host}': it is no host`);
    const secure = new URL(`https://${host}/`);
    if (!mayBePlain(secure, this.#options.trust)) return secure;
    try {
      const response = await this.#options.http.send({ method: 'GET', url: new URL('/v2/', secure) });
      await response.body.discard();
      return secure;
    } catch (error) {
      if (!speaksNoTls(error)) throw error;
      return new URL(`http://${host}/`);
    }
  }

  async #call(call: Call, signal: AbortSignal | undefined): Promise<HttpResponse> {
    let challenged = false;
    for (let waits = 0; ; ) {
      const response = await this.#follow(call, signal);
      if (response.status === 401 && !challenged) {
        challenged = true;
        await response.body.discard();
        if (await this.#authorizer.challenged(response, call.scope, signal)) continue;
        // The body is gone; what counts is in the status.
        return response;
      }
      const wait =
        response.status === 429 && waits < MAX_WAITS ? retryAfterOf(response, this.#options.clock.now()) : undefined;
      if (wait === undefined || wait > MAX_WAIT_MS) return response;
      waits++;
      await response.body.discard();
      await this.#options.clock.sleep(wait, { signal });
    }
  }

  async #follow(
    { scope, url: start, headers = {}, ...call }: Call,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const base = (await this.#base) ?? start;
    let url = start;
    for (let redirects = 0; ; redirects++) {
      const authorization = url.origin === base.origin ? this.#authorizer.header(scope) : undefined;
      const all = authorization === undefined ? headers : { ...headers, authorization };
      const response = await this.#options.http.send({ ...call, url, headers: all, signal });
      if (response.status < 300 || response.status > 399 || response.status === 304) return response;
      const location = response.header('location');
      await response.body.discard();
      if (call.upload !== undefined) throw badRedirect(url, 'it redirects an upload');
      if (redirects >= MAX_REDIRECTS) throw badRedirect(start, `it redirects more than ${MAX_REDIRECTS} times`);
      if (location === undefined || !URL.canParse(location, url.href))
        throw badRedirect(url, 'it redirects to nowhere');
      const target = new URL(location, url);
      checkTarget(url, target, this.#options.trust);
      url = target;
    }
  }
}

function rangeStart(response: HttpResponse): number | undefined {
  const found = /^bytes (\d{1,15})-/.exec(response.header('content-range') ?? '');
  return found === null ? undefined : Number(found[1]);
}

/** Whether the other side answered a TLS greeting with something else, or hung up on it: a plain server. */
function speaksNoTls(error: unknown): boolean {
  if (!isWasmletError(error)) return false;
  const code = String((error.cause as { code?: unknown } | undefined)?.code ?? '');
  return /^ERR_SSL|^EPROTO|^ECONNRESET$/.test(code);
}
