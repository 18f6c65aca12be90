/**
 * A collection of the API server, kept here: list once, then watch, and after every kind of trouble go on where it
 * stopped (resourceVersion) or list again (410). Source of the protocol: Kubernetes API concepts, "Efficient detection
 * of changes"; of the habits (short watches count as failures, back-off): client-go `tools/cache/reflector.go`.
 *
 * The node keeps its pods with it. While the server is away the last known state stays and is said to be old.
 */
import { type Backoff, type Clock, delayOf, type Log, messageOf, silentLog, systemClock } from '#kit';
import type { KubeClient, ListOptions, Resource } from './client.ts';
import { isGone } from './errors.ts';
import { anySignal } from './http/deadline.ts';
import { watchError } from './http/status.ts';
import { type Change, Store } from './store.ts';
import type { KubeObject } from './types/mod.ts';

export type { Change } from './store.ts';

export interface InformerOptions<T extends KubeObject = KubeObject>
  extends Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'> {
  /** Takes away what nobody needs, before an object is kept. */
  readonly trim?: ((object: T) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
  /** 0 to 1; for jitter. */
  readonly random?: (() => number) | undefined;
  readonly pageSize?: number | undefined;
  /** The shortest life of a watch in seconds; each lives up to twice as long. */
  readonly watchSeconds?: number | undefined;
}

export interface Informer<T extends KubeObject> extends AsyncDisposable {
  start(): void;
  get(target: { readonly namespace?: string | undefined; readonly name: string }): T | undefined;
  list(): T[];
  /** Called for every change, in order; what is known already comes at once as `added`. Returns what ends it. */
  on(listener: (change: Change<T>) => void): () => void;
  /** Resolves when the first list was taken over. */
  synced(options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /** Why the collection may be old; undefined while the watch stands. */
  readonly trouble: { readonly since: number; readonly error: unknown } | undefined;
}

/** Source: client-go reflector.go, NewReflectorWithOptions: 800 ms, doubling, at most 30 s, jitter 1. */
const BACKOFF: Backoff = { base: 800, factor: 2, cap: 30_000, jitter: 1 };
const SHORT_WATCH = 1000;
/** The server ends a watch by itself; one that it forgot is ended here. */
const GRACE = 30_000;

export function informer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  options: InformerOptions<T> = {},
): Informer<T> {
  return new Reflector<T>(client, resource, options);
}

class Reflector<T extends KubeObject> implements Informer<T> {
  readonly #client: KubeClient;
  readonly #resource: Resource;
  readonly #options: InformerOptions<T>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Log;
  readonly #store: Store<T>;
  readonly #stop = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #trouble: { since: number; error: unknown } | undefined;
  /** Where the next watch starts; undefined: list first. */
  #version: string | undefined;
  #failures = 0;

  constructor(client: KubeClient, resource: Resource, options: InformerOptions<T>) {
    this.#client = client;
    this.#resource = resource;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = (options.log ?? silentLog).with({ resource: resource.plural });
    this.#store = new Store<T>((error) => this.#log.error('A listener failed', { error: messageOf(error) }));
    this.#synced.promise.catch(() => {});
  }

  start(): void {
    this.#running ??= this.#run();
  }

  get(target: { readonly namespace?: string | undefined; readonly name: string }): T | undefined {
    return this.#store.get(target);
  }

  list(): T[] {
    return this.#store.list();
  }

  on(listener: (change: Change<T>) => void): () => void {
    return this.#store.on(listener);
  }

  async synced({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (signal === undefined) return await this.#synced.promise;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([this.#synced.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  get trouble(): { readonly since: number; readonly error: unknown } | undefined {
    return this.#trouble;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#synced.reject(new Error('Cannot wait for the list: the informer is closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isGone(error)) this.#version = undefined;
        // The first 410 is ordinary (the server compacted); one after the other is trouble.
        const wait = isGone(error) && this.#failures === 0 ? 0 : delayOf(BACKOFF, this.#failures, this.#random);
        this.#failures++;
        this.#note(error);
        await this.#clock.sleep(wait, { signal }).catch(() => {});
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    if (this.#version === undefined) {
      this.#version = await this.#relist(signal);
      this.#recovered();
      this.#synced.resolve();
    }
    await this.#watch(this.#version, signal);
  }

  /** All pages; a page whose token has expired starts again without pages. */
  async #relist(signal: AbortSignal): Promise<string> {
    const { namespace, labelSelector, fieldSelector, pageSize = 500 } = this.#options;
    const selection = { namespace, labelSelector, fieldSelector, signal };
    const items: T[] = [];
    let next: string | undefined;
    let limit: number | undefined = pageSize;
    for (;;) {
      try {
        const page = await this.#client.list<T>(this.#resource, { ...selection, limit, continue: next });
        for (const item of page.items) this.#options.trim?.(item);
        items.push(...page.items);
        next = page.metadata?.continue || undefined;
        if (next !== undefined) continue;
        this.#store.replace(items);
        return page.metadata?.resourceVersion ?? '';
      } catch (error) {
        if (!isGone(error) || next === undefined) throw error;
        items.length = 0;
        next = undefined;
        limit = undefined;
      }
    }
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const { namespace, labelSelector, fieldSelector, watchSeconds = 300 } = this.#options;
    const timeoutSeconds = Math.round(watchSeconds * (1 + this.#random()));
    const started = this.#clock.monotonic();
    using overdue = alarm(this.#clock, timeoutSeconds * 1000 + GRACE);
    const events = this.#client.watch<T>(this.#resource, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion: from,
      allowWatchBookmarks: true,
      timeoutSeconds,
      signal: anySignal(signal, overdue.signal),
    });
    let seen = 0;
    for await (const event of events) {
      if (signal.aborted) return;
      if (event.type === 'ERROR') throw watchError(event.object);
      seen++;
      this.#well();
      if (event.type !== 'BOOKMARK') this.#options.trim?.(event.object);
      if (event.type !== 'BOOKMARK') this.#store.apply(event.type, event.object);
      this.#version = event.object.metadata?.resourceVersion ?? this.#version;
    }
    if (seen === 0 && this.#clock.monotonic() - started < SHORT_WATCH) {
      throw new Error('the server ended the watch at once');
    }
    this.#well();
  }

  #well(): void {
    this.#failures = 0;
    this.#recovered();
  }

  #recovered(): void {
    if (this.#trouble === undefined) return;
    this.#log.info('The watch stands again', { after: Math.round((this.#clock.now() - this.#trouble.since) / 1000) });
    this.#trouble = undefined;
  }

  /** One line when trouble starts and one when it ends, however long it lasts. */
  #note(error: unknown): void {
    if (this.#trouble === undefined && !isGone(error))
      this.#log.warn('Cannot keep the watch', { error: messageOf(error) });
    this.#trouble = { since: this.#trouble?.since ?? this.#clock.now(), error };
  }
}

function alarm(clock: Clock, ms: number): Disposable & { readonly signal: AbortSignal } {
  const over = new AbortController();
  const timer = new AbortController();
  clock.sleep(ms, { signal: timer.signal }).then(
    () => over.abort(),
    () => {},
  );
  return { signal: over.signal, [Symbol.dispose]: () => timer.abort() };
}
