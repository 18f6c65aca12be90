/**
 * The contract of a Kubernetes API client, as every room above uses it: the node, the command line and the tests
 * talk to a real API server and to the embedded one by this interface and know no difference.
 * `connect()` in `kube/http-client.ts` makes one from a kubeconfig.
 */
import type { KubeList, KubeObject, WatchEventOf } from './types/mod.ts';

/** Which collection of which group; the constants are in `kube/resources.ts`. */
export interface Resource {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural, lower case, as in the URL. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface Target {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly subresource?: string | undefined;
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined;
}

export interface WatchOptions extends ListOptions {
  readonly sendInitialEvents?: boolean | undefined;
  readonly allowWatchBookmarks?: boolean | undefined;
  /** Seconds after which the server ends the watch. */
  readonly timeoutSeconds?: number | undefined;
}

export interface WriteOptions {
  readonly dryRun?: boolean | undefined;
  readonly fieldManager?: string | undefined;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore' | undefined;
}

/** Source: RFC 6902 (json), RFC 7386 (merge), apimachinery `strategicpatch` (strategic), server-side apply (apply). */
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface DeleteOptions extends Pick<WriteOptions, 'dryRun'> {
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
}

/** A signal that ends the call; every method takes one. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Failures are `WasmletError`s: `KUBE_UNREACHABLE`, `KUBE_STATUS` (an `ApiStatusError` that carries the server's
 * `Status`), `KUBE_BAD_RESPONSE`. Nothing is retried inside: who calls knows what a second try means. The exception
 * is 429 with Retry-After, which is waited for, bounded.
 */
export interface KubeClient extends AsyncDisposable {
  /** Base URL of the API server. */
  readonly server: string;
  get<T extends KubeObject>(resource: Resource, target: Target, options?: CallOptions): Promise<T>;
  list<T extends KubeObject>(resource: Resource, options?: ListOptions & CallOptions): Promise<KubeList<T>>;
  create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options?: WriteOptions & CallOptions & Partial<Target>,
  ): Promise<T>;
  replace<T extends KubeObject>(
    resource: Resource,
    object: T,
    options?: WriteOptions & CallOptions & Partial<Target>,
  ): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource,
    target: Target,
    patch: { readonly type: PatchType; readonly body: unknown; readonly force?: boolean },
    options?: WriteOptions & CallOptions,
  ): Promise<T>;
  delete(resource: Resource, target: Target, options?: DeleteOptions & CallOptions): Promise<KubeObject>;
  /** Yields events until the server ends the watch, the signal is aborted, or an error is thrown. */
  watch<T extends KubeObject>(resource: Resource, options?: WatchOptions & CallOptions): AsyncIterable<WatchEventOf<T>>;
  /** Any other request (logs, discovery, health): the raw answer, its body streamed. */
  raw(path: string, init?: RawInit & CallOptions): Promise<RawResponse>;
}

export interface RawInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  text(): Promise<string>;
}
