/** The network of pods: addresses of their own in a standalone node, the node's own in a joined one. */
import type { Pod } from '#kube/types';
import { Addresses } from './addresses.ts';
import type { PodNetwork } from './contract.ts';
import { Listeners, wantedPorts } from './listeners.ts';
import type { Subnet } from './subnet.ts';

export type { BoundPorts, PodNetwork, PortProblem } from './contract.ts';
export { openSubnet, planOf, type Subnet, type SubnetOptions } from './subnet.ts';

/** Each pod has its own loopback address of the data directory's subnet, which the network disposes of. */
export function createStandaloneNetwork(subnet: Subnet, listeners = new Listeners()): PodNetwork {
  const addresses = new Addresses(subnet);
  return network(listeners, {
    nodeAddress: subnet.nodeAddress,
    allocate: (podUid, preferred) => addresses.allocate(podUid, preferred),
    release: (podUid) => addresses.release(podUid),
    close: () => subnet[Symbol.dispose](),
  });
}

/** Every pod has the node's address, and shares its ports with the others. */
export function createJoinedNetwork(nodeAddress: string, listeners = new Listeners()): PodNetwork {
  return network(listeners, { nodeAddress, allocate: () => nodeAddress, release: () => {}, close: () => {} });
}

interface Addressing {
  readonly nodeAddress: string;
  allocate(podUid: string, preferred: string | undefined): string;
  release(podUid: string): void;
  close(): void;
}

function network(listeners: Listeners, { nodeAddress, ...addressing }: Addressing): PodNetwork {
  const given = new Map<string, string>();
  const isOnHost = (pod: Pod) => pod.spec?.hostNetwork === true;
  function allocate(pod: Pod, { preferred }: { preferred?: string | undefined } = {}): string {
    const uid = pod.metadata?.uid ?? '';
    const address = isOnHost(pod) ? nodeAddress : addressing.allocate(uid, preferred);
    given.set(uid, address);
    return address;
  }
  return {
    nodeAddress,
    allocate,
    bind(pod) {
      const uid = pod.metadata?.uid ?? '';
      return listeners.bind(uid, wantedPorts(pod, { podIP: given.get(uid) ?? allocate(pod), nodeAddress }));
    },
    adopt: (podUid, kept) => listeners.adopt(podUid, kept),
    release(podUid) {
      listeners.release(podUid);
      addressing.release(podUid);
      given.delete(podUid);
    },
    async [Symbol.asyncDispose]() {
      listeners.releaseAll();
      addressing.close();
    },
  };
}
