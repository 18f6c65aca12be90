/** Builds the whole API server in the current thread: keys, store, handlers, controllers. `main.ts` runs it in a worker; tests run it as it is. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, isWasmletError, type Log, silentLog, systemClock } from '#kit';
import { formatKubeconfig } from '#kube';
import type { KeyPair } from '#kube/certificates';
import { startControllers } from '../controllers/mod.ts';
import { furnishNamespace } from '../controllers/namespace-furniture.ts';
import type { Api } from '../rest/api.ts';
import { surface } from '../rest/surface-of.ts';
import { Store, type StoreLimits } from '../store/store.ts';
import { type KubeletDialer, kubeletDialer } from '../subresources/kubelet.ts';
import { Authority } from '../tokens/authority.ts';
import { type Pki, preparePki, writeSafely } from './pki.ts';
import { listen, type RunningServer } from './server.ts';

export interface ApiServerOptions {
  readonly dataDir: string;
  /** Where to listen; 127.0.0.1 without. */
  readonly address?: string | undefined;
  /** 6443 without; 0 for any. */
  readonly port?: number | undefined;
  /** When the port is taken, how many ports above it are tried. */
  readonly portTries?: number | undefined;
  /** Makes the client and serving certificates of the standalone node. */
  readonly node?: { readonly name: string; readonly addresses: readonly string[] } | undefined;
}

/** Plain data: it crosses the thread's boundary. */
export interface ApiServerFacts {
  readonly url: string;
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  /** Path of the administrator's kubeconfig. */
  readonly adminKubeconfig: string;
  /** Path of the node's kubeconfig, when `node` was given. */
  readonly nodeKubeconfig: string | undefined;
}

export interface RunOptions extends ApiServerOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly kubelet?: KubeletDialer;
  readonly storeLimits?: Partial<StoreLimits>;
}

export interface RunningApi extends AsyncDisposable {
  readonly facts: ApiServerFacts;
  readonly api: Api;
  readonly pki: Pki;
}

export async function runApiServer(options: RunOptions): Promise<RunningApi> {
  const { dataDir, clock = systemClock, log = silentLog, address = '127.0.0.1', node } = options;
  const addresses = [...new Set(['127.0.0.1', address])];
  const pki = await preparePki(join(dataDir, 'pki'), { now: clock.now(), addresses, node });
  mkdirSync(join(dataDir, 'api'), { recursive: true, mode: 0o700 });
  const store = new Store(join(dataDir, 'api', 'state.db'), options.storeLimits);
  let port = options.port ?? 6443;
  const api: Api = {
    store,
    surface,
    clock,
    log,
    authority: new Authority(pki.accountKey),
    ca: pki.authority.cert,
    kubelet: options.kubelet ?? kubeletDialer(() => ({ ...pki.kubeletClient, ca: pki.authority.cert })),
    address: () => `${address}:${port}`,
    furnish: (namespace) => furnishNamespace(api, namespace),
  };
  const controllers = startControllers(api, pki.authority);
  let server: RunningServer;
  try {
    server = await listenSomewhere(api, { ...options, address, port }, pki);
  } catch (error) {
    await controllers[Symbol.asyncDispose]();
    store[Symbol.dispose]();
    throw error;
  }
  port = server.port;
  const facts = writeKubeconfigs(dataDir, { pki, address, port });
  return {
    facts,
    api,
    pki,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await controllers[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}

async function listenSomewhere(
  api: Api,
  { address, port, portTries = 0 }: RunOptions & { address: string; port: number },
  pki: Pki,
): Promise<RunningServer> {
  for (let tried = 0; ; tried++) {
    try {
      return await listen(api, { address, port: port === 0 ? 0 : port + tried, ...pki.server, ca: pki.authority.cert });
    } catch (error) {
      const taken =
        isWasmletError(error, 'API_CANNOT_LISTEN') && (error.cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!taken || tried >= portTries) throw error;
    }
  }
}

interface Place {
  readonly pki: Pki;
  readonly address: string;
  readonly port: number;
}

function writeKubeconfigs(dataDir: string, { pki, address, port }: Place): ApiServerFacts {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address;
  const url = `https://${host}:${port}`;
  const ca = pki.authority.cert;
  const adminKubeconfig = join(dataDir, 'kubeconfig');
  writeSafely(adminKubeconfig, kubeconfigText({ url, ca, pair: pki.admin }));
  const nodeKubeconfig = pki.node === undefined ? undefined : join(dataDir, 'pki', 'node.kubeconfig');
  if (nodeKubeconfig !== undefined && pki.node !== undefined) {
    writeSafely(nodeKubeconfig, kubeconfigText({ url, ca, pair: pki.node.client }));
  }
  return { url, port, ca, adminKubeconfig, nodeKubeconfig };
}

interface KubeconfigOf {
  readonly url: string;
  readonly ca: string;
  readonly pair: KeyPair;
}

function kubeconfigText({ url, ca, pair }: KubeconfigOf): string {
  return formatKubeconfig({
    context: 'wasmlet',
    cluster: { server: url, authority: { data: ca } },
    user: { certificate: { data: pair.cert }, key: { data: pair.key } },
  });
}
