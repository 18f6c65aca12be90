/**
 * A real Kubernetes control plane for tests: etcd, kube-apiserver, kube-controller-manager and kube-scheduler of the
 * release that control-plane/go.mod names, with the certificates, authorisation and bootstrap objects of a kubeadm
 * cluster, inside a network namespace. Ready about five seconds after the call; 800 MB resident.
 *
 *     await using cluster = await startControlPlane({ dir });
 *     await cluster.kubectl(['get', 'nodes']);
 *     await cluster.parts['kube-apiserver'].signal('SIGKILL');
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { currentNamespace, makeNamespace, type Namespace } from '../netns/namespace.ts';
import { type CommandOptions, type CommandResult, run } from '../processes/command.ts';
import { Daemon } from '../processes/daemon.ts';
import { controlPlaneBinary } from '../setup/control-plane.ts';
import { bootstrapObjects, makeToken } from './bootstrap.ts';
import { API_PORT, flagsOf, PARTS, type PartName, type PartSettings } from './parts.ts';
import { type ClusterPki, makeClusterPki, userKubeconfig, writeKubeconfig } from './pki.ts';

export interface ControlPlaneOptions {
  /** An empty folder of the test: certificates, kubeconfigs, etcd's data, a log file a part. */
  readonly dir: string;
  readonly signal?: AbortSignal | undefined;
  /** Where to start it; else the namespace that `npm test` put this process in, else a new one, removed by `stop`. */
  readonly namespace?: Namespace;
  readonly serviceCIDR?: string;
  readonly podCIDR?: string;
  /** More flags for a part; a later flag wins over an earlier one of the same name. */
  readonly flags?: Partial<Record<PartName, readonly string[]>>;
}

export interface ControlPlane extends AsyncDisposable {
  readonly dir: string;
  /** `https://10.250.0.1:6443`. */
  readonly server: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Path of a bootstrap kubeconfig, by which a node may join. */
  readonly bootstrapKubeconfig: string;
  readonly token: string;
  /** Path of the cluster's certificate authority. */
  readonly ca: string;
  readonly pki: ClusterPki;
  readonly namespace: Namespace;
  /** Put before a command to run it where the cluster is; empty when this process is there. */
  readonly enter: readonly string[];
  /** To stop, kill, pause and start single parts. */
  readonly parts: Readonly<Record<PartName, Daemon>>;
  /** kubectl of the cluster's version, as the administrator. */
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** A kubeconfig for a user with groups, signed by the cluster's authority. */
  user(name: string, groups?: string): Promise<string>;
  /** Waits until the API server says that it is ready. */
  ready(options?: { signal?: AbortSignal | undefined }): Promise<void>;
  stop(): Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dir, signal } = options;
  const binary = controlPlaneBinary();
  await mkdir(dir, { recursive: true });
  const outer = options.namespace ?? currentNamespace();
  const namespace = outer ?? (await makeNamespace({ label: 'cluster' }));
  const cluster = await compose(options, { binary, namespace, ownsNamespace: outer === undefined });
  try {
    for (const part of PARTS) cluster.parts[part].start();
    await cluster.ready({ signal });
    await settle(cluster, signal);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  signal?.addEventListener('abort', () => void cluster.stop(), { once: true });
  return cluster;
}

interface Place {
  readonly binary: string;
  readonly namespace: Namespace;
  readonly ownsNamespace: boolean;
}

