/** What talking to an API server can fail with, and the questions that callers ask of such a failure. */
import { defineErrors, type Retry, WasmletError } from '#kit';
import type { Status } from './types/mod.ts';

export const KUBE_ERRORS = {
  KUBE_UNREACHABLE: { retry: 'later', blame: 'system' },
  KUBE_TIMEOUT: { retry: 'later', blame: 'system' },
  KUBE_STATUS: { retry: 'never', blame: 'user' },
  KUBE_BAD_RESPONSE: { retry: 'later', blame: 'system' },
  KUBE_CLOSED: { retry: 'never', blame: 'system' },
  KUBE_CONFIG_INVALID: { retry: 'never', blame: 'user' },
  KUBE_CONFIG_UNREADABLE: { retry: 'never', blame: 'user' },
  KUBE_CREDENTIALS_UNREADABLE: { retry: 'later', blame: 'user' },
  KUBE_SELECTOR_INVALID: { retry: 'never', blame: 'user' },
  KUBE_QUANTITY_INVALID: { retry: 'never', blame: 'user' },
  KUBE_CERTIFICATE_INVALID: { retry: 'never', blame: 'user' },
  KUBE_CERTIFICATE_FAILED: { retry: 'later', blame: 'system' },
} as const;

export const kubeError = defineErrors(KUBE_ERRORS);

/** An answer of the API server that is not a success. `status` is what it sent, or was made from the HTTP status. */
export class ApiStatusError extends WasmletError {
  readonly status: Status;
  /** HTTP status. */
  readonly httpStatus: number;

  constructor(message: string, { status, httpStatus }: { status: Status; httpStatus: number }) {
    super(message, { code: 'KUBE_STATUS', retry: retryOf(httpStatus), blame: httpStatus >= 500 ? 'system' : 'user' });
    this.status = status;
    this.httpStatus = httpStatus;
  }

  get reason(): string {
    return this.status.reason ?? '';
  }
}

function retryOf(httpStatus: number): Retry {
  return httpStatus === 409 || httpStatus === 429 || httpStatus >= 500 ? 'later' : 'never';
}

function hasReason(error: unknown, httpStatus: number, ...reasons: string[]): boolean {
  if (!(error instanceof ApiStatusError)) return false;
  return reasons.includes(error.reason) || (error.reason === '' && error.httpStatus === httpStatus);
}

export function isNotFound(error: unknown): boolean {
  return hasReason(error, 404, 'NotFound');
}

/** A write on an old resourceVersion, or a precondition that does not hold. */
export function isConflict(error: unknown): boolean {
  return hasReason(error, 409, 'Conflict');
}

export function isAlreadyExists(error: unknown): boolean {
  return hasReason(error, 409, 'AlreadyExists');
}

/** The resourceVersion or continue token is too old: list again. */
export function isGone(error: unknown): boolean {
  return hasReason(error, 410, 'Gone', 'Expired');
}

export function isForbidden(error: unknown): boolean {
  return hasReason(error, 403, 'Forbidden');
}

export function isUnauthorized(error: unknown): boolean {
  return hasReason(error, 401, 'Unauthorized');
}

export function isInvalid(error: unknown): boolean {
  return hasReason(error, 422, 'Invalid');
}

export function isTooManyRequests(error: unknown): boolean {
  return hasReason(error, 429, 'TooManyRequests');
}
