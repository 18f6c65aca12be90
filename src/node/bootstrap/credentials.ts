/**
 * Who the node is to the cluster: from a kubeconfig of its own, or by TLS bootstrap, where a token buys the first client
 * certificate and each certificate buys the next. What comes out is a client whose identity changes under way.
 */
import { join } from 'node:path';
import { type Clock, type Log, messageOf } from '#kit';
import {
  type Access,
  type ConnectConfig,
  connect,
  connectConfigOf,
  formatKubeconfig,
  type HttpKubeClient,
  loadAccess,
} from '#kube';
import type { KeyPair } from '#kube/certificates';
import type { NodeOptions } from '../contract.ts';
import { forget, loadPair, requestKeyPath, savePair, writeDurably } from './pem-store.ts';
import { clientWish, requestCertificate } from './request.ts';
import { isUsable, keepFresh, type RotationOptions } from './rotation.ts';

export interface Credentials {
  readonly client: HttpKubeClient;
  /** PEM of the cluster's authority, where the kubeconfig names one. */
  readonly authority: string | undefined;
  /** Runs until the signal: rotation of the client certificate. */
  keep(signal: AbortSignal): Promise<void>;
}

interface Means {
  readonly options: Pick<NodeOptions, 'name' | 'dataDir' | 'access' | 'version'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function clientCertificatePath(dataDir: string): string {
  return join(dataDir, 'pki', 'kubelet-client-current.pem');
}

/** Written at bootstrap, so that the token's file may go away afterwards. */
export function nodeKubeconfigPath(dataDir: string): string {
  return join(dataDir, 'pki', 'kubelet.kubeconfig');
}

export async function openCredentials(means: Means): Promise<Credentials> {
  const { access } = means.options;
  if ('bootstrapKubeconfig' in access) return await bootstrapped(access.bootstrapKubeconfig, means);
  const config = connectConfigOf(await loadAccess(access.kubeconfig), { clock: means.clock });
  return {
    client: connect({ ...config, userAgent: agentOf(means) }),
    authority: authorityOf(config),
    keep: async () => {},
  };
}

async function bootstrapped(bootstrapPath: string, means: Means): Promise<Credentials> {
  const { options, clock, log } = means;
  const path = clientCertificatePath(options.dataDir);
  const stored = await loadPair(path);
  const commonName = `system:node:${options.name}`;
  const usable = stored !== undefined && isUsable(stored, { commonName, now: clock.now() });
  const access = await accessFor(bootstrapPath, { usable, means });
  const config = connectConfigOf(access, { clock });
  let current = usable ? stored : await firstCertificate(access, { path, means });
  const client = connect({ ...config, token: undefined, identity: () => current, userAgent: agentOf(means) });
  function onNew(pair: KeyPair): void {
    current = pair;
    client.renew();
  }
  const ask: RotationOptions['ask'] = async (asked) => {
    if (isUsable(current, { commonName, now: clock.now() })) {
      return await requestCertificate(clientWish(options.name), { client, clock, log, ...asked });
    }
    // A machine that was off for longer than its certificate lived has only the token left, if that still lives.
    return await firstCertificate(await loadAccess(bootstrapPath), { path, means: { ...means, signal: asked.signal } });
  };
  return {
    client,
    authority: authorityOf(config),
    keep: (signal) => keepFresh({ what: 'client', path, current, ask, onNew, clock, log, signal }),
  };
}

/** With a certificate in hand the bootstrap file is not needed any more, and may have been removed as it should be. */
async function accessFor(bootstrapPath: string, { usable, means }: { usable: boolean; means: Means }): Promise<Access> {
  const own = nodeKubeconfigPath(means.options.dataDir);
  try {
    return await loadAccess(bootstrapPath);
  } catch (error) {
    if (!usable) throw error;
    const access = await loadAccess(own).catch(() => undefined);
    if (access === undefined) throw error;
    means.log.info('Using the kubeconfig of an earlier bootstrap', { path: own, instead: messageOf(error) });
    return access;
  }
}

async function firstCertificate(access: Access, { path, means }: { path: string; means: Means }): Promise<KeyPair> {
  const { options, clock, log, signal } = means;
  await using client = connect({ ...connectConfigOf(access, { clock }), userAgent: agentOf(means) });
  log.info('Asking the cluster for a client certificate', { node: options.name, server: client.server });
  const pair = await requestCertificate(clientWish(options.name), {
    client,
    keyPath: requestKeyPath(path),
    clock,
    log,
    signal,
    onPending: (name) => log.info('The client certificate waits for approval', { csr: name }),
  });
  await savePair(path, pair);
  await forget(requestKeyPath(path));
  const material = { file: path };
  const user = { certificate: material, key: material };
  await writeDurably(nodeKubeconfigPath(options.dataDir), formatKubeconfig({ ...access, user, context: 'node' }));
  return pair;
}

function agentOf({ options }: Means): string {
  return `wasmlet/${options.version} (node ${options.name})`;
}

function authorityOf({ ca }: ConnectConfig): string | undefined {
  return ca === undefined ? undefined : Buffer.from(ca).toString('utf8');
}
