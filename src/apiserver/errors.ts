/** Failures of the embedded API server itself. What a client did wrong is a `StatusError`, see `status.ts`. */
import { defineErrors } from '#kit';

export const API_ERRORS = {
  API_STATE_UNUSABLE: { retry: 'never', blame: 'system' },
  API_CANNOT_LISTEN: { retry: 'later', blame: 'user' },
  API_STOPPED: { retry: 'later', blame: 'system' },
} as const;

export const apiError = defineErrors(API_ERRORS);
