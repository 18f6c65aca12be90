/** Defaults of pods and of what pods are made of. Source: `pkg/apis/core/v1/defaults.go`. */
import { type Defaulter, type Fields, isFields, listOf, setMissing, setZero } from './fields.ts';

const CORE = 'io.k8s.api.core.v1.';

/** Volume sources' permission bits: 0644. */
const FILE_MODE = 0o644;

export const POD_DEFAULTS: Readonly<Record<string, Defaulter>> = {
  [`${CORE}Pod`]: defaultPod,
  [`${CORE}PodSpec`]: defaultPodSpec,
  [`${CORE}Container`]: defaultContainer,
  [`${CORE}EphemeralContainer`]: defaultContainer,
  [`${CORE}Probe`]: (probe) =>
    setZero(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }),
  [`${CORE}HTTPGetAction`]: (get) => setZero(get, { path: '/', scheme: 'HTTP' }),
  [`${CORE}GRPCAction`]: (grpc) => setMissing(grpc, { service: '' }),
  [`${CORE}Volume`]: defaultVolume,
  [`${CORE}SecretVolumeSource`]: (source) => setMissing(source, { defaultMode: FILE_MODE }),
  [`${CORE}ConfigMapVolumeSource`]: (source) => setMissing(source, { defaultMode: FILE_MODE }),
  [`${CORE}DownwardAPIVolumeSource`]: (source) => setMissing(source, { defaultMode: FILE_MODE }),
  [`${CORE}ProjectedVolumeSource`]: (source) => setMissing(source, { defaultMode: FILE_MODE }),
  [`${CORE}ServiceAccountTokenProjection`]: (source) => setMissing(source, { expirationSeconds: 3600 }),
  [`${CORE}HostPathVolumeSource`]: (source) => setMissing(source, { type: '' }),
  [`${CORE}ObjectFieldSelector`]: (selector) => setZero(selector, { apiVersion: 'v1' }),
};

/** Limits without requests become the requests; service links are on. */
function defaultPod(pod: Fields): void {
  if (pod['spec'] === undefined || pod['spec'] === null) pod['spec'] = {};
  const spec = pod['spec'];
  if (!isFields(spec)) return;
  const containers = [...listOf(spec['containers']), ...listOf(spec['initContainers'])];
  for (const container of containers) requestLimits(container);
  setMissing(spec, { enableServiceLinks: true });
  if (spec['hostNetwork'] !== true) return;
  for (const port of containers.flatMap((container) => listOf(container['ports']))) {
    setZero(port, { hostPort: port['containerPort'] });
  }
}

function requestLimits(container: Fields): void {
  const resources = container['resources'];
  if (!isFields(resources) || !isFields(resources['limits'])) return;
  const requests = isFields(resources['requests']) ? resources['requests'] : {};
  resources['requests'] = { ...resources['limits'], ...requests };
}

function defaultPodSpec(spec: Fields): void {
  setZero(spec, { dnsPolicy: 'ClusterFirst', restartPolicy: 'Always', schedulerName: 'default-scheduler' });
  setMissing(spec, { securityContext: {}, terminationGracePeriodSeconds: 30 });
  // The old name of the field is kept equal by the API server's conversion.
  const account = spec['serviceAccountName'] || spec['serviceAccount'];
  if (typeof account === 'string' && account !== '') {
    spec['serviceAccountName'] = account;
    spec['serviceAccount'] = account;
  }
}

function defaultContainer(container: Fields): void {
  setZero(container, {
    imagePullPolicy: pullPolicyOf(container['image']),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  });
}

/** Always for `latest`, said or meant; a reference by digest has no tag. */
function pullPolicyOf(image: unknown): 'Always' | 'IfNotPresent' {
  if (typeof image !== 'string' || image === '') return 'IfNotPresent';
  const [name = '', digest] = image.split('@');
  const last = name.slice(name.lastIndexOf('/') + 1);
  const tag = last.includes(':') ? last.slice(last.indexOf(':') + 1) : digest === undefined ? 'latest' : '';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultVolume(volume: Fields): void {
  const sources = Object.keys(volume).filter(
    (key) => key !== 'name' && volume[key] !== null && volume[key] !== undefined,
  );
  if (sources.length === 0) volume['emptyDir'] = {};
  const image = volume['image'];
  if (isFields(image)) setZero(image, { pullPolicy: pullPolicyOf(image['reference']) });
}
