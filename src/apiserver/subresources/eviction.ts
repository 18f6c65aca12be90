import type { DeleteOptions } from '#kube/types';
import { type Api, type ObjectAddress, placeOf, removeObject } from '../rest/mod.ts';
import { badRequest, notFound } from '../status.ts';
import type { ApiObject } from '../surface.ts';

/** A deletion that a disruption budget could refuse; there are none here. Source: `pkg/registry/core/pod/storage/eviction.go`. */
export function evictPod(
  api: Api,
  address: ObjectAddress,
  { object, dryRun }: { object: ApiObject; dryRun: boolean },
): void {
  if (api.store.get(placeOf(address)) === undefined) throw notFound(address.kind, address.name);
  const name = object.metadata.name ?? address.name;
  if (name !== address.name) throw badRequest('name in URL does not match name in Eviction object');
  const { gracePeriodSeconds, preconditions } = (object['deleteOptions'] ?? {}) as DeleteOptions;
  removeObject(api, address, { gracePeriodSeconds, preconditions, dryRun });
}
