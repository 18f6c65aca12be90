/**
 * ConfigMaps, Secrets and tokens from the API server, one by name, as a node may read them. Asked at most once in a few
 * seconds for each; while the server is away the last answer stands, so that restarts go on.
 */
import type { Clock } from '#kit';
import { CONFIG_MAPS, isNotFound, type KubeClient, type Resource, SECRETS, SERVICE_ACCOUNTS } from '#kube';
import type { AuthenticationTokenRequest, ConfigMap, KubeObject, Pod, Secret, TokenRequestStatus } from '#kube/types';
import type { ObjectSource } from './contract.ts';

const FRESH = 2_000;
const MAX_KEPT = 2_000;
const TIMEOUT = 10_000;

export function createObjectSource({ client, clock }: { client: KubeClient; clock: Clock }): ObjectSource {
  const kept = new Map<string, { readonly at: number; readonly object: KubeObject }>();

  /** Many pods that start at once ask for the same object: one request answers them all. */
  const asked = new Map<string, Promise<KubeObject>>();

  async function get<T extends KubeObject>(resource: Resource, namespace: string, name: string): Promise<T> {
    const key = `${resource.plural}/${namespace}/${name}`;
    const already = asked.get(key);
    if (already !== undefined) return (await already) as T;
    const answer = ask<T>(resource, namespace, name);
    asked.set(key, answer);
    try {
      return await answer;
    } finally {
      asked.delete(key);
    }
  }

  async function ask<T extends KubeObject>(resource: Resource, namespace: string, name: string): Promise<T> {
    const key = `${resource.plural}/${namespace}/${name}`;
    const known = kept.get(key);
    if (known !== undefined && clock.now() - known.at < FRESH) return known.object as T;
    try {
      const object = await client.get<T>(resource, { namespace, name }, { signal: AbortSignal.timeout(TIMEOUT) });
      kept.delete(key);
      kept.set(key, { at: clock.now(), object });
      const [oldest] = kept.keys();
      if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
      return object;
    } catch (error) {
      if (isNotFound(error)) kept.delete(key);
      else if (known !== undefined) return known.object as T;
      throw error;
    }
  }

  return {
    configMap: (namespace, name) => get<ConfigMap>(CONFIG_MAPS, namespace, name),
    secret: (namespace, name) => get<Secret>(SECRETS, namespace, name),
    token: (pod, options) => requestToken(client, pod, options),
  };
}

async function requestToken(
  client: KubeClient,
  { metadata, spec }: Pod,
  { audience, expirationSeconds }: Parameters<ObjectSource['token']>[1],
): Promise<TokenRequestStatus> {
  const { name = '', uid = '', namespace } = metadata ?? {};
  const request: AuthenticationTokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {
      audiences: audience === undefined || audience === '' ? [] : [audience],
      expirationSeconds,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
    },
  };
  const answer = await client.create(SERVICE_ACCOUNTS, request, {
    namespace,
    name: spec?.serviceAccountName ?? spec?.serviceAccount ?? 'default',
    subresource: 'token',
    signal: AbortSignal.timeout(TIMEOUT),
  });
  return answer.status ?? { token: '', expirationTimestamp: '' };
}
