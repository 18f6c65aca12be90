/**
 * Bytes to and from an API server: HTTP/2 where the server speaks it (ALPN), else HTTP/1.1 (a proxy, a plain server).
 * Certificates and tokens are asked for at each new connection or request, so a rotated one is used without a restart.
 */
import type { Clock } from '#kit';

/** Watches live for minutes and must not share a connection's stream limit with leases and status. */
export type Lane = 'call' | 'watch';

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  readonly lane: Lane;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Ends the request when it is left early. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of a body that nobody reads. */
  discard(): void;
}

/** PEM. */
export interface ClientIdentity {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
}

export interface TransportConfig {
  readonly origin: URL;
  /** PEM; without one the system's authorities are used. */
  readonly ca?: string | Uint8Array | undefined;
  /** The name to check the server's certificate against, where it is not the URL's host. */
  readonly serverName?: string | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
  readonly identity?: (() => ClientIdentity | undefined) | undefined;
  readonly clock: Clock;
  /** Milliseconds for TCP and TLS together. */
  readonly connectTimeout: number;
}

export interface Transport {
  send(request: HttpRequest): Promise<HttpResponse>;
  /** New requests use new connections; open streams end by themselves, except those of `lane` watch, which are cut. */
  renew(): void;
  close(): Promise<void>;
}
