/** A burst of pods against any API server: creates them all at once and times each one, from bound to Running, by one watch. */
import { connectByKubeconfig, PODS } from '#kube';
import type { Pod } from '#kube/types';

export interface Burst {
  readonly kubeconfig: string;
  readonly count: number;
  readonly image: string;
  /** Milliseconds after which the burst is given up. */
  readonly limit: number;
}

export interface BurstResult {
  /** Milliseconds from bound to Running, one a pod. */
  readonly durations: readonly number[];
  /** Milliseconds from the first create to the last Running. */
  readonly total: number;
}

interface Times {
  bound?: number;
  running?: number;
}

export async function burst({ kubeconfig, count, image, limit }: Burst): Promise<BurstResult> {
  await using client = await connectByKubeconfig(kubeconfig);
  const times = new Map<string, Times>();
  const stop = new AbortController();
  const timeout = AbortSignal.timeout(limit);
  const signal = AbortSignal.any([stop.signal, timeout]);
  const { metadata } = await client.list<Pod>(PODS, { namespace: 'default' });
  const watching = watch(client, { times, count, from: metadata?.resourceVersion, signal });
  const started = performance.now();
  const names = Array.from({ length: count }, (_, at) => `burst-${at}`);
  await Promise.all(names.map((name) => client.create(PODS, podOf(name, image), { namespace: 'default' })));
  const finished = await watching;
  stop.abort();
  const durations = [...times.values()].map(({ bound = Number.NaN, running = Number.NaN }) => running - bound);
  return { durations, total: finished - started };
}

export async function removeBurst({ kubeconfig, count }: Pick<Burst, 'kubeconfig' | 'count'>): Promise<void> {
  await using client = await connectByKubeconfig(kubeconfig);
  const names = Array.from({ length: count }, (_, at) => `burst-${at}`);
  await Promise.all(
    names.map((name) => client.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 })),
  );
}

type Client = Awaited<ReturnType<typeof connectByKubeconfig>>;

interface Watching {
  readonly times: Map<string, Times>;
  readonly count: number;
  readonly from: string | undefined;
  readonly signal: AbortSignal;
}

async function watch(client: Client, { times, count, from, signal }: Watching): Promise<number> {
  let running = 0;
  let resourceVersion = from;
  // An API server ends a watch whose reader is a moment behind; the next one goes on where it ended.
  while (!signal.aborted) {
    for await (const event of client.watch<Pod>(PODS, { namespace: 'default', resourceVersion, signal })) {
      const now = performance.now();
      if (event.type === 'ERROR') throw new Error(`Cannot time the burst: ${JSON.stringify(event.object)}`);
      resourceVersion = event.object.metadata?.resourceVersion;
      if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue;
      if (!note(times, event.object, now)) continue;
      running += 1;
      if (running === count) return now;
    }
  }
  throw new Error(`Cannot time the burst: ${running} of ${count} pods were Running in time`);
}

/** Whether the pod is Running for the first time. */
function note(times: Map<string, Times>, pod: Pod, now: number): boolean {
  const name = pod.metadata?.name ?? '';
  const seen = times.get(name) ?? {};
  times.set(name, seen);
  if (pod.spec?.nodeName !== undefined) seen.bound ??= now;
  if (pod.status?.phase !== 'Running' || seen.running !== undefined) return false;
  seen.running = now;
  return true;
}

function podOf(name: string, image: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'hello', image, imagePullPolicy: 'IfNotPresent' }],
    },
  };
}
