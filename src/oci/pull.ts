/**
 * From a reference to a verified image in the content store. Who calls: the node's image manager, `wasmlet pull`, `wasmlet run`.
 *
 *     resolve (tag → digest) → manifest, or the wasm one of an index → flavour → module, resumed after cuts → reference
 *
 * Each credential is tried in turn, as the kubelet does. Two pulls of one image, or of one blob, are one.
 */
import { type Clock, isWasmletError, systemClock } from '#kit';
import type { Credential } from './auth/keyring.ts';
import { sha256Of } from './digest.ts';
import { ociError } from './errors.ts';
import { fetchBlob } from './fetch-blob.ts';
import { chooseManifest, notWasm, recognise, wantsConfig } from './flavours/mod.ts';
import { Flights } from './flights.ts';
import { HttpClient, type Timeouts } from './http/request.ts';
import { authoritiesOf } from './http/trust.ts';
import type { WorkloadImage } from './image.ts';
import { imageOf, localImage, putRefs } from './local.ts';
import { type Descriptor, type ImageManifest, MAX_CONFIG, parseJsonObject, parseManifest } from './manifest.ts';
import { IMAGE_CONFIG_TYPES } from './media-types.ts';
import { formatReference, type Reference } from './reference.ts';
import { RegistryClient } from './registry.ts';
import { type ContentStore, wrongDigest } from './store/store.ts';

export interface PullerOptions {
  readonly store: ContentStore;
  readonly clock?: Clock;
  readonly timeouts?: Partial<Timeouts>;
  /** Registries that may be reached by plain http, besides this machine's own. */
  readonly insecureRegistries?: readonly string[];
  /** Bytes of a module at most. */
  readonly maxModule?: number;
  /** Where authorities of registries lie; Docker's and Podman's places if not given. */
  readonly certsDirs?: readonly string[];
}

export interface PullOptions {
  /** Tried in this order; nothing or none is an anonymous pull. */
  readonly credentials?: readonly Credential[];
  readonly signal?: AbortSignal | undefined;
}

export interface Pulled {
  readonly image: WorkloadImage;
}

/** What the engine takes at most, as one module. */
const MAX_MODULE = 1 << 30;

export class Puller implements Disposable {
  readonly #store: ContentStore;
  readonly #clock: Clock;
  readonly #http: HttpClient;
  readonly #insecure: readonly string[];
  readonly #maxModule: number;
  readonly #images = new Flights<WorkloadImage>();
  readonly #blobs = new Flights<void>();

  constructor(options: PullerOptions) {
    const {
      store,
      clock = systemClock,
      timeouts = {},
      insecureRegistries = [],
      maxModule = MAX_MODULE,
      certsDirs,
    } = options;
    this.#store = store;
    this.#clock = clock;
    this.#insecure = insecureRegistries;
    this.#maxModule = maxModule;
    this.#http = new HttpClient({ clock, timeouts, authorities: (host) => authoritiesOf(host, certsDirs) });
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }

