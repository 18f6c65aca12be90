/**
 * Whether a caller may: asked of the API server for each request as a right on `nodes/<subresource>` of this node.
 * Source: kubelet `pkg/kubelet/server/auth.go` (fine-grained subresources: any one that is allowed suffices),
 * authorization webhook defaults (allowed 5 minutes, denied 30 seconds).
 */
import type { Clock } from '#kit';
import { type KubeClient, SUBJECT_ACCESS_REVIEWS } from '#kube';
import type { SubjectAccessReview } from '#kube/types';
import type { User } from './answers.ts';
import { ExpiringCache } from './expiring-cache.ts';

const ALLOWED_FOR = 5 * 60_000;
const DENIED_FOR = 30_000;

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const FINE: readonly (readonly [path: string, subresource: string])[] = [
  ['/pods', 'pods'],
  ['/healthz', 'healthz'],
  ['/configz', 'configz'],
  ['/runningpods/', 'pods'],
];
const COARSE: readonly (readonly [path: string, subresource: string])[] = [
  ['/stats', 'stats'],
  ['/metrics', 'metrics'],
  ['/logs/', 'log'],
  ['/checkpoint', 'checkpoint'],
  ['/statusz', 'statusz'],
  ['/flagz', 'configz'],
];

export interface Attributes {
  readonly verb: string;
  /** In the order in which they are asked. */
  readonly subresources: readonly string[];
}

export function attributesOf(method: string, path: string): Attributes {
  const fine = FINE.find(([prefix]) => isBelow(prefix, path))?.[1];
  const coarse = COARSE.find(([prefix]) => isBelow(prefix, path))?.[1] ?? 'proxy';
  return { verb: VERBS[method] ?? '', subresources: fine === undefined ? [coarse] : [fine, coarse] };
}

function isBelow(prefix: string, path: string): boolean {
  const bare = prefix.replace(/\/$/, '');
  return path === bare || path.startsWith(`${bare}/`);
}

export type Authorize = (user: User, attributes: Attributes) => Promise<boolean>;

export function createAuthorization({
  client,
  clock,
  nodeName,
}: {
  client: KubeClient;
  clock: Clock;
  nodeName: string;
}): Authorize {
  const reviews = new ExpiringCache<boolean>({ clock, life: (allowed) => (allowed ? ALLOWED_FOR : DENIED_FOR) });
  return async (user, { verb, subresources }) => {
    for (const subresource of subresources) {
      const key = JSON.stringify([user, verb, subresource]);
      if (await reviews.get(key, () => review(client, { user, verb, subresource, nodeName }))) return true;
    }
    return false;
  };
}

async function review(
  client: KubeClient,
  { user, verb, subresource, nodeName }: { user: User; verb: string; subresource: string; nodeName: string },
): Promise<boolean> {
  const extra = user.extra && Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]));
  const answer = await client.create<SubjectAccessReview>(SUBJECT_ACCESS_REVIEWS, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: user.name,
      groups: [...user.groups],
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      ...(extra === undefined ? {} : { extra }),
      resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName },
    },
  });
  return answer.status?.allowed === true && answer.status.denied !== true;
}
