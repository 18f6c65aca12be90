/** A burst of pods against any API server: creates them all at once and times each one, from bound to Running, by one watch. */
import { connectByKubeconfig, NAMESPACES, PODS } from '#kube';
import type { Pod } from '#kube/types';

export interface Burst {
  readonly kubeconfig: string;
  readonly count: number;
  readonly image: string;
  /** Milliseconds after which the burst is given up. */
  readonly limit: number;
  /** How many namespaces the pods are spread over, `default` alone by default; others are made when they are not there. */
  readonly namespaces?: number | undefined;
  /** One namespace of this name instead, made when it is not there. */
  readonly into?: string | undefined;
  /** Creates on their way at a time: all of them where it is not given. */
  readonly atOnce?: number | undefined;
}

export interface BurstResult {
  /** Milliseconds from bound to Running, one a pod. */
  readonly durations: readonly number[];
  /** Milliseconds from the first create to the last Running. */
  readonly total: number;
  /** Milliseconds from the first that was bound to the last Running. */
  readonly span: number;
}

interface Times {
  bound?: number;
  running?: number;
}

export async function burst({ kubeconfig, image, limit, atOnce, ...shape }: Burst): Promise<BurstResult> {
  await using client = await connectByKubeconfig(kubeconfig);
  const times = new Map<string, Times>();
  const stop = new AbortController();
  const timeout = AbortSignal.timeout(limit);
  const signal = AbortSignal.any([stop.signal, timeout]);
  const { count } = shape;
  const targets = targetsOf(shape);
  await createNamespaces(client, targets);
  const { metadata } = await client.list<Pod>(PODS);
  const watching = watch(client, { times, count, from: metadata?.resourceVersion, signal });
  const started = performance.now();
  const create = ({ namespace, name }: Place) => client.create(PODS, podOf({ namespace, name }, image), { namespace });
  await Promise.race([inTurn(targets, create, atOnce ?? count), watching]);
  const finished = await watching;
  stop.abort();
  const all = [...times.values()];
  const durations = all.map(({ bound = Number.NaN, running = Number.NaN }) => running - bound);
  const firstBound = all.reduce((least, { bound = least }) => Math.min(least, bound), Number.POSITIVE_INFINITY);
  return { durations, total: finished - started, span: finished - firstBound };
}

export async function removeBurst({ kubeconfig, ...shape }: RemoveBurst): Promise<void> {
  await using client = await connectByKubeconfig(kubeconfig);
  const remove = (place: Place) => client.delete(PODS, place, { gracePeriodSeconds: 0 });
  await inTurn(targetsOf(shape), remove, 100);
}

type RemoveBurst = Pick<Burst, 'kubeconfig' | 'count' | 'namespaces' | 'into'>;

interface Place {
  readonly namespace: string;
  readonly name: string;
}

function targetsOf({ count, namespaces = 1, into }: Pick<Burst, 'count' | 'namespaces' | 'into'>): Place[] {
  return Array.from({ length: count }, (_, at) => ({
    namespace: into ?? (namespaces === 1 ? 'default' : `bench-${at % namespaces}`),
    name: `burst-${at}`,
  }));
}

async function createNamespaces(client: Client, targets: readonly Place[]): Promise<void> {
  for (const name of new Set(targets.map(({ namespace }) => namespace))) {
    if (name === 'default') continue;
    await client.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
}

async function inTurn(
  targets: readonly Place[],
  work: (target: Place) => Promise<unknown>,
  atOnce: number,
): Promise<void> {
  const waiting = targets.values();
  await Promise.all(
    Array.from({ length: Math.min(atOnce, targets.length) }, async () => {
      for (const target of waiting) await work(target);
    }),
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
    for await (const event of client.watch<Pod>(PODS, { resourceVersion, signal })) {
      const now = performance.now();
      if (event.type === 'ERROR') {
        // Too far behind for the server to remember: the list says how it stands now.
        const list = await client.list<Pod>(PODS);
        for (const pod of list.items) if (note(times, pod, performance.now())) running += 1;
        if (running >= count) return performance.now();
        resourceVersion = list.metadata?.resourceVersion;
        break;
      }
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
  if (!name.startsWith('burst-')) return false;
  const seen = times.get(name) ?? {};
  times.set(name, seen);
  if (pod.spec?.nodeName !== undefined) seen.bound ??= now;
  if (pod.status?.phase !== 'Running' || seen.running !== undefined) return false;
  seen.running = now;
  return true;
}

function podOf({ namespace, name }: Place, image: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'hello', image, imagePullPolicy: 'IfNotPresent' }],
    },
  };
}
