/** What is asked of every write after defaulting: may it be, and what is added. The order is Kubernetes' own. */
import { nodeNameOf, type User } from '../access/user.ts';
import type { KindRow, Subresource } from '../kinds.ts';
import type { Api } from '../rest/api.ts';
import type { ApiObject } from '../surface.ts';
import { mustBeLiveNamespace } from './namespace-lifecycle.ts';
import { restrictNodeCreate, restrictNodeUpdate } from './node-restriction.ts';
import { resolvePriority } from './priority.ts';
import { applyRuntimeClass } from './runtime-class.ts';
import { injectServiceAccount } from './service-account.ts';
import { addDefaultTolerations } from './tolerations.ts';

interface Create {
  readonly kind: KindRow;
  readonly object: ApiObject;
  readonly user: User;
}

/** Changes the object; returns warnings. */
export function admitCreate(api: Api, { kind, object, user }: Create): string[] {
  mustBeLiveNamespace(api, kind, object);
  if (nodeNameOf(user) !== undefined) restrictNodeCreate(api, { kind, object, user });
  if (kind.storage === 'pods') {
    injectServiceAccount(api, object);
    addDefaultTolerations(object);
    resolvePriority(api, object);
    applyRuntimeClass(api, object);
  }
  return [];
}

export interface Update extends Create {
  readonly subresource: Subresource | undefined;
  readonly old: ApiObject;
}

export function admitUpdate(api: Api, update: Update): void {
  if (nodeNameOf(update.user) !== undefined) restrictNodeUpdate(api, update);
  // On updates too: who applies a manifest again owns the list of tolerations, and would take ours away.
  if (update.kind.storage === 'pods' && update.subresource === undefined) addDefaultTolerations(update.object);
}
