/** Why a module is refused. Refusals are values (a verdict's), so that one is found once and told often. */
import { defineErrors } from '#kit';

export const MODULE_ERRORS = {
  MODULE_NOT_WASM: { retry: 'never', blame: 'user' },
  MODULE_CORRUPT: { retry: 'never', blame: 'user' },
  MODULE_COMPONENT: { retry: 'never', blame: 'user' },
  MODULE_MISSING_IMPORT: { retry: 'never', blame: 'user' },
  MODULE_RESERVED_NAME: { retry: 'never', blame: 'user' },
  MODULE_NOT_GRANTED: { retry: 'never', blame: 'user' },
  MODULE_NO_ENTRYPOINT: { retry: 'never', blame: 'user' },
  MODULE_TOO_LARGE: { retry: 'never', blame: 'user' },
  MODULE_STALLED: { retry: 'later', blame: 'user' },
} as const;

export type RefusalCode = keyof typeof MODULE_ERRORS;

/** The refusal as an error, for who wants to throw it. */
export const moduleError = defineErrors(MODULE_ERRORS);
