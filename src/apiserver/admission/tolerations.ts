import type { PodSpec, Toleration } from '#kube/types';
import type { ApiObject } from '../surface.ts';

/** A pod stays five minutes on a node that is away. Source: `plugin/pkg/admission/defaulttolerationseconds`. */
export function addDefaultTolerations(pod: ApiObject): void {
  const spec = pod['spec'] as PodSpec;
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    if ((spec.tolerations ?? []).some((toleration) => covers(toleration, key))) continue;
    spec.tolerations = [
      ...(spec.tolerations ?? []),
      { effect: 'NoExecute', key, operator: 'Exists', tolerationSeconds: 300 },
    ];
  }
}

function covers(toleration: Toleration, key: string): boolean {
  const keyFits = toleration.key === key || (toleration.key ?? '') === '';
  return keyFits && ((toleration.effect ?? '') === '' || toleration.effect === 'NoExecute');
}
