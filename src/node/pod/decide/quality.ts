/** status.qosClass. Source: `pkg/apis/core/v1/helper/qos/qos.go` ComputePodQOS. */
import { compareQuantities, parseQuantity } from '#kube';
import type { Pod } from '#kube/types';

const COUNTED = ['cpu', 'memory'] as const;

type Amounts = Readonly<Record<string, string | number>> | undefined;

export function qualityOf({ spec }: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers =
    spec?.resources === undefined
      ? [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]
      : [{ resources: spec.resources }];
  let any = false;
  let guaranteed = containers.length > 0;
  for (const { resources } of containers) {
    for (const name of COUNTED) {
      const limit = amount(resources?.limits, name);
      const request = amount(resources?.requests, name) ?? limit;
      if (limit !== undefined || request !== undefined) any = true;
      if (limit === undefined || request === undefined || compareQuantities(limit, request) !== 0) guaranteed = false;
    }
  }
  return !any ? 'BestEffort' : guaranteed ? 'Guaranteed' : 'Burstable';
}

function amount(amounts: Amounts, name: string) {
  const text = amounts?.[name];
  if (text === undefined) return undefined;
  const quantity = parseQuantity(text);
  return quantity.nanos > 0n ? quantity : undefined;
}
