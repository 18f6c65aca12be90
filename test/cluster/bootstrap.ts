import { randomBytes } from 'node:crypto';

const GROUP = 'system:bootstrappers:kubeadm:default-node-token';

/** A new bootstrap token: `[a-z0-9]{6}.[a-z0-9]{16}`. */
export function makeToken(): { id: string; secret: string; token: string } {
  const hex = randomBytes(11).toString('hex');
  const [id, secret] = [hex.slice(0, 6), hex.slice(6, 22)];
  return { id, secret, token: `${id}.${secret}` };
}

/**
 * What `kubeadm init` leaves in a cluster so that nodes can join by a bootstrap token: the token's Secret, and the three
 * bindings by which its bearer may ask for a certificate, gets the first approved, and every later one renewed. Serving
 * certificates are approved by nobody but a person, there as here.
 */
export function bootstrapObjects({ id, secret }: { id: string; secret: string }): object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      stringData: {
        'token-id': id,
        'token-secret': secret,
        'usage-bootstrap-authentication': 'true',
        'usage-bootstrap-signing': 'true',
        'auth-extra-groups': GROUP,
      },
    },
    binding('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', GROUP),
    binding(
      'kubeadm:node-autoapprove-bootstrap',
      'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
      GROUP,
    ),
    binding(
      'kubeadm:node-autoapprove-certificate-rotation',
      'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
      'system:nodes',
    ),
  ];
}

function binding(name: string, role: string, group: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
  };
}
