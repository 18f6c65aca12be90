/** What a volume type promises, and what the volumes of a pod come down to. */
import type { Clock, Log } from '#kit';
import type { Tree } from '#kit/os';
import type { ConfigMap, Pod, Secret, TokenRequestStatus, Volume } from '#kube/types';

/** The objects that volumes and environments are made of. Rejects with the client's errors (`isNotFound`). */
export interface ObjectSource {
  configMap(namespace: string, name: string): Promise<ConfigMap>;
  secret(namespace: string, name: string): Promise<Secret>;
  /** Source: TokenRequest API, bound to the pod. */
  token(
    pod: Pod,
    options: { readonly audience?: string | undefined; readonly expirationSeconds: number },
  ): Promise<TokenRequestStatus>;
}

export interface VolumeContext {
  readonly pod: Pod;
  readonly volume: Volume;
  /** The volume's own directory. */
  readonly path: string;
  /** The tenant's files, of which it is a part: written to and read through this alone. */
  readonly tree: Tree;
  readonly objects: ObjectSource;
  /** For downwardAPI. */
  readonly facts: NodeFacts;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the downward API says of the node and of the pod's place on it. */
export interface NodeFacts {
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  /** Defaults of limits in `resourceFieldRef`. */
  readonly allocatable: Readonly<Record<string, string | number>>;
}

export interface VolumeResult {
  /** When the content should be made again, in milliseconds since the epoch; undefined: never. */
  readonly refreshAt?: number | undefined;
}

/** One type of volume. `setUp` is idempotent: it is called again at `refreshAt`, and after a restart of the node. */
export interface VolumeType {
  /** The field of `spec.volumes[]` that chooses it. */
  readonly field: keyof Volume;
  /** The kubelet's directory: `kubernetes.io~<plugin>`. */
  readonly plugin: string;
  setUp(context: VolumeContext): Promise<VolumeResult>;
  /** Before the directory is removed. */
  tearDown?(path: string): Promise<void>;
}
