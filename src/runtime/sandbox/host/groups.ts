/**
 * What the workloads of a sandbox may take together, as limits of its control group: processor shares by the sum of their requests, threads,
 * and memory where every one of them has a limit, with room for the process itself; else it is counted only. A processor limit is the
 * scheduler's to keep, but for modules without its checks (class `process`): where there is one, and all have a limit, the group has their sum.
 */
import { availableParallelism } from 'node:os';
import type { CgroupTree, GroupLimits } from '#kit/os';
import type { Limits } from '../../contract.ts';

/** Worker threads, V8's and libuv's, and the threads of guests that have some. */
const MOST_THREADS = 4096;
/** Node, code of modules, buffers, logs; generous, since what ends a group ends all of its pods. */
const PROCESS_BYTES = 512 * 1024 * 1024;
const WORKLOAD_BYTES = 16 * 1024 * 1024;
/** The process's own: a sandbox that cannot answer for lack of the processor would be taken for one that hangs. */
const PROCESS_SHARES = 256;
const FEWEST_SHARES = 2;
/** Longer than any sandbox takes from its group to its first process. */
const YOUNG_MS = 60_000;

/** Sums that follow each workload, so that one more costs the same however many there are. */
export class Claims {
  readonly #claims = new Map<string, Limits | undefined>();
  #shares = 0;
  #memory = 0;
  /** How many have no limit, or one that nobody knows any more. */
  #unbounded = 0;
  #millis = 0;
  /** How many have no processor limit. */
  #unmeasured = 0;
  /** Those that no scheduler can stop. */
  readonly #plain = new Set<string>();

  /** `undefined` for a workload whose limits nobody knows any more. */
  set(key: string, limits: Limits | undefined): void {
    const plain = this.#plain.has(key);
    this.delete(key);
    this.#claims.set(key, limits);
    this.#count(limits, 1);
    if (plain) this.#plain.add(key);
  }

  /** The workload runs without checks: its processor limit is the group's to keep. */
  setPlain(key: string): void {
    if (this.#claims.has(key)) this.#plain.add(key);
  }

  isPlain(key: string): boolean {
    return this.#plain.has(key);
  }

  /** Lifts the processor limit: what is to end should not wait for it. False where there was none. */
  lift(key: string): boolean {
    return this.#plain.delete(key);
  }

  delete(key: string): void {
    if (!this.#claims.has(key)) return;
    this.#count(this.#claims.get(key), -1);
    this.#claims.delete(key);
    this.#plain.delete(key);
  }

  get limits(): GroupLimits {
    const measured = this.#plain.size > 0 && this.#unmeasured === 0;
    const bounds = {
      cpuShares: PROCESS_SHARES + this.#shares,
      pids: MOST_THREADS,
      ...(measured && { cpuMillis: this.#millis }),
    };
    if (this.#unbounded > 0 || this.#claims.size === 0) return bounds;
    const memoryBytes = this.#memory + PROCESS_BYTES + this.#claims.size * WORKLOAD_BYTES;
    return { ...bounds, memoryBytes };
  }

  #count(limits: Limits | undefined, sign: 1 | -1): void {
    this.#shares += sign * (limits?.cpuShares ?? FEWEST_SHARES);
    if (limits?.cpuMillis === undefined) this.#unmeasured += sign;
    else this.#millis += sign * limits.cpuMillis;
    if (limits?.memoryBytes === undefined) this.#unbounded += sign;
    else this.#memory += sign * limits.memoryBytes;
  }
}

/** The groups of a node's sandboxes; of nothing where the machine has none to give. */
export class SandboxGroups {
  readonly #tree: CgroupTree | undefined;
  /** Those that had a process when they were to go: one that has ended counts until it is reaped. */
  readonly #leaving = new Set<string>();

  constructor(tree: CgroupTree | undefined) {
    this.#tree = tree;
    tree?.sweep(Date.now() - YOUNG_MS);
    // As the kubelet does for its pods: a core each, whatever else runs beside.
    tree?.share(1024 * availableParallelism());
  }

  /** Files into which the process that is to be in the group writes its id. */
  create(id: string): readonly string[] {
    this.#leave();
    const files = this.#tree?.create(id) ?? [];
    this.#tree?.set(id, new Claims().limits);
    return files;
  }

  set(id: string, limits: GroupLimits): void {
    this.#tree?.set(id, limits);
  }

  endedForMemory(id: string): boolean {
    return (this.#tree?.kills(id) ?? 0) > 0;
  }

  remove(id: string): void {
    this.#leaving.add(id);
    this.#leave();
  }

  #leave(): void {
    for (const id of this.#leaving) if (this.#tree?.remove(id) !== false) this.#leaving.delete(id);
  }
}
