/**
 * What an administrator does once, so that nodes can join: a bootstrap token with the rights to ask for a certificate,
 * as a kubeconfig to carry to the machine. For `wasmlet bootstrap`. Source: Kubernetes docs, "TLS bootstrapping".
 */
import { randomBytes } from 'node:crypto';
import {
  type Access,
  formatKubeconfig,
  isAlreadyExists,
  isNotFound,
  type KubeClient,
  type Resource,
  readMaterial,
  SECRETS,
} from '#kube';
import type { KubeObject, Secret } from '#kube/types';

export interface BootstrapOptions {
  /** With an administrator's rights. */
  readonly client: KubeClient;
  /** The administrator's kubeconfig: where the server is and who vouches for it. */
  readonly access: Access;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** How long the token may be used, in hours; 24 as kubeadm's. */
  readonly hours?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BootstrapResult {
  /** The file for `wasmlet join --bootstrap-kubeconfig`, in YAML. It holds a secret. */
  readonly kubeconfig: string;
  readonly tokenId: string;
  /** RFC 3339. */
  readonly expires: string;
  /** The line that approves the serving certificate of a node that has joined. */
  readonly approve: string;
}

const GROUP = 'system:bootstrappers:wasmlet';
const CLUSTER_ROLE_BINDINGS: Resource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
  namespaced: false,
};

export async function createBootstrap(options: BootstrapOptions): Promise<BootstrapResult> {
  const { client, access, now, hours = 24, signal } = options;
  const hex = randomBytes(11).toString('hex');
  const [id, secret] = [hex.slice(0, 6), hex.slice(6, 22)];
  const expires = new Date(now + hours * 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
  for (const binding of bindings()) await createOnce(client, binding, signal);
  await client.create<Secret>(SECRETS, tokenSecret({ id, secret, expires }), { signal });
  const { cluster } = access;
  const authority =
    cluster.authority === undefined ? undefined : { data: readMaterial(cluster.authority, 'the authority') };
  return {
    kubeconfig: formatKubeconfig({
      context: 'bootstrap',
      cluster: { ...cluster, authority },
      user: { token: `${id}.${secret}` },
    }),
    tokenId: id,
    expires,
    approve:
      'kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving -o name | xargs kubectl certificate approve',
  };
}

function tokenSecret({ id, secret, expires }: { id: string; secret: string; expires: string }): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      description: 'For machines that join with wasmlet',
      'token-id': id,
      'token-secret': secret,
      expiration: expires,
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': GROUP,
    },
  };
}

/** The rights: to ask, to have the first client certificate approved, and every later one. */
function bindings(): KubeObject[] {
  const role = 'system:certificates.k8s.io:certificatesigningrequests';
  return [
    binding('wasmlet:bootstrap', 'system:node-bootstrapper', GROUP),
    binding('wasmlet:approve-first-client-certificate', `${role}:nodeclient`, GROUP),
    binding('wasmlet:approve-client-certificate-renewal', `${role}:selfnodeclient`, 'system:nodes'),
  ];
}

function binding(name: string, role: string, group: string): KubeObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
  } as KubeObject;
}

/** An API server without RBAC has no such resource, and needs none. */
async function createOnce(client: KubeClient, object: KubeObject, signal: AbortSignal | undefined): Promise<void> {
  try {
    await client.create(CLUSTER_ROLE_BINDINGS, object, { signal });
  } catch (error) {
    if (!isAlreadyExists(error) && !isNotFound(error)) throw error;
  }
}
