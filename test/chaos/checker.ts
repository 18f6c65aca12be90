/**
 * What must hold whatever is killed: nothing acknowledged is lost, phases and counts never go back, an exit is told once and the same
 * way, and what is told is what the guests did.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../src/kube/types/mod.ts';
import { endsByItself, type Made } from './pods.ts';

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed'];
/** By SIGKILL with its sandbox, by SIGTERM with its node. */
const KILLED: ReadonlySet<number | undefined> = new Set([137, 143]);

interface Terminated {
  readonly containerID?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly finishedAt?: string | undefined;
}

interface Seen {
  readonly made: Made;
  readonly uid: string;
  readonly since: number;
  phase: string;
  restarts: number;
  /** Exit code and time by the container's id. */
  readonly exits: Map<string, string>;
}

export class Checker {
  readonly #dataDir: string;
  readonly #pods = new Map<string, Seen>();
  readonly #deleted = new Set<string>();
  /** When a sandbox of a namespace was ended by us, or made to stand still. */
  readonly #kills: { readonly tenant: string | undefined; readonly at: number }[] = [];
  readonly #lost = new Set<string>();

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  get pods(): number {
    return this.#pods.size;
  }

  get lost(): readonly string[] {
    return [...this.#lost];
  }

  /** The API said that it has it. */
  acknowledged(made: Made, pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    this.#pods.set(keyOf(made), { made, uid, since: Date.now(), phase: 'Pending', restarts: 0, exits: new Map() });
  }

  /** Asked for; from now on it may be gone. */
  deleting(made: Made): void {
    this.#deleted.add(keyOf(made));
  }

  killed(tenant: string | undefined): void {
    this.#kills.push({ tenant, at: Date.now() });
  }

  lose(what: string): void {
    this.#lost.add(what);
  }

  /** A whole list, asked for at `asked`. */
  list(pods: readonly Pod[], asked: number): void {
    const found = new Map(pods.map((pod) => [keyOfPod(pod), pod]));
    for (const [key, seen] of this.#pods) {
      const pod = found.get(key);
      if (pod !== undefined) this.#look(seen, pod);
      else if (!this.#deleted.has(key) && seen.since < asked) this.lose(`${key} was acknowledged and is not there`);
    }
  }

  #look(seen: Seen, pod: Pod): void {
    const key = keyOf(seen.made);
    if (pod.metadata?.uid !== seen.uid) {
      this.lose(`${key} has another uid`);
      return;
    }
    const phase = pod.status?.phase ?? 'Pending';
    const final = seen.phase === 'Succeeded' || seen.phase === 'Failed';
    if (PHASES.indexOf(phase) < PHASES.indexOf(seen.phase) || (final && phase !== seen.phase))
      this.lose(`${key} went from ${seen.phase} to ${phase}`);
    const status = pod.status?.containerStatuses?.[0];
    const restarts = status?.restartCount ?? seen.restarts;
    if (restarts < seen.restarts) this.lose(`${key} went from ${seen.restarts} restarts to ${restarts}`);
    seen.phase = phase;
    seen.restarts = restarts;
    const now = status?.state?.terminated;
    const last = status?.lastState?.terminated;
    for (const exit of [now, last]) if (exit !== undefined) this.#exit(seen, exit);
    // Whoever deletes a pod ends its guest.
    if (pod.metadata?.deletionTimestamp !== undefined) return;
    if (phase === 'Succeeded' || phase === 'Failed') this.#ended(seen, now);
  }

  #exit(seen: Seen, { containerID = '', exitCode, finishedAt }: Terminated): void {
    const text = `${exitCode} ${finishedAt}`;
    const before = seen.exits.get(containerID);
    if (before !== undefined && before !== text)
      this.lose(`${keyOf(seen.made)}: the exit of ${containerID} was ${before}, then ${text}`);
    seen.exits.set(containerID, text);
  }

