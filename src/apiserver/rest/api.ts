import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock, Log } from '#kit';
import { toTime } from '#kube';
import type { Status } from '#kube/types';
import type { User } from '../access/user.ts';
import type { KindRow, Subresource } from '../kinds.ts';
import { kindByPath } from '../kinds.ts';
import type { Entry } from '../store/collection.ts';
import type { Place, Store } from '../store/store.ts';
import type { KubeletDialer } from '../subresources/kubelet.ts';
import type { ApiObject, FieldValidation, Surface } from '../surface.ts';
import type { Authority } from '../tokens/authority.ts';

/** What every handler and controller works with. Made once, in `server/assemble.ts`. */
export interface Api {
  readonly store: Store;
  readonly surface: Surface;
  readonly clock: Clock;
  readonly log: Log;
  /** Signs and reads service account tokens. */
  readonly authority: Authority;
  /** The cluster's CA certificate, PEM. */
  readonly ca: string;
  /** How to reach a node's kubelet API. */
  readonly kubelet: KubeletDialer;
  /** Where clients reach this server, host:port. */
  readonly address: () => string;
  /** Makes what every namespace has; what does it writes by this API itself. */
  readonly furnish: (namespace: string) => void;
}

export interface WriteContext {
  readonly user: User;
  readonly dryRun: boolean;
  /** Undefined: the server's own write, which is neither tracked nor decoded again. */
  readonly fieldManager: string | undefined;
  readonly fieldValidation: FieldValidation;
}

export interface ObjectAddress {
  readonly kind: KindRow;
  readonly subresource?: Subresource | undefined;
  readonly namespace: string;
  readonly name: string;
}

export interface Written {
  readonly entry: Entry;
  readonly created: boolean;
  readonly warnings: readonly string[];
}

export type Deleted = { readonly object: ApiObject; readonly gone: boolean } | { readonly status: Status };

export function placeOf({ kind, namespace, name }: ObjectAddress): Place {
  return { storage: kind.storage ?? '', namespace: kind.namespaced ? namespace : '', name };
}

export function nowOf({ clock }: Pick<Api, 'clock'>): string {
  return toTime(clock.now());
}

export function newUid(): string {
  return randomUUID();
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** What generateName appends. Source: apimachinery `pkg/util/rand`. */
export function randomSuffix(length = 5): string {
  return [...randomBytes(length)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

export function mustKind(group: string, plural: string): KindRow {
  const kind = kindByPath(group, 'v1', plural);
  if (kind === undefined) throw new Error(`no kind ${plural}.${group}`);
  return kind;
}

export const PODS = mustKind('', 'pods');
export const NODES = mustKind('', 'nodes');
export const NAMESPACES = mustKind('', 'namespaces');
export const SERVICE_ACCOUNTS = mustKind('', 'serviceaccounts');
export const CONFIG_MAPS = mustKind('', 'configmaps');
export const SECRETS = mustKind('', 'secrets');
export const EVENTS = mustKind('', 'events');
export const LEASES = mustKind('coordination.k8s.io', 'leases');
export const RUNTIME_CLASSES = mustKind('node.k8s.io', 'runtimeclasses');
export const PRIORITY_CLASSES = mustKind('scheduling.k8s.io', 'priorityclasses');
export const SIGNING_REQUESTS = mustKind('certificates.k8s.io', 'certificatesigningrequests');
