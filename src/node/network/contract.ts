/** What pods need of the network: an address of their own where there is one, and sockets that the node binds for them. */
import type { Pod } from '#kube/types';
import type { Listener } from '#runtime';

/** Why a declared port has no socket yet. */
export interface PortProblem {
  readonly container: string;
  readonly address: string;
  readonly port: number;
  /** `privileged`: below net.ipv4.ip_unprivileged_port_start; `taken`: another process or pod has it; `failed`: anything else. */
  readonly kind: 'privileged' | 'taken' | 'failed';
  readonly message: string;
}

export interface BoundPorts {
  /** By container name, in the order of its `ports`. The descriptors stay the network's; who passes them on gives duplicates away. */
  readonly listeners: ReadonlyMap<string, readonly Listener[]>;
  readonly problems: readonly PortProblem[];
}

export interface PodNetwork extends AsyncDisposable {
  /** The node's own address, status.hostIP of its pods. */
  readonly nodeAddress: string;
  /**
   * The pod's address: `preferred` if nobody else has it, else a free one; the same again for the same pod until `release`.
   * Throws NODE_ADDRESSES_EXHAUSTED.
   */
  allocate(pod: Pod, options?: { readonly preferred?: string | undefined }): string;
  /** Binds what the pod's containers declare and is not bound yet. Never throws: what fails is a problem. */
  bind(pod: Pod): BoundPorts;
  /** Sockets that an earlier node process had bound and its sandboxes kept. */
  adopt(podUid: string, listeners: readonly Listener[]): void;
  /** Closes the pod's sockets and frees its address. */
  release(podUid: string): void;
}
