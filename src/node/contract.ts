/**
 * What the rooms of the node promise each other. The host (registration, lease, status, certificates, the HTTPS API)
 * knows pods only by `PodManager`; the pod side knows the host not at all. `start.ts` puts them together.
 */
import type { Clock, Log } from '#kit';
import type { ContainerImage, Pod, Taint } from '#kube/types';

/** The query of `GET /containerLogs/…`. Source: core/v1 PodLogOptions. */
export interface LogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number | undefined;
  readonly limitBytes?: number | undefined;
  /** Milliseconds since the epoch; lines before are left out. */
  readonly since?: number | undefined;
}

/** The pod side of the node. */
export interface PodManager {
  /** A pod that is bound to this node is new or has changed. Never throws, never waits. */
  update(pod: Pod): void;
  /** The API server has no such pod any more. */
  remove(pod: Pod): void;
  /** Takes over what an earlier node process left running, before the first `update`. */
  recover(): Promise<void>;
  /** The first whole list was delivered: what is here and was not in it is an orphan. */
  settled(): void;
  /** `keep`: guests go on without this process; `end`: each is ended gracefully first. */
  stop(options: { readonly guests: 'keep' | 'end'; readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Every pod of this node with its status of now. */
  pods(): readonly Pod[];
  /**
   * A container's output as the kubelet API sends it. Rejects with NODE_POD_UNKNOWN, NODE_CONTAINER_UNKNOWN or
   * NODE_LOG_UNAVAILABLE before the first byte; ends when the container has ended and nothing follows.
   */
  logs(request: LogRequest, options: { readonly signal: AbortSignal }): Promise<AsyncIterable<Uint8Array>>;
  /** For `status.images`. */
  images(): Promise<readonly ContainerImage[]>;
}

/** Which of two sets of names the node shows; decision in docs/decisions/0009-node-identity.md. */
export type Profile = 'krustlet' | 'conformance';
export type Arch = 'wasm32-wasi' | 'wasm32-wagi';

export interface SandboxOptions {
  /** How many sandboxes the pods of a namespace share. */
  readonly perNamespace?: number | undefined;
  /** How many pods may have a process of their own at once. */
  readonly mostOwnProcesses?: number | undefined;
  /** How many sandboxes wait for a namespace. */
  readonly warm?: number | undefined;
  /** Walls without which no guest starts. */
  readonly walls?: readonly string[] | undefined;
}

export interface NodeOptions {
  readonly name: string;
  readonly dataDir: string;
  /** The API server and who the node is there; with `bootstrap` it asks for a certificate first. */
  readonly access: { readonly kubeconfig: string } | { readonly bootstrapKubeconfig: string };
  /** Whether the embedded API is on the other side: pods then get loopback addresses of their own. */
  readonly mode: 'standalone' | 'joined';
  readonly profile?: Profile | undefined;
  readonly arch?: Arch | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Instead of the profile's; an empty list for none. */
  readonly taints?: readonly Taint[] | undefined;
  /** An exact address; found by the route to the API server where none is given. */
  readonly address?: string | undefined;
  /** Where the node's API listens, if not at `address`; never a wildcard. */
  readonly listenAddress?: string | undefined;
  readonly hostname?: string | undefined;
  /** 10250; 0 for any. */
  readonly port?: number | undefined;
  /** 10248; 0 for none. */
  readonly healthzPort?: number | undefined;
  /** Who may vouch for callers of the node's API; the cluster's authority where none is given. */
  readonly clientCaFile?: string | undefined;
  /** A serving certificate of one's own, instead of one that the cluster signs. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Standalone: the authority that signs the serving certificate, as nobody is there to approve a request. */
  readonly signWith?: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly maxPods?: number | undefined;
  /** Registries that may be spoken to without TLS. */
  readonly insecureRegistries?: readonly string[] | undefined;
  /** Starts guests without walls where the system has none to offer. */
  readonly insecureTrustedGuests?: boolean | undefined;
  /** How guests are spread over processes; what is left out has the runtime's defaults. */
  readonly sandboxes?: SandboxOptions | undefined;
  readonly version: string;
  readonly log: Log;
  readonly clock?: Clock | undefined;
  /** Ends the start. */
  readonly signal?: AbortSignal | undefined;
}

export interface Node extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly healthz: string | undefined;
  /** The Node object was written with Ready=True at least once. */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  pods(): readonly Pod[];
  stop(options: { readonly guests: 'keep' | 'end'; readonly signal?: AbortSignal | undefined }): Promise<void>;
}
