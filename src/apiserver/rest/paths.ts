/** What is not a resource: health, version, discovery, OpenAPI, the token issuer's keys. */
import { VERSION } from '#kit';
import { noSuchPath } from '../status.ts';
import { ISSUER } from '../tokens/authority.ts';
import type { Api } from './api.ts';
import type { ApiRequest, Reply } from './request.ts';
import { KUBERNETES_VERSION } from './version.ts';

export function publicReply(api: Api, { path, headers, query }: ApiRequest): Reply {
  const accept = String(headers['accept'] ?? '');
  const plain = path.length > 1 ? path.replace(/\/+$/, '') : path;
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(plain)) return healthReply(plain, query.has('verbose'));
  if (plain === '/version') return json(versionInfo());
  if (plain === '/.well-known/openid-configuration') return json(issuerInfo(api));
  if (plain === '/openid/v1/jwks') return json(api.authority.keySet());
  const found = plain.startsWith('/openapi')
    ? api.surface.openapiDocument(plain, accept)
    : api.surface.discoveryDocument(plain, accept, { serverAddress: api.address() });
  if (found === undefined) throw noSuchPath();
  const { contentType, body, etag } = found;
  if (etag !== undefined && headers['if-none-match'] === etag)
    return { status: 304, contentType, headers: { etag }, body: '' };
  return { status: 200, contentType, headers: { vary: 'Accept', ...(etag === undefined ? {} : { etag }) }, body };
}

function healthReply(path: string, verbose: boolean): Reply {
  const name = path.split('/')[1] ?? '';
  return {
    status: 200,
    contentType: 'text/plain; charset=utf-8',
    body: verbose ? `[+]ping ok\n${name} check passed\n` : 'ok',
  };
}

function json(value: object): Reply {
  return { status: 200, contentType: 'application/json', body: JSON.stringify(value) };
}

function versionInfo(): object {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(KUBERNETES_VERSION) ?? [];
  return {
    major,
    minor,
    gitVersion: `${KUBERNETES_VERSION}+wasmlet-${VERSION}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'node',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}

function issuerInfo(api: Api): object {
  return {
    issuer: ISSUER,
    jwks_uri: `https://${api.address()}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}
