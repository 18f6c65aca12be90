/** What a kind does beyond being stored. Source: Kubernetes `pkg/registry/STAR/strategy.go`. */
import type { User } from '../access/user.ts';
import type { KindRow } from '../kinds.ts';
import type { Api } from '../rest/api.ts';
import type { ApiObject } from '../surface.ts';
import { namespaces } from './namespaces.ts';
import { pods } from './pods.ts';
import { signingRequests } from './signing-requests.ts';

export interface StrategyContext {
  readonly api: Api;
  readonly user: User;
}

export type Prepare = (object: ApiObject, context: StrategyContext) => void;
export type PrepareChange = (object: ApiObject, old: ApiObject, context: StrategyContext) => void;

export interface Strategy {
  /** The status is written by its subresource alone. */
  readonly statusApart?: boolean;
  /** PUT creates what is not there. */
  readonly createOnUpdate?: boolean;
  /** False: PUT needs a resourceVersion. */
  readonly unconditionalUpdate?: boolean;
  /** DELETE answers the object, not a Status. */
  readonly returnsDeleted?: boolean;
  readonly prepareCreate?: Prepare;
  readonly afterCreate?: Prepare;
  readonly prepareUpdate?: PrepareChange;
  /** Subresources that are a view of the object, besides a plain status. */
  readonly subresources?: Readonly<Record<string, PrepareChange>>;
}

const STRATEGIES: Readonly<Record<string, Strategy>> = {
  pods,
  namespaces,
  nodes: { statusApart: true },
  serviceaccounts: { returnsDeleted: true },
  events: { createOnUpdate: true },
  'coordination.k8s.io/leases': { createOnUpdate: true, unconditionalUpdate: false },
  'certificates.k8s.io/certificatesigningrequests': signingRequests,
};

const PLAIN: Strategy = {};

export function strategyOf({ storage }: Pick<KindRow, 'storage'>): Strategy {
  return STRATEGIES[storage ?? ''] ?? PLAIN;
}
