/** What to do about a container's image, as a pure decision: everything that it depends on is an argument. */
import { type Reference, readReference } from '#oci';
import { words } from './words.ts';

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

export type ImagePlan =
  | { readonly do: 'refuse'; readonly reason: string; readonly message: string; readonly event: string }
  | { readonly do: 'use-or-pull'; readonly reference: Reference }
  | { readonly do: 'use-or-refuse'; readonly reference: Reference }
  | { readonly do: 'pull'; readonly reference: Reference };

export function planImage(image: string, policy: string | undefined): ImagePlan {
  const reading = readReference(image);
  if ('problem' in reading) {
    const message = words.badName(image, reading.problem);
    return { do: 'refuse', reason: 'InvalidImageName', message, event: 'InspectFailed' };
  }
  const { reference } = reading;
  switch (policyOf(reference, policy)) {
    case 'Always':
      return { do: 'pull', reference };
    case 'Never':
      return { do: 'use-or-refuse', reference };
    default:
      return { do: 'use-or-pull', reference };
  }
}

/** The API server defaults the field; a pod from elsewhere may not have it. Source: core/v1 `SetDefaults_Container`. */
function policyOf(reference: Reference, policy: string | undefined): PullPolicy {
  if (policy === 'Always' || policy === 'Never' || policy === 'IfNotPresent') return policy;
  return reference.tag === 'latest' ? 'Always' : 'IfNotPresent';
}
