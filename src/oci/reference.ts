/**
 * Image names, read as Docker and the kubelet read them.
 *
 * Source: github.com/distribution/reference (grammar, normalisation), kubelet `pkg/util/parsers` (default tag). The
 * reader splits by hand and checks the parts with regular expressions that can't backtrack far: names come from pods.
 */
import { isDigest } from './digest.ts';
import { ociError } from './errors.ts';

export interface Reference {
  /** Host with optional port, `docker.io` for the default. */
  readonly registry: string;
  /** Path on the registry, as in `library/hello`. */
  readonly repository: string;
  /** Absent when there is a digest: the digest alone decides. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const DEFAULT_REGISTRY = 'docker.io';
const MAX_NAME = 255;
const MAX_TEXT = 1024;
const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[a-f0-9:]+\])(?::[0-9]{1,5})?$/i;
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const ANY_DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;

export type ReferenceReading = { readonly reference: Reference } | { readonly problem: string };

/** Reads a name; what is wrong with it is a value, since a pod's status has to tell it in the kubelet's words. */
export function readReference(text: string): ReferenceReading {
  if (text === '' || text.length > MAX_TEXT) return { problem: 'invalid reference format' };
  if (/^[a-f0-9]{64}$/.test(text)) {
    return { problem: `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings` };
  }
  const { registry, rest } = splitRegistry(text);
  const at = rest.indexOf('@');
  const digest = at === -1 ? undefined : rest.slice(at + 1);
  const tagged = at === -1 ? rest : rest.slice(0, at);
  const colon = tagged.indexOf(':');
  const repository = colon === -1 ? tagged : tagged.slice(0, colon);
  const tag = colon === -1 ? undefined : tagged.slice(colon + 1);
  const problem = problemOf({ registry, repository, tag, digest });
  if (problem !== undefined) return { problem };
  return { reference: { registry, repository, tag: digest === undefined ? (tag ?? 'latest') : undefined, digest } };
}

export function parseReference(text: string): Reference {
  const reading = readReference(text);
  if ('reference' in reading) return reading.reference;
  throw ociError('OCI_BAD_REFERENCE', `Cannot read the image name '${text.slice(0, 200)}': ${reading.problem}`, {
    hint: 'Write it as [REGISTRY[:PORT]/]NAME[:TAG] or …@sha256:DIGEST, the name in lower case',
  });
}

/** The canonical form: `docker.io/library/hello:latest`, `localhost:5000/a/b@sha256:…`. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`}`;
}

/** The same image by its digest. */
export function withDigest(reference: Reference, digest: string): Reference {
  return { ...reference, tag: undefined, digest };
}

/** The name as the pod wrote it, with `:latest` if it had neither tag nor digest. Source: kubelet `applyDefaultImageTag`. */
export function withDefaultTag(text: string, reference: Reference): string {
  if (reference.digest !== undefined || reference.tag === undefined) return text;
  return text.endsWith(`:${reference.tag}`) ? text : `${text}:${reference.tag}`;
}

/** What a name's first part has to look like to be a registry. */
function splitRegistry(text: string): { registry: string; rest: string } {
  const slash = text.indexOf('/');
  if (slash === -1) return { registry: DEFAULT_REGISTRY, rest: `library/${text}` };
  const first = text.slice(0, slash);
  const rest = text.slice(slash + 1);
  const isHost = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first;
  if (!isHost) return { registry: DEFAULT_REGISTRY, rest: text };
  if (first !== 'index.docker.io' && first !== DEFAULT_REGISTRY) return { registry: first, rest };
  return { registry: DEFAULT_REGISTRY, rest: rest.includes('/') ? rest : `library/${rest}` };
}

function problemOf({ registry, repository, tag, digest }: Reference): string | undefined {
  const format = 'invalid reference format';
  if (repository.toLowerCase() !== repository) return `${format}: repository name (${repository}) must be lowercase`;
  if (!HOST.test(registry) || Number(/:(\d+)$/.exec(registry)?.[1] ?? 0) > 65535) return format;
  if (!repository.split('/').every((part) => COMPONENT.test(part))) return format;
  if (repository.length > MAX_NAME) return `repository name must not be more than ${MAX_NAME} characters`;
  if (tag !== undefined && !TAG.test(tag)) return format;
  if (digest === undefined || isDigest(digest as unknown)) return undefined;
  if (!ANY_DIGEST.test(digest)) return format;
  return digest.startsWith('sha256:') ? 'invalid checksum digest length' : 'unsupported digest algorithm';
}
