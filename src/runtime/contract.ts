/**
 * What the runtime promises to the node: WebAssembly as a service, with no Kubernetes word in it.
 *
 * The verbs are those of containerd's task API as runwasi's `Instance` trait keeps them (create, start, kill, wait,
 * delete) and no more than is needed beyond. Every verb is idempotent by `WorkloadId`: the node may repeat it after
 * a crash of either side. `runtime/sandbox` implements it across a process boundary; nothing else does.
 *
 * A workload lives: created → running → exited → (deleted). It never goes back, and an exit is on disk before it is
 * reported, so an exit is never lost while the node is away.
 */

/** One try of one container. A restarted container is a new workload with the next attempt. */
export interface WorkloadId {
  readonly podUid: string;
  readonly container: string;
  /** Counts from 0, never reused. */
  readonly attempt: number;
}

/** `podUid/container/attempt`, the form used as a key and in messages. */
export function workloadKey({ podUid, container, attempt }: WorkloadId): string {
  return `${podUid}/${container}/${attempt}`;
}

/** What the guest sees of the host's files. Preopened in this order; the longest matching guest path wins. */
export interface Mount {
  /** Absolute path in the guest. */
  readonly guestPath: string;
  /** Absolute path on the host, below the tenant's root (see docs/decisions/0004-data-directory.md). */
  readonly hostPath: string;
  readonly readOnly: boolean;
}

/** A bound, listening TCP socket: file descriptor 3, 4, … of a preview 1 guest, in this order. */
export interface Listener {
  /** The port's name in the pod, or its number. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Descriptor in the process that calls `create`; it keeps its own and the sandbox gets a duplicate. */
  readonly fd: number;
}

export interface Limits {
  /** Bytes of linear memory; growth beyond it fails in the guest. */
  readonly memoryBytes?: number | undefined;
  /** Thousandths of a core that the workload may use. Kept by the scheduler; see docs/decisions/0005-first-shape.md. */
  readonly cpuMillis?: number | undefined;
  /** Relative share of the CPU among the workloads of a thread. */
  readonly cpuShares?: number | undefined;
}

/** Which workloads may share a process: those with the same tenant and isolation `tenant`. */
export interface Placement {
  readonly tenant: string;
  readonly isolation: 'tenant' | 'pod';
}

export interface WorkloadSpec {
  readonly id: WorkloadId;
  readonly placement: Placement;
  /** For the sandbox's own log lines; never decides anything. */
  readonly label: string;
  readonly module: {
    /** `sha256:…` of the original bytes. */
    readonly digest: string;
    /** The file with the original bytes, readable by the node and read-only for the sandbox. */
    readonly path: string;
  };
  /** Exported function; `_start` unless the image or the command line says otherwise. */
  readonly entrypoint: string;
  /** argv, its first element the program's name. */
  readonly args: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  /** Guest path that relative paths start from; `/` if none is given. */
  readonly workingDir: string;
  readonly mounts: readonly Mount[];
  readonly listeners: readonly Listener[];
  readonly limits: Limits;
  /** CRI log file; stdout and stderr go here, written and bounded by the sandbox. Host path below the tenant's root. */
  readonly logPath: string;
  /** What SIGTERM does: `default` ends the guest at once with 143; `grace` lets it run until SIGKILL. */
  readonly onTerm: 'default' | 'grace';
  /** The grant of the POSIX extension, with the identity that the guest is shown; see docs/decisions/0012-posix.md. */
  readonly posix?: PosixGrant | undefined;
}

export interface PosixGrant {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary ones. */
  readonly groups: readonly number[];
  readonly hostname: string;
}

export type Signal = 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGHUP' | 'SIGQUIT' | 'SIGUSR1' | 'SIGUSR2';

export type ExitReason = 'Completed' | 'Error' | 'OOMKilled' | 'StartError';

export interface Exit {
  /** 0 to 255; 128 + n when ended by signal n, 128 for StartError. */
  readonly code: number;
  readonly signal?: number | undefined;
  readonly reason: ExitReason;
  /** For people: the trap and its backtrace, or what ended it. At most 4096 bytes. */
  readonly message?: string | undefined;
}

/** Times are milliseconds since the epoch. */
export type WorkloadState =
  | { readonly phase: 'created' }
  | { readonly phase: 'running'; readonly startedAt: number }
  | {
      readonly phase: 'exited';
      readonly startedAt?: number | undefined;
      readonly finishedAt: number;
      readonly exit: Exit;
    };

