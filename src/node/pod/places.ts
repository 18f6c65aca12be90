/** Where a pod's things are in the data directory (docs/decisions/0004-data-directory.md). */
import { join } from 'node:path';
import type { Pod } from '#kube/types';
import { podError } from './errors.ts';

export interface PodPlaces {
  /** `tenants/<namespace>` */
  readonly tenant: string;
  /** `tenants/<namespace>/pods/<uid>` */
  readonly home: string;
  /** `pods/<uid>`, a link to it. */
  readonly link: string;
  readonly logs: string;
  readonly logsLink: string;
  readonly checkpoint: string;
  volume(plugin: string, name: string): string;
  container(name: string): string;
  log(container: string, attempt: number): string;
}

/** Names come from an API server: none of them may be a path. */
export function safeName(name: string | undefined, what: string): string {
  if (name !== undefined && name.length <= 253 && /^[A-Za-z0-9]([A-Za-z0-9._-]*)$/.test(name)) return name;
  throw podError('POD_CONFIG_INVALID', `invalid ${what} "${String(name).slice(0, 64)}": not usable as a file's name`);
}

export function placesOf(pod: Pod, dataDir: string): PodPlaces {
  const uid = safeName(pod.metadata?.uid, 'uid');
  const namespace = safeName(pod.metadata?.namespace, 'namespace');
  const name = safeName(pod.metadata?.name, 'pod name');
  const tenant = join(dataDir, 'tenants', namespace);
  const home = join(tenant, 'pods', uid);
  const logName = `${namespace}_${name}_${uid}`;
  const logs = join(tenant, 'logs', logName);
  return {
    tenant,
    home,
    link: join(dataDir, 'pods', uid),
    logs,
    logsLink: join(dataDir, 'logs', logName),
    checkpoint: join(dataDir, 'node', 'checkpoint', `${uid}.json`),
    volume: (plugin, volume) => join(home, 'volumes', `kubernetes.io~${plugin}`, safeName(volume, 'volume name')),
    container: (container) => join(home, 'containers', safeName(container, 'container name')),
    log: (container, attempt) => join(logs, safeName(container, 'container name'), `${attempt}.log`),
  };
}
