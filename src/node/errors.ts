/** What the node can fail with. The image and pod folders have tables of their own (`image/errors.ts`, `pod/errors.ts`). */
import { defineErrors } from '#kit';

export const NODE_ERRORS = {
  NODE_DATA_DIR_IN_USE: { retry: 'never', blame: 'user' },
  NODE_DATA_DIR_UNUSABLE: { retry: 'never', blame: 'user' },
  NODE_OPTION_INVALID: { retry: 'never', blame: 'user' },
  NODE_ADDRESS_UNKNOWN: { retry: 'later', blame: 'system' },
  NODE_PORT_IN_USE: { retry: 'later', blame: 'user' },
  NODE_NOT_REGISTERED: { retry: 'later', blame: 'system' },
  NODE_NAME_TAKEN: { retry: 'never', blame: 'user' },
  NODE_CERTIFICATE_DENIED: { retry: 'never', blame: 'user' },
  NODE_CERTIFICATE_UNUSABLE: { retry: 'later', blame: 'system' },
  NODE_POD_UNKNOWN: { retry: 'never', blame: 'user' },
  NODE_CONTAINER_UNKNOWN: { retry: 'never', blame: 'user' },
  NODE_LOG_UNAVAILABLE: { retry: 'later', blame: 'user' },
} as const;

export const nodeError = defineErrors(NODE_ERRORS);