export interface WorkloadReport {
  readonly id: WorkloadId;
  readonly state: WorkloadState;
}

export interface WorkloadStats {
  readonly cpuNanos: number;
  /** Linear memory plus what the host holds for the guest, in bytes. */
  readonly memoryBytes: number;
  /** Bytes of output that were dropped because the disk refused them. */
  readonly logBytesDropped: number;
}

/** How a module is run: chosen by admission from what the module is, never by its user. */
export interface Execution {
  /** On a loop thread with others, on a thread of its own in the tenant's sandbox, or in a process of the pod's own. */
  readonly class: 'shared' | 'thread' | 'process';
  /** Why it is not `shared`, for people. */
  readonly reason?: string | undefined;
  /** `eager`: compiled with all optimization before it starts, because it lives in one loop. */
  readonly optimize: 'lazy' | 'eager';
}

/** What admission found in a module, once per digest. */
export interface Verdict {
  readonly digest: string;
  readonly kind: 'command' | 'reactor' | 'component' | 'unknown';
  /** WASI flavours that the imports name: `wasi_snapshot_preview1`, `wasi_unstable`, … */
  readonly wasi: readonly string[];
  readonly exports: readonly { readonly name: string; readonly kind: string }[];
  readonly imports: readonly { readonly module: string; readonly name: string; readonly kind: string }[];
  /** Where and how it runs; absent when it cannot. See docs/decisions/0011-engine.md. */
  readonly execution?: Execution | undefined;
  /** Why this runtime cannot run it, for people; absent when it can. */
  readonly refusal?: { readonly code: string; readonly message: string } | undefined;
}

export interface Runtime extends AsyncDisposable {
  /** Looks at a module in the admission process; remembered by digest. A refusal is a value, not an error. */
  admit(module: WorkloadSpec['module'], options?: { signal?: AbortSignal }): Promise<Verdict>;
  /**
   * Gives a tenant (or a pod of isolation `pod`) its sandbox before it has a workload. Worth calling before the first file is put
   * below the tenant's root: only then can it have the warm sandbox, whose empty root becomes the tenant's. `create` does without.
   */
  prepare?(placement: Placement & { readonly podUid?: string }): Promise<void>;
  /** Makes the workload ready to start: its sandbox runs, the module is compiled, the log file is open. */
  create(spec: WorkloadSpec, options?: { signal?: AbortSignal }): Promise<void>;
  start(id: WorkloadId): Promise<void>;
  /** A signal to a workload that has exited or is unknown does nothing. */
  kill(id: WorkloadId, signal: Signal): Promise<void>;
  /** The exit, also of a workload that exited while the node was away. Rejects with RUNTIME_UNKNOWN_WORKLOAD. */
  wait(id: WorkloadId, options?: { signal?: AbortSignal }): Promise<Extract<WorkloadState, { phase: 'exited' }>>;
  /** Forgets an exited workload: its record and descriptors. Logs stay. Unknown ids are fine. */
  delete(id: WorkloadId): Promise<void>;
  stats(id: WorkloadId): Promise<WorkloadStats | undefined>;
  /** Changes limits in place; false where the change needs a restart. */
  resize(id: WorkloadId, limits: Limits): Promise<boolean>;
  /** Every workload that exists, also those taken over from an earlier node process or left by a dead sandbox. */
  list(): readonly WorkloadReport[];
  /** Descriptors of the listeners that a pod's workloads hold, so that a restarted node keeps the backlog. */
  listenersOf(podUid: string): Promise<readonly Listener[]>;
  /** Called for each change of state, in order per workload. Returns the function that ends it. */
  subscribe(listener: (report: WorkloadReport) => void): () => void;
  /** Ends every sandbox of a tenant or of one pod and removes what it left; workloads in it must have exited. */
  release(placement: Placement & { readonly podUid?: string }): Promise<void>;
  /** Sandboxes for people: pid, tenant, workloads, memory, walls. */
  sandboxes(): readonly SandboxInfo[];
}

export interface SandboxInfo {
  readonly id: string;
  readonly pid: number;
  readonly tenant: string | undefined;
  readonly workloads: number;
  /** Which walls stand, by name: `landlock`, `no_new_privs`, `uid`, `seccomp`, … */
  readonly walls: Readonly<Record<string, boolean>>;
}
