import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issue, type KeyPair, makeAuthority, makeKeyPair } from '../processes/openssl.ts';

/** The certificates of a cluster, with the names and groups that kubeadm gives them. */
export interface ClusterPki {
  readonly ca: KeyPair;
  readonly server: KeyPair;
  readonly admin: KeyPair;
  readonly controllerManager: KeyPair;
  readonly scheduler: KeyPair;
  /** The API server's own, as a client of kubelets: user `kube-apiserver-kubelet-client`. */
  readonly kubeletClient: KeyPair;
  readonly frontProxyCa: KeyPair;
  readonly frontProxyClient: KeyPair;
  readonly serviceAccount: { readonly publicKey: string; readonly key: string };
}

export async function makeClusterPki(
  dir: string,
  { addresses }: { addresses: readonly string[] },
): Promise<ClusterPki> {
  const [ca, frontProxyCa] = await Promise.all([makeAuthority(dir, 'ca'), makeAuthority(dir, 'front-proxy-ca')]);
  const names = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  const subjectAltNames = [...names.map((name) => `DNS:${name}`), ...addresses.map((address) => `IP:${address}`)];
  function client(name: string, commonName: string, organization?: string): Promise<KeyPair> {
    return issue(dir, ca, { name, commonName, ...(organization === undefined ? {} : { organization }) });
  }
  const [server, admin, controllerManager, scheduler, kubeletClient, frontProxyClient, serviceAccount] =
    await Promise.all([
      issue(dir, ca, { name: 'apiserver', commonName: 'kube-apiserver', subjectAltNames }),
      client('admin', 'kubernetes-admin', 'system:masters'),
      client('controller-manager', 'system:kube-controller-manager'),
      client('scheduler', 'system:kube-scheduler'),
      client('apiserver-kubelet-client', 'kube-apiserver-kubelet-client', 'system:masters'),
      issue(dir, frontProxyCa, { name: 'front-proxy-client', commonName: 'front-proxy-client' }),
      makeKeyPair(dir, 'sa'),
    ]);
  return {
    ca,
    server,
    admin,
    controllerManager,
    scheduler,
    kubeletClient,
    frontProxyCa,
    frontProxyClient,
    serviceAccount,
  };
}

/** Writes a kubeconfig with everything inside it, so that the file can be handed on alone. */
export async function writeKubeconfig(
  path: string,
  { server, ca, user }: { server: string; ca: KeyPair; user: KeyPair | { token: string } },
): Promise<string> {
  const credentials =
    'token' in user
      ? { token: user.token }
      : { 'client-certificate-data': await base64(user.certificate), 'client-key-data': await base64(user.key) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': await base64(ca.certificate) } }],
    users: [{ name: 'test', user: credentials }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  };
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return path;
}

/** A kubeconfig for somebody new, signed by the cluster's authority: for tests of who may do what. */
export async function userKubeconfig(
  dir: string,
  { pki, server, name, groups }: { pki: ClusterPki; server: string; name: string; groups?: string },
): Promise<string> {
  const file = `user-${name.replace(/[^a-z0-9]+/gi, '-')}`;
  const user = await issue(dir, pki.ca, {
    name: file,
    commonName: name,
    ...(groups === undefined ? {} : { organization: groups }),
  });
  return await writeKubeconfig(join(dir, `${file}.kubeconfig`), { server, ca: pki.ca, user });
}

async function base64(path: string): Promise<string> {
  return (await readFile(path)).toString('base64');
}
