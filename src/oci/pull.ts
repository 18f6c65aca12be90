/**
 * From a reference to a verified image in the content store. Who calls: the node's image manager, `wasmlet pull`, `wasmlet run`.
 *
 *     resolve (tag → digest) → manifest, or the wasm one of an index → flavour → module, resumed after cuts → reference
 *
 * Each credential is tried in turn, as the kubelet does. Two pulls of one image, or of one blob, are one.
 */
import { type Clock, isWasmletError, systemClock } from '#kit';
import { mayUse } from './access.ts';
import type { Credential } from './auth/keyring.ts';
import { sha256Of } from './digest.ts';
import { ociError } from './errors.ts';
import { fetchBlob } from './fetch-blob.ts';
import { Flights } from './flights.ts';
import type { Timeouts } from './http/failure.ts';
import { HttpClient } from './http/request.ts';
import { authoritiesOf } from './http/trust.ts';
import type { WorkloadImage } from './image.ts';
import { imageOf, localImage, putRefs } from './local.ts';
import { type Descriptor, MAX_CONFIG } from './manifest.ts';
import { formatReference, type Reference } from './reference.ts';
import { RegistryClient } from './registry.ts';
import { type Resolved, resolveImage } from './resolve.ts';
import type { StoredRef } from './store/refs.ts';
import type { ContentStore } from './store/store.ts';

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
  /** The caller's own, tried in this order; what comes with one of them is for those who have it (`access.ts`). */
  readonly credentials?: readonly Credential[];
  /** The machine's, tried after them. Without any of both the pull is anonymous. */
  readonly shared?: readonly Credential[];
  readonly signal?: AbortSignal | undefined;
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

  async pull(
    reference: Reference,
    { credentials = [], shared = [], signal }: PullOptions = {},
  ): Promise<WorkloadImage> {
    // The same name with other credentials is another pull: nobody gets what somebody else may have.
    const key = sha256Of(JSON.stringify([formatReference(reference), credentials, shared]));
    const tries: Try[] = [
      ...credentials.map((credential) => ({ credential, own: true })),
      ...shared.map((credential) => ({ credential, own: false })),
    ];
    const all = tries.length === 0 ? [{ credential: undefined, own: false }] : tries;
    return await this.#images.run(key, (together) => this.#tryEach(reference, all, together), { signal });
  }

  async #tryEach(reference: Reference, tries: readonly Try[], signal: AbortSignal): Promise<WorkloadImage> {
    let last: unknown;
    for (const attempt of tries) {
      try {
        return await this.#pullWith(reference, attempt, signal);
      } catch (error) {
        const code = isWasmletError(error) ? error.code : '';
        if (!['OCI_UNAUTHORIZED', 'OCI_DENIED', 'OCI_NOT_FOUND'].includes(code)) throw error;
        last = error;
      }
    }
    throw last;
  }

  async #pullWith(reference: Reference, { credential, own }: Try, signal: AbortSignal): Promise<WorkloadImage> {
    const registry = this.#clientFor(reference, credential);
    const holder = own ? credential : undefined;
    const known = await this.#unchanged(reference, { registry, holder, signal });
    if (known !== undefined) return known;
    const resolved = await resolveImage(reference, {
      registry,
      signal,
      readBlob: (blob) => this.#readSmall(blob, registry, signal),
    });
    const ref = await this.#bringIn(reference, resolved, { registry, holder, signal });
    const { manifest, config } = resolved;
    return imageOf(this.#store, { reference, ref, manifest, config });
  }

  /** Everything that the image is made of, then its reference. */
  async #bringIn(
    reference: Reference,
    { digest, mediaType, manifest, documents, config, found }: Resolved,
    { registry, holder, signal }: Pulling,
  ): Promise<Omit<StoredRef, 'reference'>> {
    const { module } = found;
    if (module.size > this.#maxModule) {
      const state = `its module has ${module.size} bytes, at most ${this.#maxModule} are taken`;
      throw ociError('OCI_TOO_LARGE', `Cannot pull '${formatReference(reference)}': ${state}`);
    }
    const parts = [...documents, ...(config.length === 0 ? [] : [manifest.config]), module];
    const blobs = [...new Set(parts.map((part) => part.digest))];
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    const ref = { digest, mediaType, blobs, size, pulledAt: this.#clock.now() };
    // A collection of garbage in another process may take a blob between its coming and its reference: then once more.
    for (let round = 0; round < 3; round++) {
      for (const document of documents) await this.#store.put(document.bytes);
      if (config.length > 0) await this.#store.put(config);
      await this.#fetch(module, registry, signal);
      await putRefs(this.#store, reference, { ...ref, credential: holder });
      if (await this.#store.intact(ref)) break;
    }
    return ref;
  }

  /** What is here already, if the registry says, to who asks now, that the name still means it. */
  async #unchanged(reference: Reference, { registry, holder, signal }: Pulling): Promise<WorkloadImage | undefined> {
    const local = await localImage(this.#store, reference).catch(() => undefined);
    if (local === undefined) return undefined;
    const digest = await registry.head(reference, signal);
    if (digest !== local.digest) return undefined;
    const ref = await this.#store.refs.get(formatReference(reference));
    const mine = ref !== undefined && mayUse(ref, holder === undefined ? [] : [holder]);
    if (ref !== undefined && !mine) await putRefs(this.#store, reference, { ...ref, credential: holder });
    return local;
  }

  async #readSmall(blob: Descriptor, registry: RegistryClient, signal: AbortSignal): Promise<Uint8Array> {
    await this.#fetch(blob, registry, signal);
    const bytes = await this.#store.read(blob.digest, MAX_CONFIG);
    if (bytes === undefined) throw ociError('OCI_STORE', `Cannot read ${blob.digest}: it is gone from the store again`);
    return bytes;
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

interface Try {
  readonly credential: Credential | undefined;
  /** The caller's, not the machine's. */
  readonly own: boolean;
}

interface Pulling {
  readonly registry: RegistryClient;
  /** Whose the image will be; undefined for everybody. */
  readonly holder: Credential | undefined;
  readonly signal: AbortSignal;
}
