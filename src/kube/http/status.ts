/** Makes the error of an answer that is not a success. */
import { ApiStatusError } from '../errors.ts';
import type { Status } from '../types/mod.ts';

/** Source: apimachinery `pkg/api/errors`, NewGenericServerResponse. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** `what` is the verb and object, as in "get pods 'default/a'". */
export function statusError(what: string, { httpStatus, text }: { httpStatus: number; text: string }): ApiStatusError {
  const status = statusFrom(text) ?? {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code: httpStatus,
    reason: REASONS[httpStatus] ?? '',
    message: text.trim().slice(0, 512),
  };
  const said = status.message === undefined || status.message === '' ? `HTTP status ${httpStatus}` : status.message;
  return new ApiStatusError(`Cannot ${what}: ${said}`, { status, httpStatus });
}

/** The error that an ERROR event of a watch stands for. */
export function watchError(status: Status): ApiStatusError {
  const message = status.message ?? status.reason ?? 'the server ended the watch';
  return new ApiStatusError(`Cannot watch: ${message}`, { status, httpStatus: status.code ?? 500 });
}

function statusFrom(text: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && (value as Status).kind === 'Status') return value as Status;
  } catch {
    // Not a Status: a proxy's page or plain words.
  }
  return undefined;
}