async function compose(options: ControlPlaneOptions, { binary, namespace, ownsNamespace }: Place): Promise<Composed> {
  const { dir, serviceCIDR = '10.96.0.0/16', podCIDR = '10.244.0.0/16', flags = {} } = options;
  const { address, enter } = namespace;
  const server = `https://${address}:${API_PORT}`;
  const firstService = serviceCIDR.replace(/\.\d+\/\d+$/, '.1');
  const pki = await makeClusterPki(join(dir, 'pki'), { addresses: ['127.0.0.1', address, firstService] });
  const { id, secret, token } = makeToken();
  function kubeconfigOf(name: string, user: Parameters<typeof writeKubeconfig>[1]['user']): Promise<string> {
    return writeKubeconfig(join(dir, `${name}.kubeconfig`), { server, ca: pki.ca, user });
  }
  const kubeconfig = await kubeconfigOf('admin', pki.admin);
  const kubeconfigs = {
    controllerManager: await kubeconfigOf('controller-manager', pki.controllerManager),
    scheduler: await kubeconfigOf('scheduler', pki.scheduler),
  };
  const bootstrapKubeconfig = await kubeconfigOf('bootstrap', { token });
  const settings: PartSettings = { dir, pki, address, serviceCIDR, podCIDR, kubeconfigs };
  const parts = Object.fromEntries(
    PARTS.map((name) => {
      const argv = [binary, name, ...flagsOf(name, settings), ...(flags[name] ?? [])];
      return [name, new Daemon({ name, argv, enter, log: join(dir, `${name}.log`) })];
    }),
  ) as Record<PartName, Daemon>;
  const about = {
    dir,
    server,
    kubeconfig,
    bootstrapKubeconfig,
    token,
    ca: pki.ca.certificate,
    pki,
    namespace,
    enter,
    parts,
  };
  return { ...about, ...verbs(about, { binary, ownsNamespace }), bootstrap: bootstrapObjects({ id, secret }) };
}

interface Composed extends ControlPlane {
  readonly bootstrap: readonly object[];
}

type About = Omit<ControlPlane, 'kubectl' | 'user' | 'ready' | 'stop' | typeof Symbol.asyncDispose>;
type Verbs = Pick<ControlPlane, 'kubectl' | 'user' | 'ready' | 'stop' | typeof Symbol.asyncDispose>;

function verbs(about: About, { binary, ownsNamespace }: { binary: string; ownsNamespace: boolean }): Verbs {
  const { dir, server, kubeconfig, pki, namespace, enter, parts } = about;
  const kubectlBinary = join(dirname(binary), 'kubectl');
  function kubectl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return run([...enter, kubectlBinary, `--kubeconfig=${kubeconfig}`, ...args], options);
  }
  async function ready({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const limit = Date.now() + 120_000;
    for (;;) {
      for (const part of [parts.etcd, parts['kube-apiserver']]) {
        if (!part.running) throw new Error(`Cannot wait for the API server: ${part.name} has ended\n${part.tail()}`);
      }
      const { code, stdout, stderr } = await kubectl(['get', '--raw', '/readyz', '--request-timeout=5s'], {
        accept: 'any',
      });
      if (code === 0 && stdout.trim() === 'ok') return;
      if (Date.now() > limit) throw new Error(`Cannot wait for the API server: not ready after two minutes\n${stderr}`);
      await setTimeout(200, undefined, { ...(signal === undefined ? {} : { signal }) });
    }
  }
  async function stop(): Promise<void> {
    // Nothing of it is wanted afterwards: a graceful end of the API server would take a minute.
    await Promise.all(Object.values(parts).map((part) => part.signal('SIGKILL')));
    if (ownsNamespace) await namespace.remove();
  }
  return {
    kubectl,
    user: (name, groups) =>
      userKubeconfig(join(dir, 'pki'), { pki, server, name, ...(groups === undefined ? {} : { groups }) }),
    ready,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** What a pod needs besides the API server: bootstrap objects, and the controllers' first work in the default namespace. */
async function settle({ kubectl, bootstrap }: Composed, signal: AbortSignal | undefined): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: bootstrap });
  await kubectl(['apply', '--server-side', '-f', '-'], { input, signal });
  for (const kind of ['serviceaccount/default', 'configmap/kube-root-ca.crt']) {
    // One at a time: with several, kubectl gives up on the first look.
    await kubectl(['wait', '--for=create', '--timeout=60s', kind], { signal });
  }
}
