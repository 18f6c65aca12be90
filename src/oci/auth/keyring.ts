/**
 * Which credentials fit an image. Two readings of the same file: the node's own Docker configuration, where an entry has to be
 * the registry's exact name, and pull secrets, read as the kubelet reads them (wildcards in host parts, path prefixes, the
 * most specific first, several may fit). Source: kubelet `pkg/credentialprovider/keyring.go`, `config.go`.
 */
import { ociError } from '../errors.ts';
import { isObject } from '../manifest.ts';
import type { Reference } from '../reference.ts';

export type Credential =
  | { readonly username: string; readonly password: string }
  /** A refresh token for the registry's token server. */
  | { readonly identityToken: string }
  /** Sent as it is. */
  | { readonly registryToken: string };

export interface KeyringEntry {
  /** Host and path without scheme, as in `registry.example:5000/team`. */
  readonly key: string;
  readonly credential: Credential;
}

const DOCKER_HUB = 'index.docker.io';
const MAX_ENTRIES = 256;

/** Entries of `auths` (a Docker configuration, `.dockerconfigjson`) or of a bare map (`.dockercfg`). */
export function readAuths(auths: unknown, what: string): KeyringEntry[] {
  if (auths === undefined || auths === null) return [];
  if (!isObject(auths)) throw badCredentials(what, 'its auths are not an object');
  const entries: KeyringEntry[] = [];
  for (const [location, value] of Object.entries(auths).slice(0, MAX_ENTRIES)) {
    const credential = credentialOf(value, `${what}: ${location}`);
    const key = keyOf(location);
    if (credential !== undefined && key !== undefined) entries.push({ key, credential });
  }
  return entries;
}

/** A Docker configuration's JSON. Helpers (`credsStore`) are programs and are not run. */
export function readDockerConfig(json: string, what: string): KeyringEntry[] {
  return readAuths(objectOf(json, what)['auths'], what);
}

/** The old form, which is the map itself. */
export function readDockercfg(json: string, what: string): KeyringEntry[] {
  return readAuths(objectOf(json, what), what);
}

/** For a pull secret: every credential that fits, the most specific first. */
export function lookupAll(entries: readonly KeyringEntry[], reference: Reference): Credential[] {
  const image = `${reference.registry}/${reference.repository}`;
  const sorted = [...entries].sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
  const found = sorted.filter(({ key }) => matches(key, image)).map(({ credential }) => credential);
  if (found.length > 0 || reference.registry !== 'docker.io') return found;
  return entries
    .filter(({ key }) => key === DOCKER_HUB || key === `${DOCKER_HUB}/`)
    .map(({ credential }) => credential);
}

/** For the node's or the person's own configuration: the registry's exact name. */
export function lookupExact(entries: readonly KeyringEntry[], reference: Reference): Credential | undefined {
  const hosts = reference.registry === 'docker.io' ? ['docker.io', DOCKER_HUB] : [reference.registry];
  return entries.find(({ key }) => hosts.includes(key))?.credential;
}

function matches(pattern: string, image: string): boolean {
  const [host = '', path] = cut(pattern);
  const [imageHost = '', imagePath] = cut(image);
  const [name, port] = splitPort(host);
  const [imageName, imagePort] = splitPort(imageHost);
  if (port !== imagePort || !imagePath.startsWith(path)) return false;
  const parts = name.split('.');
  const imageParts = imageName.split('.');
  return parts.length === imageParts.length && parts.every((part, index) => matchesPart(part, imageParts[index] ?? ''));
}

function cut(text: string): [host: string, path: string] {
  const slash = text.indexOf('/');
  return slash === -1 ? [text, ''] : [text.slice(0, slash), text.slice(slash)];
}

function splitPort(host: string): [name: string, port: string] {
  const found = /^(.*?)(?::(\d+))?$/.exec(host);
  return [found?.[1] ?? host, found?.[2] ?? ''];
}

/** `*` and `?` within one part of a host's name. Written out: a regular expression of many stars could run for long. */
function matchesPart(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < text.length; ) {
    if (at < pattern.length && (pattern[at] === '?' || (pattern[at] !== '*' && pattern[at] === text[index]))) {
      at++;
      index++;
    } else if (pattern[at] === '*') {
      star = at++;
      resume = index;
    } else if (star !== -1) {
      at = star + 1;
      index = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** `https://host/v1/` and `host` mean the same; a path after the version stays. */
function keyOf(location: string): string | undefined {
  const plain = location.replace(/^https?:\/\//, '');
  if (plain === '' || plain.length > 512 || /[\s@#]/.test(plain)) return undefined;
  const [host, path] = cut(plain);
  const rest = /^\/v[12]\//.test(path) ? path.slice(3) : path === '/v1' || path === '/v2' ? '' : path;
  return rest === '/' ? host : host + rest;
}

function credentialOf(value: unknown, what: string): Credential | undefined {
  if (!isObject(value)) return undefined;
  const { username, password, auth, identitytoken, registrytoken } = value;
  if (typeof identitytoken === 'string' && identitytoken !== '') return { identityToken: identitytoken };
  if (typeof registrytoken === 'string' && registrytoken !== '') return { registryToken: registrytoken };
  if (typeof auth === 'string' && auth !== '') return decodeAuth(auth, what);
  if (typeof username === 'string' && typeof password === 'string') return { username, password };
  return undefined;
}

function decodeAuth(auth: string, what: string): Credential {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  if (colon === -1) throw badCredentials(what, 'its auth is not base64 of name:password');
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function objectOf(json: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's words would quote the secret.
    throw badCredentials(what, 'it is not JSON');
  }
  if (!isObject(value)) throw badCredentials(what, 'it is not a JSON object');
  return value;
}

function badCredentials(what: string, state: string): Error {
  return ociError('OCI_BAD_CREDENTIALS', `Cannot read ${what}: ${state}`, {
    hint: 'Write it again with `docker login` or `kubectl create secret docker-registry`',
  });
}
