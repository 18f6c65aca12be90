/**
 * The node's heartbeat: a Lease in `kube-node-lease`, renewed four times in its life. While it is fresh the cluster
 * believes the node alive, even if its status has not changed for minutes.
 * Source: component-helpers `apimachinery/lease/controller.go`, kubelet `pkg/kubelet/util/nodelease.go`.
 */
import { type Backoff, type Clock, delayOf, type Log, messageOf } from '#kit';
import { isNotFound, type KubeClient, LEASES, toMicroTime } from '#kube';
import type { Lease, Node as NodeObject } from '#kube/types';

const NAMESPACE = 'kube-node-lease';
const DURATION_SECONDS = 40;
const RENEW_EVERY = 10_000;
const JITTER = 0.04;
const TRIES = 5;
const BACKOFF: Backoff = { base: 100, factor: 2, cap: 7_000 };

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  /** The Node as it was registered last: it owns the lease. */
  readonly node: () => NodeObject;
  readonly random?: () => number;
  /** The lease was there and is gone: the garbage collector removes it with its Node. */
  readonly onLost?: (() => void) | undefined;
  readonly signal: AbortSignal;
}

/** Renews until the signal is aborted. Never rejects: a lease that cannot be renewed is tried again at the next turn. */
export async function keepLease(options: LeaseOptions): Promise<void> {
  const { clock, log, signal, random = Math.random } = options;
  let known: Lease | undefined;
  let uid: string | undefined;
  let troubled = false;
  while (!signal.aborted) {
    try {
      const renewed = await renew(known, options);
      // An API server makes a lease that is put and not there, so only its UID tells.
      if (uid !== undefined && renewed.metadata?.uid !== uid) options.onLost?.();
      uid = renewed.metadata?.uid;
      known = renewed;
      if (troubled) log.info('The lease is renewed again');
      troubled = false;
    } catch (error) {
      if (signal.aborted) return;
      known = undefined;
      if (!troubled) log.warn('Cannot renew the lease', { error: messageOf(error) });
      troubled = true;
    }
    await clock.sleep(RENEW_EVERY * (1 + JITTER * random()), { signal }).catch(() => {});
  }
}

/** The first try uses the lease as it was answered last; a conflict or a loss reads it again. */
async function renew(known: Lease | undefined, options: LeaseOptions): Promise<Lease> {
  const { client, clock, signal, node } = options;
  let lease = known;
  for (let attempt = 0; ; attempt++) {
    try {
      lease ??= await find(options);
      const wanted = leaseOf(node(), { now: clock.now(), existing: lease });
      if (lease === undefined) return await client.create<Lease>(LEASES, wanted, { signal });
      return await client.replace<Lease>(LEASES, wanted, { signal });
    } catch (error) {
      if (signal.aborted || attempt + 1 >= TRIES) throw error;
      lease = undefined;
      await clock.sleep(delayOf(BACKOFF, attempt), { signal });
    }
  }
}

async function find({ client, node, signal }: LeaseOptions): Promise<Lease | undefined> {
  try {
    return await client.get<Lease>(LEASES, { namespace: NAMESPACE, name: node().metadata?.name ?? '' }, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The owner reference makes the garbage collector remove the lease with its node. */
export function leaseOf(node: NodeObject, { now, existing }: { now: number; existing?: Lease | undefined }): Lease {
  const { name = '', uid = '' } = node.metadata ?? {};
  const owner = { apiVersion: 'v1', kind: 'Node', name, uid };
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...existing?.metadata, name, namespace: NAMESPACE, ownerReferences: [owner] },
    spec: {
      ...existing?.spec,
      holderIdentity: name,
      leaseDurationSeconds: DURATION_SECONDS,
      renewTime: toMicroTime(now),
    },
  };
}
