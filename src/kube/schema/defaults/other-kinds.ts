/** Defaults of the kinds other than pods. Source: `defaults.go` in each group of `pkg/apis`. */
import { type Defaulter, type Fields, isFields, listOf, setMissing, setZero } from './fields.ts';

const RBAC = 'rbac.authorization.k8s.io';

export const OTHER_DEFAULTS: Readonly<Record<string, Defaulter>> = {
  'io.k8s.api.core.v1.Secret': (secret) => setZero(secret, { type: 'Opaque' }),
  'io.k8s.api.core.v1.Namespace': defaultNamespace,
  'io.k8s.api.core.v1.NodeStatus': (status) => {
    if (isFields(status['capacity'])) setMissing(status, { allocatable: { ...status['capacity'] } });
  },
  'io.k8s.api.core.v1.ServiceSpec': defaultServiceSpec,
  'io.k8s.api.core.v1.PersistentVolumeClaimSpec': (spec) => setMissing(spec, { volumeMode: 'Filesystem' }),
  'io.k8s.api.discovery.v1.EndpointPort': (port) => setMissing(port, { name: '', protocol: 'TCP' }),
  'io.k8s.api.scheduling.v1.PriorityClass': (kind) => setMissing(kind, { preemptionPolicy: 'PreemptLowerPriority' }),
  'io.k8s.api.rbac.v1.RoleRef': (reference) => setZero(reference, { apiGroup: RBAC }),
  'io.k8s.api.rbac.v1.Subject': (subject) => {
    if (subject['kind'] === 'User' || subject['kind'] === 'Group') setZero(subject, { apiGroup: RBAC });
  },
  'io.k8s.api.authentication.v1.TokenRequestSpec': (spec) => setMissing(spec, { expirationSeconds: 3600 }),
};

function defaultNamespace(namespace: Fields): void {
  if (!isFields(namespace['metadata'])) return;
  const { metadata } = namespace;
  const name = metadata['name'];
  if (typeof name === 'string' && name !== '') {
    const labels = isFields(metadata['labels']) ? metadata['labels'] : {};
    metadata['labels'] = { ...labels, 'kubernetes.io/metadata.name': name };
  }
  const status = isFields(namespace['status']) ? namespace['status'] : {};
  setZero(status, { phase: 'Active' });
  namespace['status'] = status;
}

function defaultServiceSpec(spec: Fields): void {
  setZero(spec, { sessionAffinity: 'None', type: 'ClusterIP' });
  if (spec['type'] !== 'ExternalName') setMissing(spec, { internalTrafficPolicy: 'Cluster' });
  if (spec['type'] === 'LoadBalancer') setMissing(spec, { allocateLoadBalancerNodePorts: true });
  if (spec['type'] === 'LoadBalancer' || spec['type'] === 'NodePort')
    setZero(spec, { externalTrafficPolicy: 'Cluster' });
  for (const port of listOf(spec['ports'])) setZero(port, { protocol: 'TCP', targetPort: port['port'] });
}
