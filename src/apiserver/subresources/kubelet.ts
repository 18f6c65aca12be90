/** The way to a node's kubelet API, for logs. Bytes pass through with back-pressure; nothing is kept. */

import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { NodeStatus } from '#kube/types';
import { type Api, NODES, placeOf } from '../rest/api.ts';
import { internalError, notFound } from '../status.ts';

export interface KubeletAddress {
  readonly host: string;
  readonly port: number;
}

export interface KubeletDialer {
  /** The answer's head; its body is still to be read. */
  get(at: KubeletAddress, path: string, options: { signal: AbortSignal }): Promise<IncomingMessage>;
}

export interface KubeletTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** `tls` is asked at each call, so that a renewed certificate counts. A serving certificate must be of our CA. */
export function kubeletDialer(tls: () => KubeletTls): KubeletDialer {
  return {
    get({ host, port }, path, { signal }) {
      return new Promise((resolve, reject) => {
        const call = request({ host, port, path, method: 'GET', signal, agent: false, ...tls() }, resolve);
        call.setTimeout(30_000, () => call.destroy(new Error('the node did not answer in 30 s')));
        call.once('response', () => call.setTimeout(0));
        call.once('error', reject);
        call.end();
      });
    },
  };
}

/** Where a node says that its kubelet API is. */
export function addressOf(api: Api, node: string): KubeletAddress {
  const entry = api.store.get(placeOf({ kind: NODES, namespace: '', name: node }));
  if (entry === undefined) throw notFound(NODES, node);
  const status = (entry.value['status'] ?? {}) as NodeStatus;
  const addresses = status.addresses ?? [];
  const host = ['InternalIP', 'ExternalIP', 'Hostname']
    .map((type) => addresses.find((one) => one.type === type)?.address)
    .find((one) => one !== undefined);
  const port = status.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250;
  if (host === undefined) throw internalError(`no preferred addresses found; known addresses: []`);
  return { host, port };
}
