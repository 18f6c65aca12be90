/** What a request is about, read from its method and URL. Source: apiserver `pkg/endpoints/request/requestinfo.go`. */
import type { User } from '../access/user.ts';
import { type KindRow, kindByPath, type Subresource, type Verb } from '../kinds.ts';
import { badRequest, noSuchPath, notYet, StatusError } from '../status.ts';

export interface ApiRequest {
  readonly method: string;
  /** Without the query, still encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly user: User;
  /** The whole body, bounded. */
  readonly body: () => Promise<Uint8Array>;
  /** Aborted when the client goes away or the server stops. */
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Uint8Array | Streamer;
}

/** Writes until it returns; `write` resolves when the client may get more. */
export type Streamer = (sink: Sink) => Promise<void> | void;

export interface Sink {
  /** False: the client is behind by more than a write buffer. */
  write(bytes: string | Uint8Array): boolean;
  drained(): Promise<void>;
  /** Bytes that wait for the client. */
  readonly waiting: number;
}

export interface ResourceTarget {
  readonly kind: KindRow;
  readonly subresource: Subresource | undefined;
  readonly verb: Verb;
  /** '' for all namespaces and for kinds without one. */
  readonly namespace: string;
  /** '' for a collection. */
  readonly name: string;
}

/** What a real API server passes on to kubelets, and this node has not. */
const NOT_YET = ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy', 'nodes/proxy'];

/** Undefined where the path is not below a group and version, or has no resource: discovery, health. Unknown resources are 404. */
export function targetOf({
  method,
  path,
  query,
}: Pick<ApiRequest, 'method' | 'path' | 'query'>): ResourceTarget | undefined {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  const [root] = parts;
  const start = root === 'api' ? 2 : root === 'apis' ? 3 : Number.POSITIVE_INFINITY;
  if (parts.length <= start) return undefined;
  const group = root === 'api' ? '' : (parts[1] ?? '');
  const version = parts[start - 1] ?? '';
  const place = placeOf(parts.slice(start));
  const kind = kindByPath(group, version, place.plural);
  if (kind === undefined || place.rest.length > 0) throw noSuchPath();
  if (kind.namespaced ? place.namespace === '' && place.name !== '' : place.namespace !== '') throw noSuchPath();
  const subresource = kind.subresources.find(({ name }) => name === place.subresource);
  if (place.subresource !== '' && subresource === undefined) {
    throw NOT_YET.includes(`${kind.plural}/${place.subresource}`) ? notYet(place.subresource) : noSuchPath();
  }
  const verb = verbOf(method, { collection: place.name === '', query });
  return { kind, subresource, verb, namespace: place.namespace, name: place.name };
}

interface PathPlace {
  readonly namespace: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource: string;
  readonly rest: readonly string[];
}

function placeOf(parts: readonly string[]): PathPlace {
  const [first = '', second = '', third = ''] = parts;
  const ofNamespaceItself = first === 'namespaces' && (parts.length < 3 || third === 'status' || third === 'finalize');
  const inNamespace = first === 'namespaces' && !ofNamespaceItself;
  const [plural = '', name = '', subresource = '', ...rest] = inNamespace ? parts.slice(2) : parts;
  return { namespace: inNamespace ? second : '', plural, name, subresource, rest };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badRequest('the path is not valid percent-encoding');
  }
}

const VERBS: Readonly<Record<string, Verb>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

function verbOf(method: string, { collection, query }: { collection: boolean; query: URLSearchParams }): Verb {
  const verb = VERBS[method];
  if (verb === undefined)
    throw new StatusError(405, 'MethodNotAllowed', `the server does not allow this method on the requested resource`);
  const watch = isTrue(query.get('watch'));
  if (verb === 'get') return watch ? 'watch' : collection ? 'list' : 'get';
  return verb === 'delete' && collection ? 'deletecollection' : verb;
}

export function isTrue(text: string | null): boolean {
  return text === 'true' || text === '1' || text === '';
}
