/**
 * What a pod's worker knows when it decides: facts only, no handles. `plan` and `status` are functions of the pod, of
 * this and of the time; the worker's effects make the next one of it. Times are milliseconds since the epoch.
 */
import type { PodStatus, ResourceRequirements } from '#kube/types';
import type { Resize } from './resize.ts';

export type ContainerKind = 'containers' | 'initContainers';

/** The newest try of a container. */
export type Instance =
  | { readonly state: 'created'; readonly attempt: number }
  | { readonly state: 'running'; readonly attempt: number; readonly startedAt: number }
  | ExitedInstance;

export interface ExitedInstance {
  readonly state: 'exited';
  readonly attempt: number;
  readonly startedAt?: number | undefined;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly signal?: number | undefined;
  readonly reason: string;
  readonly message?: string | undefined;
}

/** Of which image the newest try is. */
export interface ImageSeen {
  readonly reference: string;
  readonly id: string;
}

/** Source: client-go `util/flowcontrol/backoff.go`, entry. */
export interface BackoffEntry {
  readonly delay: number;
  readonly updatedAt: number;
}

/** Why the next step of a container was not taken or did not succeed: the kubelet's reason cache. */
export interface Waiting {
  readonly reason: string;
  readonly message: string;
  /** When to try again. */
  readonly until: number;
}

export interface ContainerObserved {
  readonly instance?: Instance | undefined;
  /** The try before the newest. */
  readonly last?: ExitedInstance | undefined;
  readonly image?: ImageSeen | undefined;
  /** The image of the next try is here. */
  readonly pulled?: boolean | undefined;
  readonly waiting?: Waiting | undefined;
  readonly backoff?: BackoffEntry | undefined;
  /** Signals that the newest try was sent, and when. */
  readonly termAt?: number | undefined;
  readonly killAt?: number | undefined;
  /** What it was granted; absent before its first try. */
  readonly allocated?: ResourceRequirements | undefined;
  /** What the runtime was last told. */
  readonly actuated?: ResourceRequirements | undefined;
  /** When what the runtime did not take is tried again. */
  readonly resizeAt?: number | undefined;
}

export type Cause = 'deleted' | 'removed' | 'finished' | 'deadline' | 'shutdown' | 'rejected';

export interface Termination {
  readonly cause: Cause;
  readonly startedAt: number;
  /** When what still runs is killed; it only ever moves nearer. */
  readonly deadline: number;
  /** status.reason and status.message of a pod that fails by it. */
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

export interface Observed {
  /** Never goes back. */
  readonly lifecycle: 'syncing' | 'terminating' | 'terminated';
  readonly startTime: number;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  readonly network: 'none' | 'ready';
  /** Why the pod has no place yet, in its condition. */
  readonly networkProblem?: string | undefined;
  /** Of the pod's RuntimeClass when its place was made; the class may be gone when that is given up. */
  readonly handler?: string | undefined;
  readonly volumes: 'none' | 'mounted';
  /** When network or volumes are tried again after they failed. */
  readonly retryAt?: number | undefined;
  /** When the volumes' contents are made again. */
  readonly refreshAt?: number | undefined;
  /** Why declared ports have no socket: the condition `wasmlet.dev/PortsBound`. Undefined: never tried. */
  readonly ports?: { readonly bound: boolean; readonly message: string } | undefined;
  readonly containers: ReadonlyMap<string, ContainerObserved>;
  readonly termination?: Termination | undefined;
  /** The API server has no such pod any more. */
  readonly removed?: boolean | undefined;
  readonly cleaned?: boolean | undefined;
  /** The final status stands at the API server. */
  readonly reported?: boolean | undefined;
  readonly finished?: boolean | undefined;
  /** A change of resources that is not done. */
  readonly resize?: Resize | undefined;
  readonly previous: PodStatus;
}

export const NEVER_SEEN: ContainerObserved = {};

export function isAlive({ instance }: ContainerObserved): boolean {
  return instance?.state === 'created' || instance?.state === 'running';
}
