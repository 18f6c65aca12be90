/** What keeps a pod from running on this node; `src/kube/reasons.ts` says what the pod's status shows for each. */
import { defineErrors } from '#kit';

export const POD_ERRORS = {
  POD_CONFIG_INVALID: { retry: 'later', blame: 'user' },
  POD_RUNTIME_CLASS_UNKNOWN: { retry: 'later', blame: 'user' },
  POD_VOLUME_UNSUPPORTED: { retry: 'never', blame: 'user' },
  POD_VOLUME_FAILED: { retry: 'later', blame: 'user' },
  POD_PORTS_NOT_BOUND: { retry: 'later', blame: 'system' },
  POD_MODULE_REFUSED: { retry: 'never', blame: 'user' },
  NODE_ADDRESSES_EXHAUSTED: { retry: 'later', blame: 'system' },
  NODE_SUBNET_UNAVAILABLE: { retry: 'later', blame: 'system' },
} as const;

export const podError = defineErrors(POD_ERRORS);
