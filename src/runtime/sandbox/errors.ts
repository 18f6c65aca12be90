import { defineErrors } from '#kit';

export const RUNTIME_ERRORS = {
  RUNTIME_UNKNOWN_WORKLOAD: { retry: 'never', blame: 'system' },
  RUNTIME_STILL_RUNNING: { retry: 'later', blame: 'system' },
  RUNTIME_BAD_SPEC: { retry: 'never', blame: 'user' },
  RUNTIME_CREATE_FAILED: { retry: 'later', blame: 'user' },
  RUNTIME_SANDBOX_FAILED: { retry: 'later', blame: 'system' },
  RUNTIME_SANDBOX_GONE: { retry: 'later', blame: 'system' },
  RUNTIME_TIMEOUT: { retry: 'later', blame: 'system' },
  RUNTIME_NO_WALLS: { retry: 'never', blame: 'system' },
  RUNTIME_TOO_MANY_PROCESSES: { retry: 'later', blame: 'system' },
  RUNTIME_FULL: { retry: 'later', blame: 'system' },
  RUNTIME_CLOSED: { retry: 'never', blame: 'system' },
} as const;

export type RuntimeErrorCode = keyof typeof RUNTIME_ERRORS;
export const runtimeError = defineErrors(RUNTIME_ERRORS);

export function isRuntimeErrorCode(code: string): code is RuntimeErrorCode {
  return Object.hasOwn(RUNTIME_ERRORS, code);
}