  /** What an ended pod says of itself against what its guest wrote. */
  #ended(seen: Seen, exit: { exitCode?: number; message?: string } | undefined): void {
    const { made, phase } = seen;
    const key = keyOf(made);
    if (!endsByItself(made.kind)) {
      this.lose(`${key}, a ${made.kind}, is ${phase}`);
      return;
    }
    const done = this.#lines(seen, 'done');
    const wanted = made.kind === 'job' ? 0 : 3;
    if (exit?.exitCode === wanted) {
      if (done !== undefined && done !== 1 && (this.#lines(seen, 'starts') ?? 0) > 0)
        this.lose(`${key} ended with ${wanted} and its guest was done ${done} times`);
    } else if (!KILLED.has(exit?.exitCode)) {
      this.lose(`${key} is ${phase} with ${exit?.exitCode} (${exit?.message ?? ''}); its guest ends with ${wanted}`);
    } else if (!this.#wasKilled(seen)) {
      this.lose(`${key} is told to be killed and was not: ${exit?.message ?? ''}`);
    }
  }

  #wasKilled({ made, since }: Seen): boolean {
    return this.#kills.some(({ tenant, at }) => (tenant === undefined || tenant === made.namespace) && at >= since);
  }

  /** Lines of a note on the pod's volume; undefined when the volume is gone. */
  #lines({ made, uid }: Seen, name: string): number | undefined {
    const pod = join(this.#dataDir, 'tenants', made.namespace, 'pods', uid);
    const folder = join(pod, 'volumes', 'kubernetes.io~empty-dir', 'data');
    if (!existsSync(folder)) return undefined;
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
  }

  /** Starts against restarts, and logs without gaps. */
  guests(): void {
    for (const [key, seen] of this.#pods) {
      if (this.#deleted.has(key)) continue;
      const starts = this.#lines(seen, 'starts') ?? 0;
      if (starts > seen.restarts + 1)
        this.lose(`${key} was started ${starts} times and tells of ${seen.restarts} restarts`);
      this.#logs(seen);
    }
  }

  #logs({ made, uid }: Seen): void {
    const folder = join(
      this.#dataDir,
      'tenants',
      made.namespace,
      'logs',
      `${made.namespace}_${made.name}_${uid}`,
      'main',
    );
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) {
      if (!/^\d+\.log$/.test(name)) continue;
      const text = readFileSync(join(folder, name), 'latin1');
      const ticks = [...text.matchAll(/^\S+ stdout F tick (\d+)$/gm)].map(([, count]) => Number(count));
      const gap = ticks.findIndex((tick, at) => at > 0 && tick !== (ticks[at - 1] ?? 0) + 1);
      if (gap >= 0) this.lose(`${keyOf(made)}, log ${name}: tick ${ticks[gap]} follows ${ticks[gap - 1]}`);
      const torn = text.split('\n').findIndex((line) => line !== '' && !/^\d{4}-\S+Z std(out|err) [PF] /.test(line));
      if (torn >= 0) this.lose(`${keyOf(made)}, log ${name}: line ${torn} is torn`);
    }
  }

  /** Everything that is there now. */
  present(): readonly Made[] {
    return [...this.#pods].filter(([key]) => !this.#deleted.has(key)).map(([, { made }]) => made);
  }

  /** The newest log of a pod has something newer than that time. */
  speaksSince(pod: Pod, at: number): boolean {
    const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
    const attempt = pod.status?.containerStatuses?.[0]?.restartCount ?? 0;
    const folder = join(this.#dataDir, 'tenants', namespace, 'logs', `${namespace}_${name}_${uid}`, 'main');
    if (!existsSync(folder)) return false;
    const logs = readdirSync(folder).filter((file) => Number.parseInt(file, 10) >= attempt);
    return logs.some((file) => {
      const line = readFileSync(join(folder, file), 'latin1').trimEnd().split('\n').at(-1) ?? '';
      return Date.parse(`${line.slice(0, 23)}Z`) > at;
    });
  }
}

export function keyOf({ namespace, name }: Made): string {
  return `${namespace}/${name}`;
}

function keyOfPod(pod: Pod): string {
  return `${pod.metadata?.namespace}/${pod.metadata?.name}`;
}
