import { defineErrors } from '#kit';

export const WASI_ERRORS = {
  WASI_MISSING_IMPORT: { retry: 'never', blame: 'user' },
  WASI_NO_ENTRYPOINT: { retry: 'never', blame: 'user' },
  WASI_BAD_MODULE: { retry: 'never', blame: 'user' },
  WASI_BAD_PREOPEN: { retry: 'later', blame: 'user' },
  WASI_BAD_OPTION: { retry: 'never', blame: 'user' },
  WASI_FILES_UNAVAILABLE: { retry: 'never', blame: 'system' },
} as const;

export const wasiError = defineErrors(WASI_ERRORS);
