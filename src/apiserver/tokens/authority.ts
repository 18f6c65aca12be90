/**
 * Service account tokens: signed (ES256) and read again. Source: Kubernetes `pkg/serviceaccount/claims.go`, `jwt.go`; RFC 7519, RFC 7518.
 * A token is only as good as what it is bound to: its account and its pod must still be the same ones, which `authenticate.ts` checks.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const MAX_TOKEN = 16_384;
/** Clocks may differ by this many seconds. */
const LEEWAY = 60;

export interface ObjectIdentity {
  readonly name: string;
  readonly uid: string;
}

export interface TokenFacts {
  readonly namespace: string;
  readonly account: ObjectIdentity;
  readonly pod?: ObjectIdentity | undefined;
  readonly secret?: ObjectIdentity | undefined;
  readonly node?: { readonly name: string; readonly uid?: string | undefined } | undefined;
  readonly audiences: readonly string[];
  /** Seconds since the epoch. */
  readonly expires: number;
}

export class Authority {
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #keyId: string;

  constructor(privateKeyPem: string) {
    this.#private = createPrivateKey(privateKeyPem);
    this.#public = createPublicKey(this.#private);
    const der = this.#public.export({ type: 'spki', format: 'der' });
    this.#keyId = createHash('sha256').update(der).digest('base64url');
  }

  sign(facts: TokenFacts, now: number): string {
    const { namespace, account, pod, node, secret, audiences, expires } = facts;
    const seconds = Math.floor(now / 1000);
    const bound = { namespace, ...(node === undefined ? {} : { node }), ...(pod === undefined ? {} : { pod }) };
    const claims = {
      aud: audiences,
      exp: expires,
      iat: seconds,
      iss: ISSUER,
      jti: randomUUID(),
      'kubernetes.io': { ...bound, ...(secret === undefined ? {} : { secret }), serviceaccount: account },
      nbf: seconds,
      sub: `system:serviceaccount:${namespace}:${account.name}`,
    };
    const head = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(head), { key: this.#private, dsaEncoding: 'ieee-p1363' });
    return `${head}.${signature.toString('base64url')}`;
  }

  /** Undefined: not a token of ours, or out of its time. Never throws. */
  read(token: string, now: number): TokenFacts | undefined {
    const [head = '', body = '', signature = '', ...rest] = token.length > MAX_TOKEN ? [] : token.split('.');
    if (signature === '' || rest.length > 0) return undefined;
    const header = decode(head);
    if (header?.['alg'] !== 'ES256') return undefined;
    const bytes = Buffer.from(`${head}.${body}`);
    const key = { key: this.#public, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', bytes, key, Buffer.from(signature, 'base64url'))) return undefined;
    const claims = decode(body);
    return claims === undefined ? undefined : factsOf(claims, Math.floor(now / 1000));
  }

  /** For `/openid/v1/jwks`. */
  keySet(): object {
    return { keys: [{ use: 'sig', kid: this.#keyId, alg: 'ES256', ...this.#public.export({ format: 'jwk' }) }] };
  }
}

function factsOf(claims: Record<string, unknown>, now: number): TokenFacts | undefined {
  const { exp, nbf, iss, aud } = claims as { exp?: number; nbf?: number; iss?: string; aud?: string[] };
  const bound = claims['kubernetes.io'] as Record<string, unknown> | undefined;
  if (iss !== ISSUER || bound === undefined || !Array.isArray(aud)) return undefined;
  if (typeof exp !== 'number' || exp < now || typeof nbf !== 'number' || nbf > now + LEEWAY) return undefined;
  return {
    namespace: String(bound['namespace']),
    account: bound['serviceaccount'] as ObjectIdentity,
    pod: bound['pod'] as ObjectIdentity | undefined,
    node: bound['node'] as ObjectIdentity | undefined,
    secret: bound['secret'] as ObjectIdentity | undefined,
    audiences: aud,
    expires: exp,
  };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