  async pull(reference: Reference, { credentials = [], signal }: PullOptions = {}): Promise<WorkloadImage> {
    // What is in a credential must not decide who shares a pull: the same name with other credentials is another pull.
    const key = sha256Of(JSON.stringify([formatReference(reference), credentials]));
    return await this.#images.run(key, (shared) => this.#tryEach(reference, { credentials, signal: shared }), {
      signal,
    });
  }

  async #tryEach(
    reference: Reference,
    { credentials, signal }: { credentials: readonly Credential[]; signal: AbortSignal },
  ): Promise<WorkloadImage> {
    const tries: readonly (Credential | undefined)[] = credentials.length === 0 ? [undefined] : credentials;
    let last: unknown;
    for (const credential of tries) {
      try {
        return await this.#pullWith(reference, { credential, signal });
      } catch (error) {
        const code = isWasmletError(error) ? error.code : '';
        if (!['OCI_UNAUTHORIZED', 'OCI_DENIED', 'OCI_NOT_FOUND'].includes(code)) throw error;
        last = error;
      }
    }
    throw last;
  }

  async #pullWith(
    reference: Reference,
    { credential, signal }: { credential: Credential | undefined; signal: AbortSignal },
  ): Promise<WorkloadImage> {
    const registry = this.#clientFor(reference, credential);
    const known = await this.#unchanged(reference, registry, signal);
    if (known !== undefined) return known;
    const resolved = await this.#resolve(reference, registry, signal);
    const { manifest } = resolved;
    const what = `'${formatReference(reference)}'`;
    const config = await this.#config(manifest, registry, signal);
    const { module } = recognise(what, { manifest, config: config.parsed });
    if (module.size > this.#maxModule) {
      throw ociError(
        'OCI_TOO_LARGE',
        `Cannot pull ${what}: its module has ${module.size} bytes, at most ${this.#maxModule} are taken`,
      );
    }
    const parts = [...resolved.documents, ...(config.bytes.length === 0 ? [] : [manifest.config]), module];
    const ref = {
      digest: resolved.digest,
      mediaType: resolved.mediaType,
      blobs: [...new Set(parts.map((part) => part.digest))],
      size: parts.reduce((sum, part) => sum + part.size, 0),
      pulledAt: this.#clock.now(),
    };
    // A collection of garbage in another process may take a blob between its coming and its reference: then once more.
    for (let round = 0; round < 3; round++) {
      for (const document of resolved.documents) await this.#store.put(document.bytes);
      if (config.bytes.length > 0) await this.#store.put(config.bytes);
      await this.#fetch(module, registry, signal);
      await putRefs(this.#store, reference, ref);
      if (await this.#store.intact({ reference: '', ...ref })) break;
    }
    return imageOf(this.#store, { reference, ref, manifest, config: config.bytes });
  }

  /** What is here already, if the registry says that the tag still means it. */
  async #unchanged(
    reference: Reference,
    registry: RegistryClient,
    signal: AbortSignal,
  ): Promise<WorkloadImage | undefined> {
    const local = await localImage(this.#store, reference).catch(() => undefined);
    if (local === undefined) return undefined;
    const digest = await registry.head(reference, signal);
    if (digest !== local.digest) return undefined;
    return local;
  }

  async #resolve(reference: Reference, registry: RegistryClient, signal: AbortSignal): Promise<Resolved> {
    const what = `'${formatReference(reference)}'`;
    const top = await this.#manifest(registry, { reference, what, signal });
    if (top.parsed.kind === 'manifest') return { ...top, manifest: top.parsed, documents: [top] };
    const chosen = chooseManifest(what, top.parsed);
    const inner = await this.#manifest(registry, {
      reference: { tag: undefined, digest: chosen.digest },
      what,
      signal,
    });
    if (inner.parsed.kind !== 'manifest') throw notWasm(what, 'an index of indexes');
    return { ...top, manifest: inner.parsed, documents: [top, inner] };
  }

  async #manifest(
    registry: RegistryClient,
    { reference, what, signal }: { reference: Pick<Reference, 'tag' | 'digest'>; what: string; signal: AbortSignal },
  ): Promise<Document & { parsed: ReturnType<typeof parseManifest> }> {
    const { bytes, contentType, claimedDigest } = await registry.manifest(reference, signal);
    const digest = sha256Of(bytes);
    const expected = reference.digest ?? (claimedDigest?.startsWith('sha256:') ? claimedDigest : undefined) ?? digest;
    if (digest !== expected) throw wrongDigest(expected, digest);
    const parsed = parseManifest(bytes, { what: `the manifest of ${what}`, contentType });
    return { digest, mediaType: parsed.mediaType, size: bytes.length, bytes, parsed };
  }

  /** Only fetched where it decides something, or where it tells what an image that is none of ours is. */
  async #config(
    manifest: ImageManifest,
    registry: RegistryClient,
    signal: AbortSignal,
  ): Promise<{ bytes: Uint8Array; parsed: Record<string, unknown> }> {
    const { config } = manifest;
    const nothing = { bytes: new Uint8Array(), parsed: {} };
    if (!wantsConfig(manifest) && !IMAGE_CONFIG_TYPES.includes(config.mediaType)) return nothing;
    if (config.size > MAX_CONFIG)
      throw ociError(
        'OCI_TOO_LARGE',
        `Cannot read a configuration of ${config.size} bytes: it is larger than ${MAX_CONFIG}`,
      );
    try {
      await this.#fetch(config, registry, signal);
      const bytes = await this.#store.read(config.digest, MAX_CONFIG);
      if (bytes === undefined) return nothing;
      return { bytes, parsed: bytes.length === 0 ? {} : parseJsonObject(bytes, 'the configuration of the image') };
    } catch (error) {
      if (wantsConfig(manifest)) throw error;
      return nothing;
    }
  }

  async #fetch(blob: Descriptor, registry: RegistryClient, signal: AbortSignal): Promise<void> {
    if (await this.#store.has(blob)) return;
    await this.#blobs.run(
      blob.digest,
      (shared) => fetchBlob(blob, { registry, store: this.#store, clock: this.#clock, signal: shared }),
      { signal },
    );
  }

  #clientFor({ registry, repository }: Reference, credential: Credential | undefined): RegistryClient {
    return new RegistryClient({
      http: this.#http,
      clock: this.#clock,
      trust: { insecure: this.#insecure },
      registry,
      repository,
      credential,
    });
  }
}

interface Document {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly bytes: Uint8Array;
}

interface Resolved {
  /** Of what the reference points to. */
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: ImageManifest;
  readonly documents: readonly Document[];
}
