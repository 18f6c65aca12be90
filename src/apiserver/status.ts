/**
 * Failures as the API server words them: a thrown `StatusError` carries the `Status` object that is answered.
 * Source: apimachinery `pkg/api/errors/errors.go`; the words are what clients and people match on.
 */
import type { Status } from '#kube/types';
import { type KindRow, qualifiedKind } from './kinds.ts';

export interface FieldCause {
  readonly field: string;
  /** `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`, … */
  readonly reason: string;
  /** With the value, without the field: `Invalid value: "x": must be …`. */
  readonly message: string;
}

type Named = Pick<KindRow, 'group' | 'plural'>;
type Typed = Pick<KindRow, 'group' | 'kind'>;

export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly status: Status & { code: number };

  constructor(code: number, reason: string, message: string, details?: Status['details']) {
    super(message);
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason === '' ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }

  get code(): number {
    return this.status.code;
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function named({ group, plural }: Named): string {
  return group === '' ? plural : `${plural}.${group}`;
}

function detailsOf({ group, plural }: Named, name?: string): NonNullable<Status['details']> {
  return { ...(name === undefined ? {} : { name }), ...(group === '' ? {} : { group }), kind: plural };
}

export function notFound(resource: Named, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${named(resource)} ${quoted(name)} not found`, detailsOf(resource, name));
}

export function alreadyExists(resource: Named, name: string): StatusError {
  const message = `${named(resource)} ${quoted(name)} already exists`;
  return new StatusError(409, 'AlreadyExists', message, detailsOf(resource, name));
}

export function conflict(resource: Named, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${named(resource)} ${quoted(name)}: ${why}`;
  return new StatusError(409, 'Conflict', message, detailsOf(resource, name));
}

export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

/** Server-side apply fields that another manager owns. `causes` as `FieldManagerConflict`. */
export function applyConflict(message: string, causes: readonly FieldCause[]): StatusError {
  return new StatusError(409, 'Conflict', message, { causes: [...causes] });
}

export function forbidden(resource: Named, name: string, why: string): StatusError {
  const subject = name === '' ? named(resource) : `${named(resource)} ${quoted(name)}`;
  const details = detailsOf(resource, name === '' ? undefined : name);
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${why}`, details);
}

export function invalid(kind: Typed, name: string, causes: readonly FieldCause[]): StatusError {
  const lines = causes.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  const text = lines.length === 1 ? (lines[0] ?? '') : `[${lines.join(', ')}]`;
  const message = `${qualifiedKind(kind)} ${quoted(name)} is invalid: ${text}`;
  return new StatusError(422, 'Invalid', lines.length === 0 ? message.slice(0, -2) : message, {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    kind: kind.kind,
    causes: causes.map(({ field, reason, message }) => ({ reason, message, field })),
  });
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}

export function gone(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

export function methodNotSupported({ group, plural }: Named, verb: string): StatusError {
  const message = `${verb} is not supported on resources of kind ${quoted(named({ group, plural }))}`;
  return new StatusError(405, 'MethodNotAllowed', message, detailsOf({ group, plural }));
}

export function noSuchPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

/** Said by name, so that nobody looks for a wrong path. */
export function notYet(what: string): StatusError {
  return new StatusError(501, 'NotImplemented', `${what} is not implemented by this node`);
}

export function notAcceptable(accepted: readonly string[]): StatusError {
  const message = `only the following media types are accepted: ${accepted.join(', ')}`;
  return new StatusError(406, 'NotAcceptable', message);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new StatusError(415, 'UnsupportedMediaType', message);
}

export function tooLarge(message: string): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', message);
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds });
}

export function unavailable(message: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message);
}

export function internalError(message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
}
