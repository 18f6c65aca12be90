/**
 * Who calls the node: by a client certificate of the cluster's authority, or by a bearer token that the API server
 * vouches for. Nobody is anonymous. Source: kubelet authentication, `--client-ca-file`, `--authentication-token-webhook`
 * (cache 2 minutes), `--anonymous-auth=false`.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '#kit';
import { type KubeClient, TOKEN_REVIEWS } from '#kube';
import type { TokenReview } from '#kube/types';
import type { User } from './answers.ts';
import { ExpiringCache } from './expiring-cache.ts';

const BELIEVED = 2 * 60_000;
const TOKEN_BYTES = 16 * 1024;

export interface Caller {
  /** The subject of a certificate that the client authority signed and TLS has verified. */
  readonly certificate?: { readonly commonName: string; readonly organizations: readonly string[] } | undefined;
  readonly authorization?: string | undefined;
}

export type Authenticate = (caller: Caller) => Promise<User | undefined>;

export function createAuthentication({ client, clock }: { client: KubeClient; clock: Clock }): Authenticate {
  const reviews = new ExpiringCache<User | undefined>({ clock, life: () => BELIEVED });
  return async ({ certificate, authorization }) => {
    if (certificate !== undefined && certificate.commonName !== '') {
      return { name: certificate.commonName, groups: [...certificate.organizations, 'system:authenticated'] };
    }
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || token.length > TOKEN_BYTES) return undefined;
    // A digest, so that no token lies around in memory longer than its request.
    const key = createHash('sha256').update(token).digest('base64');
    return await reviews.get(key, () => review(client, token));
  };
}

async function review(client: KubeClient, token: string): Promise<User | undefined> {
  const { status } = await client.create<TokenReview>(TOKEN_REVIEWS, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token },
  });
  const user = status?.user;
  if (status?.authenticated !== true || user?.username === undefined || user.username === '') return undefined;
  return { name: user.username, uid: user.uid, groups: user.groups ?? [], extra: user.extra };
}
