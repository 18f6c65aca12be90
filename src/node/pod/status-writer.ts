/**
 * Statuses on their way to the API server: one writer a pod, the latest wins, tried until the server takes it or says
 * that the pod is gone or another. A strategic merge patch guarded by the uid, with what changed and nothing else, so
 * that conditions of others stay. Source: kubelet `status/status_manager.go` syncPod.
 */
import { type Clock, delayOf, type Log } from '#kit';
import { isConflict, isForbidden, isInvalid, isNotFound, type KubeClient, PODS } from '#kube';
import type { Pod, PodStatus } from '#kube/types';
import { isTerminal } from './decide/phase.ts';
import { statusPatch } from './status-patch.ts';

const RETRY = { base: 500, factor: 2, cap: 30_000, jitter: 0.2 };
const TIMEOUT = 15_000;

interface Entry {
  pod: Pod;
  wanted: PodStatus;
  written: PodStatus | undefined;
  version: string | undefined;
  running: Promise<void> | undefined;
  trying: Promise<unknown> | undefined;
}

export interface StatusWriterOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  /** A status stands at the server, or the server has no such pod (`gone`). */
  onWritten(uid: string, result: { readonly status: PodStatus; readonly gone: boolean }): void;
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  push(pod: Pod, wanted: PodStatus): void {
    const uid = pod.metadata?.uid ?? '';
    const entry = this.#entryOf(pod, wanted);
    entry.pod = pod;
    entry.wanted = wanted;
    this.#run(uid, entry);
  }

  /** The server's copy changed: if it says something else than `wanted` where the node decides, it is written again. */
  seen(pod: Pod, wanted: PodStatus): void {
    const uid = pod.metadata?.uid ?? '';
    const entry = this.#entryOf(pod, wanted);
    if (entry.running !== undefined || isOlder(pod.metadata?.resourceVersion, entry.version)) return;
    entry.written = pod.status ?? {};
    entry.pod = pod;
    // A last phase is never taken back; the pod's worker sees it too and ends the pod.
    if (isTerminal(pod.status?.phase) && !isTerminal(entry.wanted.phase)) return;
    if (statusPatch(entry.written, entry.wanted) !== undefined) this.#run(uid, entry);
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  /** Resolves when every status was offered to the server once more; those that it did not take are not waited for. */
  async idle(): Promise<void> {
    for (;;) {
      await Promise.resolve();
      const trying = [...this.#entries.values()].flatMap((entry) => entry.trying ?? []);
      if (trying.length === 0) return;
      await Promise.all(trying);
    }
  }

  stop(): void {
    this.#stop.abort(new Error('the node stops'));
  }

  #entryOf(pod: Pod, wanted: PodStatus): Entry {
    const uid = pod.metadata?.uid ?? '';
    const known = this.#entries.get(uid);
    if (known !== undefined) return known;
    const nothing = { written: undefined, version: undefined, running: undefined, trying: undefined };
    const entry: Entry = { pod, wanted, ...nothing };
    this.#entries.set(uid, entry);
    return entry;
  }

  #run(uid: string, entry: Entry): void {
    entry.running ??= this.#write(uid, entry);
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    await Promise.resolve();
    for (let failures = 0; !this.#stop.signal.aborted && this.#entries.get(uid) === entry; ) {
      const status = entry.wanted;
      const trying = this.#try(entry, status);
      entry.trying = trying;
      const outcome = await trying;
      entry.trying = undefined;
      if (outcome === 'later') {
        const delay = delayOf(RETRY, failures++);
        await this.#options.clock.sleep(delay, { signal: this.#stop.signal }).catch(() => {});
        continue;
      }
      failures = 0;
      this.#options.onWritten(uid, { status, gone: outcome === 'gone' });
      if (entry.wanted === status || outcome === 'gone') break;
    }
    // In the same turn as the last look at `wanted`: a push after it starts another writer.
    entry.running = undefined;
  }

  async #try(entry: Entry, status: PodStatus): Promise<'written' | 'gone' | 'later'> {
    const { client, log } = this.#options;
    const { name = '', namespace, uid } = entry.pod.metadata ?? {};
    const patch = statusPatch(entry.written ?? entry.pod.status ?? {}, status);
    if (patch === undefined) {
      entry.written = status;
      return 'written';
    }
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TIMEOUT)]);
      const body = { metadata: { uid }, status: patch };
      const target = { namespace, name, subresource: 'status' };
      const answer = await client.patch<Pod>(PODS, target, { type: 'strategic', body }, { signal });
      entry.written = { ...answer.status, ...status };
      entry.version = answer.metadata?.resourceVersion;
      return 'written';
    } catch (error) {
      if (isNotFound(error)) return 'gone';
      if (isConflict(error)) return await this.#isAnother(entry);
      if (isInvalid(error) || isForbidden(error)) {
        log.error("the API server refuses a pod's status", { pod: `${namespace}/${name}`, error });
      }
      return 'later';
    }
  }

  /** A conflict is either a pod of another uid under the name, or a server that was too busy to merge. */
  async #isAnother({ pod }: Entry): Promise<'gone' | 'later'> {
    const { name = '', namespace, uid } = pod.metadata ?? {};
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TIMEOUT)]);
      const now = await this.#options.client.get<Pod>(PODS, { namespace, name }, { signal });
      return now.metadata?.uid === uid ? 'later' : 'gone';
    } catch (error) {
      return isNotFound(error) ? 'gone' : 'later';
    }
  }
}

/** Versions of one server are numbers in practice; where they are not, nothing is older. */
function isOlder(version: string | undefined, than: string | undefined): boolean {
  if (version === undefined || than === undefined || !/^\d{1,19}$/.test(version) || !/^\d{1,19}$/.test(than))
    return false;
  return BigInt(version) < BigInt(than);
}
