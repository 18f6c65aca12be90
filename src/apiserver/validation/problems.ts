/**
 * Field errors in the words of apimachinery (`pkg/util/validation/field/errors.go`), and the failures that only patches have.
 */
import { type FieldCause, invalid, StatusError } from '../status.ts';

/** What the API server makes of a plain Go error: 500 without a reason. */
export function plainError(message: string): StatusError {
  return new StatusError(500, '', message);
}

/** A patch that does not apply: 422 in the real one's words, which do not say why; `why` is for the log and the tests. */
export function unprocessable(why: string): StatusError {
  const error = new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
  error.cause = new Error(why);
  return error;
}

/** One thing that is wrong with one field. */
export interface FieldError {
  readonly field: string;
  /** Source: apimachinery `pkg/util/validation/field/errors.go`. */
  readonly type: FieldErrorType;
  /** The value that is wrong; left out of the words for Required, Forbidden, TooLong. */
  readonly value?: unknown;
  readonly detail?: string;
}

export type FieldErrorType =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueDuplicate'
  | 'FieldValueNotFound'
  | 'FieldValueTooLong'
  | 'FieldValueTypeInvalid';

const WORDS: Readonly<Record<FieldErrorType, string>> = {
  FieldValueRequired: 'Required value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueNotFound: 'Not found',
  FieldValueTooLong: 'Too long',
  FieldValueTypeInvalid: 'Invalid value',
};

const WITHOUT_VALUE: readonly FieldErrorType[] = ['FieldValueRequired', 'FieldValueForbidden', 'FieldValueTooLong'];

/** `Invalid value: "x": must be …`, without the field. */
export function errorBody({ type, value, detail }: FieldError): string {
  const words = WITHOUT_VALUE.includes(type) ? WORDS[type] : `${WORDS[type]}: ${valueText(value)}`;
  return detail === undefined || detail === '' ? words : `${words}: ${detail}`;
}

function valueText(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value).replace(/\\u001b/g, '\\x1b');
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value);
}

/** 422 with each error once in the message and all of them as causes. */
export function invalidFields(
  kind: { group: string; kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const seen = new Set<string>();
  const causes: FieldCause[] = [];
  for (const error of errors) {
    const cause = { reason: error.type, message: errorBody(error), field: error.field };
    const key = `${cause.field}: ${cause.message}`;
    if (!seen.has(key)) causes.push(cause);
    seen.add(key);
  }
  const error = invalid(kind, name, causes);
  if (kind.kind === '') delete error.status.details?.kind;
  return error;
}
