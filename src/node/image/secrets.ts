/** Pull secrets: from the names in a pod to credentials. Source: kubelet `getPullSecretsForPod`, `credentialprovider/secrets`. */
import type { Pod, Secret } from '#kube/types';
import { type Credential, type KeyringEntry, lookupAll, type Reference, readDockerConfig, readDockercfg } from '#oci';
import type { GetSecret } from './contract.ts';

export interface FoundSecrets {
  readonly secrets: readonly Secret[];
  /** Names of those that could not be had. */
  readonly missing: readonly string[];
}

export async function findPullSecrets(pod: Pod, get: GetSecret): Promise<FoundSecrets> {
  const secrets: Secret[] = [];
  const missing: string[] = [];
  for (const { name } of pod.spec?.imagePullSecrets ?? []) {
    if (name === undefined || name === '') continue;
    const secret = await get(pod.metadata?.namespace ?? 'default', name).catch(() => undefined);
    if (secret === undefined) missing.push(name);
    else secrets.push(secret);
  }
  return { secrets, missing };
}

/** Every credential of the secrets that fits, and what was wrong with secrets that can't be read. */
export function credentialsIn(
  secrets: readonly Secret[],
  reference: Reference,
): { readonly credentials: readonly Credential[]; readonly problems: readonly string[] } {
  const entries: KeyringEntry[] = [];
  const problems: string[] = [];
  for (const secret of secrets) {
    try {
      entries.push(...entriesOf(secret));
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { credentials: lookupAll(entries, reference), problems };
}

function entriesOf({ metadata, type, data }: Secret): KeyringEntry[] {
  const what = `image pull secret '${metadata?.name ?? ''}'`;
  const json = data?.['.dockerconfigjson'];
  if (type === 'kubernetes.io/dockerconfigjson' && json !== undefined) return readDockerConfig(decode(json), what);
  const old = data?.['.dockercfg'];
  if (type === 'kubernetes.io/dockercfg' && old !== undefined) return readDockercfg(decode(old), what);
  return [];
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
