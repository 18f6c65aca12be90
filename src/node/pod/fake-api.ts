/** As much of an API server as the pod side asks of one, in memory, for the node's tests. */
import { ApiStatusError, type KubeClient, kubeError, type Resource, type Target } from '#kube';
import type { KubeObject, Pod, PodCondition, PodStatus } from '#kube/types';

export class FakeApi {
  readonly objects = new Map<string, KubeObject>();
  /** Each status that pods had, as phases, to see that none goes back. */
  readonly phases = new Map<string, string[]>();
  /** Every call fails as if the server were away. */
  away = false;
  /** Called for each change of a pod, as a watch would. */
  onChange: (pod: Pod) => void = () => {};
  onDelete: (pod: Pod) => void = () => {};
  readonly requests: string[] = [];
  #version = 1;

  put(resource: Resource, object: KubeObject): void {
    this.objects.set(key(resource, object.metadata ?? {}), object);
  }

  pod(name: string, namespace = 'default'): Pod | undefined {
    return this.objects.get(`pods/${namespace}/${name}`) as Pod | undefined;
  }

  /** What a person does with `kubectl apply` and `kubectl delete`; the API server marks, the node ends. */
  createPod(pod: Pod): Pod {
    const stored: Pod = { ...pod, status: pod.status ?? { phase: 'Pending' } };
    this.#store(stored);
    return stored;
  }

  deletePod(name: string, graceSeconds = 30, namespace = 'default'): void {
    const pod = this.pod(name, namespace);
    if (pod === undefined) return;
    const metadata = {
      ...pod.metadata,
      deletionTimestamp: '2026-01-01T00:00:00Z',
      deletionGracePeriodSeconds: graceSeconds,
    };
    this.#store({ ...pod, metadata });
  }

  forceDelete(name: string, namespace = 'default'): void {
    const pod = this.pod(name, namespace);
    if (pod === undefined) return;
    this.objects.delete(`pods/${namespace}/${name}`);
    this.onDelete({ ...pod, metadata: { ...pod.metadata, deletionGracePeriodSeconds: 0 } });
  }

  client(): KubeClient {
    const unused = () => {
      throw new Error('the fake API has no such verb');
    };
    return {
      server: 'https://fake',
      get: async <T extends KubeObject>(resource: Resource, target: Target) => this.#get(resource, target) as T,
      list: unused,
      create: async <T extends KubeObject>(resource: Resource, object: T, options: Partial<Target> = {}) =>
        this.#create(resource, object, options) as T,
      replace: unused,
      patch: async <T extends KubeObject>(resource: Resource, target: Target, { body }: { body: unknown }) =>
        this.#patchStatus(
          resource,
          target,
          body as { metadata?: { uid?: string }; status: Record<string, unknown> },
        ) as T,
      delete: async (resource: Resource, target: Target, options: { preconditions?: { uid?: string } } = {}) =>
        this.#delete(resource, target, options),
      watch: unused,
      raw: unused,
      async [Symbol.asyncDispose]() {},
    } as unknown as KubeClient;
  }

  #check(what: string): void {
    this.requests.push(what);
    if (this.away) throw kubeError('KUBE_UNREACHABLE', 'the server is away');
  }

  #get(resource: Resource, target: Target): KubeObject {
    this.#check(`get ${resource.plural}/${target.name}`);
    const found = this.objects.get(key(resource, target));
    if (found === undefined) throw notFound(resource, target.name);
    return found;
  }

  #create(resource: Resource, object: KubeObject, { subresource, name }: Partial<Target>): KubeObject {
    this.#check(`create ${resource.plural}/${name ?? ''}${subresource === undefined ? '' : `/${subresource}`}`);
    if (subresource !== 'token') throw new Error('the fake API makes tokens only');
    const seconds = (object as { spec?: { expirationSeconds?: number } }).spec?.expirationSeconds ?? 3600;
    const expirationTimestamp = new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
    return { ...object, status: { token: `token-${++this.#version}`, expirationTimestamp } } as KubeObject;
  }

  #patchStatus(
    resource: Resource,
    target: Target,
    body: { metadata?: { uid?: string }; status: Record<string, unknown> },
  ): Pod {
    this.#check(`patch ${resource.plural}/${target.name}/status`);
    const pod = this.pod(target.name, target.namespace);
    if (pod === undefined) throw notFound(resource, target.name);
    if (body.metadata?.uid !== undefined && body.metadata.uid !== pod.metadata?.uid) throw conflict(target.name);
    const next: Pod = { ...pod, status: merged(pod.status ?? {}, body.status) };
    this.#store(next);
    return this.pod(target.name, target.namespace) ?? next;
  }

  #delete(resource: Resource, target: Target, { preconditions }: { preconditions?: { uid?: string } }): KubeObject {
    this.#check(`delete ${resource.plural}/${target.name}`);
    const pod = this.pod(target.name, target.namespace);
    if (pod === undefined) throw notFound(resource, target.name);
    if (preconditions?.uid !== undefined && preconditions.uid !== pod.metadata?.uid) throw conflict(target.name);
    this.objects.delete(key(resource, target));
    this.onDelete(pod);
    return pod;
  }

  #store(pod: Pod): void {
    const { name = '', namespace = 'default', uid = '' } = pod.metadata ?? {};
    const stored: Pod = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(++this.#version) } };
    this.objects.set(`pods/${namespace}/${name}`, stored);
    const phases = this.phases.get(uid) ?? [];
    const phase = pod.status?.phase ?? 'Pending';
    if (phases.at(-1) !== phase) phases.push(phase);
    this.phases.set(uid, phases);
    this.onChange(stored);
  }
}

/** The merge of the few fields that the node patches: `patchMergeKey` type for conditions, ip for addresses. */
function merged(old: PodStatus, patch: Record<string, unknown>): PodStatus {
  const next: Record<string, unknown> = { ...old };
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    if (value === null) delete next[name];
    else if (name === 'conditions') next[name] = mergedConditions(old.conditions ?? [], value as PodCondition[]);
    else if (Array.isArray(value))
      next[name] = value.filter((one) => typeof one !== 'object' || one === null || !('$patch' in one));
    else next[name] = value;
  }
  return next as PodStatus;
}

function mergedConditions(old: readonly PodCondition[], patch: readonly PodCondition[]): PodCondition[] {
  const all = new Map(old.map((condition) => [condition.type, condition]));
  for (const condition of patch) {
    if ('$patch' in condition) {
      all.delete(condition.type);
      continue;
    }
    const both = Object.entries({ ...all.get(condition.type), ...condition }).filter(([, value]) => value !== null);
    all.set(condition.type, Object.fromEntries(both) as unknown as PodCondition);
  }
  return [...all.values()];
}

function key(
  { plural }: Resource,
  { namespace = 'default', name = '' }: { namespace?: string | undefined; name?: string },
): string {
  return `${plural}/${namespace}/${name}`;
}

function notFound({ plural }: Resource, name: string): ApiStatusError {
  const message = `${plural} "${name}" not found`;
  return new ApiStatusError(message, { status: { reason: 'NotFound', message, code: 404 }, httpStatus: 404 });
}

function conflict(name: string): ApiStatusError {
  const message = `the uid of "${name}" does not match`;
  return new ApiStatusError(message, { status: { reason: 'Conflict', message, code: 409 }, httpStatus: 409 });
}
