/**
 * Answers a registry's challenges for one registry and one credential: basic, or a bearer token from the token server that
 * the challenge names. Source: distribution `docs/spec/auth/token.md`, `oauth.md`.
 *
 * The credential leaves for two places only: the registry itself, and the realm that it names, over https unless both are
 * this machine or were named as insecure.
 */
import type { Clock } from '#kit';
import { ociError } from '../errors.ts';
import type { HttpClient, HttpResponse } from '../http/request.ts';
import { checkTarget, type Trust } from '../http/trust.ts';
import { isObject, parseJsonObject } from '../manifest.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credential } from './keyring.ts';

const MAX_TOKEN_ANSWER = 1 << 20;
const DEFAULT_LIFETIME_S = 60;

export interface AuthorizerOptions {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly trust: Trust;
  readonly credential: Credential | undefined;
}

export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, { token: string; expires: number }>();
  #basic = false;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** What to send as Authorization before the registry has asked; undefined for nothing. */
  header(scope: string): string | undefined {
    const { credential, clock } = this.#options;
    if (credential !== undefined && 'registryToken' in credential) return `Bearer ${credential.registryToken}`;
    const known = this.#tokens.get(scope);
    if (known !== undefined && known.expires > clock.now()) return `Bearer ${known.token}`;
    return this.#basic ? basicOf(credential) : undefined;
  }

  /** Takes a 401's challenge; true when a second try has something new to say. */
  async challenged(response: HttpResponse, scope: string, signal?: AbortSignal): Promise<boolean> {
    const challenges = parseChallenges(response.header('www-authenticate'));
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) return await this.#fetchToken(bearer, { from: response.url, scope, signal });
    const canBasic =
      challenges.some(({ scheme }) => scheme === 'basic') && basicOf(this.#options.credential) !== undefined;
    const first = canBasic && !this.#basic;
    this.#basic = canBasic;
    return first;
  }

  async #fetchToken(
    challenge: Challenge,
    asked: { from: URL; scope: string; signal: AbortSignal | undefined },
  ): Promise<boolean> {
    const { credential, http, clock, trust } = this.#options;
    if (credential !== undefined && 'registryToken' in credential) return false;
    const { from, scope, signal } = asked;
    const realm = realmOf(challenge, from);
    checkTarget(from, realm, trust);
    const service = challenge.parameters['service'] ?? '';
    const response = await http.send({ ...tokenRequest(realm, { service, scope, credential }), signal });
    if (response.status === 401 || response.status === 403 || response.status === 400) {
      await response.body.discard();
      return false;
    }
    if (response.status !== 200) throw await badToken(response, `it answers ${response.status}`);
    const answer = parseJsonObject(
      await response.body.bytes(MAX_TOKEN_ANSWER, 'the token'),
      `the token of ${realm.host}`,
    );
    const token = tokenIn(answer);
    if (token === undefined) throw await badToken(response, 'its answer has no token');
    const lifetime = typeof answer['expires_in'] === 'number' ? answer['expires_in'] : DEFAULT_LIFETIME_S;
    this.#tokens.set(scope, { token, expires: clock.now() + Math.max(0, Math.min(lifetime, 3600) * 1000 - 5000) });
    return true;
  }
}

type TokenRequest = Parameters<HttpClient['send']>[0];

function tokenRequest(
  realm: URL,
  { service, scope, credential }: { service: string; scope: string; credential: Credential | undefined },
): TokenRequest {
  if (credential !== undefined && 'identityToken' in credential) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credential.identityToken,
      client_id: 'wasmlet',
      service,
      scope,
    });
    const bytes = Buffer.from(form.toString());
    return {
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      upload: {
        length: bytes.length,
        async *open() {
          yield bytes;
        },
      },
    };
  }
  const url = new URL(realm);
  if (service !== '') url.searchParams.set('service', service);
  url.searchParams.append('scope', scope);
  const authorization = basicOf(credential);
  return { method: 'GET', url, headers: authorization === undefined ? {} : { authorization } };
}

function realmOf(challenge: Challenge, from: URL): URL {
  const realm = challenge.parameters['realm'] ?? '';
  if (!URL.canParse(realm)) {
    throw ociError('OCI_BAD_RESPONSE', `Cannot get a token for registry ${from.host}: its realm is not a URL`);
  }
  return new URL(realm);
}

function tokenIn(answer: Record<string, unknown>): string | undefined {
  const token = isObject(answer) ? (answer['token'] ?? answer['access_token']) : undefined;
  // A token goes into a header: nothing that could end the line.
  return typeof token === 'string' && /^[\x21-\x7e]{1,65536}$/.test(token) ? token : undefined;
}

function basicOf(credential: Credential | undefined): string | undefined {
  if (credential === undefined || !('username' in credential)) return undefined;
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`;
}

async function badToken(response: HttpResponse, state: string): Promise<Error> {
  await response.body.discard();
  const code = response.status >= 500 ? 'OCI_SERVER_ERROR' : 'OCI_BAD_RESPONSE';
  return ociError(code, `Cannot get a token from ${response.url.host}: ${state}`);
}
