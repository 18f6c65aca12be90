/** Every pod has an account and, unless it declines, that account's token. Source: `plugin/pkg/admission/serviceaccount/admission.go`. */
import type { Container, PodSpec, ServiceAccount, Volume } from '#kube/types';
import { type Api, placeOf, randomSuffix, SERVICE_ACCOUNTS } from '../rest/api.ts';
import { forbidden } from '../status.ts';
import type { ApiObject } from '../surface.ts';

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const PREFIX = 'kube-api-access-';
/** An hour and the seven seconds by which such volumes are told from others. */
const EXPIRATION = 3607;

export function injectServiceAccount(api: Api, pod: ApiObject): void {
  const spec = pod['spec'] as PodSpec;
  const namespace = pod.metadata.namespace ?? '';
  const isMirror = pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
  if (isMirror) return;
  const name = (spec.serviceAccountName ?? '') === '' ? 'default' : (spec.serviceAccountName ?? '');
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
  const entry = api.store.get(placeOf({ kind: SERVICE_ACCOUNTS, namespace, name }));
  if (entry === undefined) {
    const why = `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`;
    throw forbidden({ group: '', plural: 'pods' }, pod.metadata.name ?? '', why);
  }
  const account = entry.value as ServiceAccount;
  const mount = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
  if (mount) mountToken(spec);
  if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
    spec.imagePullSecrets = structuredClone(account.imagePullSecrets ?? []);
  }
}

function mountToken(spec: PodSpec): void {
  const there = (spec.volumes ?? []).find(({ name }) => name.startsWith(PREFIX));
  const name = there?.name ?? PREFIX + randomSuffix();
  let needed = false;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers] as Container[]) {
    if ((container.volumeMounts ?? []).some(({ mountPath }) => mountPath === MOUNT_PATH)) continue;
    needed = true;
    container.volumeMounts = [...(container.volumeMounts ?? []), { mountPath: MOUNT_PATH, name, readOnly: true }];
  }
  if (needed && there === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: EXPIRATION, path: 'token' } },
        { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
        {
          downwardAPI: {
            items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }],
          },
        },
      ],
    },
  };
}
