/**
 * Keeps the Node's status true: computed every ten seconds, written when something changed or after five minutes.
 * Source: kubelet `pkg/kubelet/kubelet_node_status.go` (syncNodeStatus, tryUpdateNodeStatus, delayAfterNodeStatusChange).
 */
import { type Clock, type Log, messageOf } from '#kit';
import { type EventRecorder, isNotFound, type KubeClient, NODES } from '#kube';
import type { NodeCondition, Node as NodeObject, NodeStatus } from '#kube/types';
import { differs, statusPatch } from './node-status.ts';

const COMPUTE_EVERY = 10_000;
/** While the node is not ready yet it looks more often, so that Ready comes as soon as it is true. */
const COMPUTE_EVERY_AT_START = 200;
const START_LASTS = 120_000;
const REPORT_EVERY = 300_000;
const TRIES = 5;

export interface ReporterOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  /** The Node as the API server has it. */
  readonly node: NodeObject;
  /** The status of now; gets what was shown last. */
  readonly compute: (previous: readonly NodeCondition[]) => Promise<NodeStatus>;
  /** Makes the Node again when somebody deleted it. */
  readonly registerAgain: () => Promise<NodeObject>;
  readonly random?: () => number;
  readonly signal: AbortSignal;
}

export interface Reporter {
  /** Resolves with the first Ready=True that the API server has. */
  readonly ready: Promise<void>;
  /** Runs until the signal; never rejects. */
  readonly done: Promise<void>;
  /** Something changed: compute now. With `anyway` the status is written even if it is the same. */
  poke(options?: { readonly anyway?: boolean }): void;
  /** Writes once more, whatever changed; for the last words of a node. */
  flush(): Promise<void>;
}

export function startReporter(options: ReporterOptions): Reporter {
  const loop = new ReporterLoop(options);
  return { ready: loop.ready.promise, done: loop.run(), poke: (how) => loop.poke(how), flush: () => loop.turn(true) };
}

class ReporterLoop {
  readonly ready = Promise.withResolvers<void>();
  readonly #options: ReporterOptions;
  readonly #random: () => number;
  #shown: NodeStatus;
  #wake = new AbortController();
  #nextReport = Number.NEGATIVE_INFINITY;
  #isReady = false;
  #troubled = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#shown = options.node.status ?? {};
    this.ready.promise.catch(() => {});
  }

  poke({ anyway = false }: { readonly anyway?: boolean } = {}): void {
    if (anyway) this.#nextReport = Number.NEGATIVE_INFINITY;
    this.#wake.abort();
  }

  async run(): Promise<void> {
    const { clock, log, signal } = this.#options;
    const started = clock.monotonic();
    while (!signal.aborted) {
      const wake = new AbortController();
      this.#wake = wake;
      try {
        await this.turn();
        if (this.#troubled) log.info('The status is written again');
        this.#troubled = false;
      } catch (error) {
        if (signal.aborted) break;
        if (!this.#troubled) log.warn('Cannot write the status', { error: messageOf(error) });
        this.#troubled = true;
      }
      const atStart = !this.#isReady && clock.monotonic() - started < START_LASTS;
      const wait = atStart ? COMPUTE_EVERY_AT_START : COMPUTE_EVERY;
      await clock.sleep(wait, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => {});
    }
    this.ready.reject(new Error('Cannot become ready: the node was stopped'));
  }

  async turn(force = false): Promise<void> {
    const { compute, clock } = this.#options;
    const status = await compute(this.#shown.conditions ?? []);
    const changed = differs(status, this.#shown);
    if (!force && !changed && clock.monotonic() < this.#nextReport) return;
    await this.#write(status);
    this.#tell(this.#shown.conditions ?? [], status.conditions ?? []);
    this.#shown = status;
    this.#nextReport = clock.monotonic() + (changed ? this.#delayAfterChange() : REPORT_EVERY);
    if (!isTrue(status.conditions, 'Ready')) return;
    this.#isReady = true;
    this.ready.resolve();
  }

  /** Spreads the reports of nodes that changed together. */
  #delayAfterChange(): number {
    return REPORT_EVERY * (0.5 + this.#random());
  }

  async #write(status: NodeStatus): Promise<void> {
    const { client, node, registerAgain, signal } = this.#options;
    const target = { name: node.metadata?.name ?? '', subresource: 'status' };
    for (let attempt = 1; ; attempt++) {
      try {
        await client.patch<NodeObject>(NODES, target, { type: 'strategic', body: statusPatch(status) }, { signal });
        return;
      } catch (error) {
        if (signal.aborted || attempt >= TRIES) throw error;
        if (isNotFound(error)) await registerAgain();
      }
    }
  }

  #tell(before: readonly NodeCondition[], after: readonly NodeCondition[]): void {
    const { events, node } = this.#options;
    for (const condition of after) {
      const reason = eventReason(condition);
      const old = before.find(({ type }) => type === condition.type);
      if (reason === undefined || old?.status === condition.status) continue;
      const name = node.metadata?.name ?? '';
      events.record(nodeReference(name), { type: 'Normal', reason, message: `Node ${name} status is now: ${reason}` });
    }
  }
}

/** Events about a node carry its name as UID. Source: kubelet `pkg/kubelet/kubelet.go`, nodeRef. */
export function nodeReference(name: string): { kind: string; name: string; uid: string } {
  return { kind: 'Node', name, uid: name };
}

function eventReason({ type, status }: NodeCondition): string | undefined {
  const on = status === 'True';
  switch (type) {
    case 'MemoryPressure':
      return on ? 'NodeHasInsufficientMemory' : 'NodeHasSufficientMemory';
    case 'DiskPressure':
      return on ? 'NodeHasDiskPressure' : 'NodeHasNoDiskPressure';
    case 'PIDPressure':
      return on ? 'NodeHasInsufficientPID' : 'NodeHasSufficientPID';
    case 'Ready':
      return on ? 'NodeReady' : 'NodeNotReady';
    default:
      return undefined;
  }
}

function isTrue(conditions: readonly NodeCondition[] | undefined, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;
}
