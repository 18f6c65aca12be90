/**
 * Does a decoded value fit its kind's type? Answers with the API server's own words: what Go's decoder would have refused
 * (`error`), and what strict decoding reports (unknown fields, keys that stand twice).
 * Required fields are no matter of structure in Kubernetes: semantic validation reports them.
 */
import {
  childOf,
  type Definition,
  definitionNamed,
  definitionNameOf,
  FIELDS_V1,
  type Field,
  type GroupVersionKind,
  INT_OR_STRING,
  MICRO_TIME,
  QUANTITY,
  RAW_EXTENSION,
  TIME,
} from './definitions.ts';
import { goType, jsonWord, lastPart } from './go-types.ts';
import { parseQuantity, QUANTITY_ERROR } from './quantity.ts';

export interface StructureReport {
  /** The decoder's error at the first value of a wrong type; undefined when all fit. */
  readonly error: string | undefined;
  /** `unknown field "spec.foo"` and `duplicate field "spec.bar"`, at most 100. */
  readonly strict: readonly string[];
}

const MAX_REPORTED = 100;

export function validateStructure(
  gvk: GroupVersionKind,
  object: unknown,
  { duplicates = [] }: { duplicates?: readonly string[] } = {},
): StructureReport {
  const strict: string[] = [];
  const name = definitionNameOf(gvk);
  const at = { strict, struct: lastPart(name ?? ''), go: '', path: '' };
  const error = name === undefined ? undefined : checkObject(definitionNamed(name), object, at);
  const twice = duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`);
  return { error, strict: [...strict, ...twice].slice(0, MAX_REPORTED) };
}

interface At {
  /** Where unknown fields are noted. */
  readonly strict: string[];
  /** Go name of the struct around. */
  readonly struct: string;
  /** Field names from the root, as the decoder's errors have them: no indexes. */
  readonly go: string;
  /** As strict errors have it: with indexes. */
  readonly path: string;
}

function checkObject(definition: Definition, value: unknown, at: At): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (!isObject(value)) return mismatch(at, value, `v1.${at.struct}`);
  for (const [key, child] of Object.entries(value)) {
    const path = at.path === '' ? key : `${at.path}.${key}`;
    const field = definition.properties === undefined ? undefined : childOf(definition, key);
    if (field === undefined) {
      if (at.strict.length < MAX_REPORTED) at.strict.push(`unknown field ${JSON.stringify(path)}`);
      continue;
    }
    const error = checkValue(field, child, { ...at, path, go: at.go === '' ? key : `${at.go}.${key}` });
    if (error !== undefined) return error;
  }
  return undefined;
}

function checkValue(field: Field, value: unknown, at: At): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (field.ref !== undefined) return checkReference(field.ref, value, at);
  if (field.type === 'array') return checkArray(field, value, at);
  if (field.type === 'object') return checkMap(field, value, at);
  if (!fitsScalar(field, value)) return mismatch(at, value, goType(field));
  return field.format === 'byte' && !isBase64(value) ? 'illegal base64 data at input byte 0' : undefined;
}

function checkArray(field: Field, value: unknown, at: At): string | undefined {
  if (!Array.isArray(value)) return mismatch(at, value, goType(field));
  for (const [index, item] of value.entries()) {
    const error = checkValue(field.items ?? {}, item, { ...at, path: `${at.path}[${index}]` });
    if (error !== undefined) return error;
  }
  return undefined;
}

function checkMap(field: Field, value: unknown, at: At): string | undefined {
  if (!isObject(value)) return mismatch(at, value, goType(field));
  for (const [key, item] of Object.entries(value)) {
    const error = checkValue(field.values ?? {}, item, { ...at, path: `${at.path}.${key}` });
    if (error !== undefined) return error;
  }
  return undefined;
}

function checkReference(ref: string, value: unknown, at: At): string | undefined {
  if (ref === FIELDS_V1 || ref === RAW_EXTENSION) return undefined;
  if (ref === QUANTITY) return checkQuantity(value);
  if (ref === INT_OR_STRING) {
    return typeof value === 'string' || Number.isInteger(value) ? undefined : bare(value, 'int32');
  }
  if (ref === TIME) return checkTime(value);
  if (ref === MICRO_TIME) return checkMicroTime(value);
  const definition = definitionNamed(ref);
  if (definition.properties === undefined && definition.type !== 'object') return checkValue(definition, value, at);
  if (!isObject(value)) return mismatch(at, value, `v1.${lastPart(ref)}`);
  return checkObject(definition, value, { ...at, struct: lastPart(ref) });
}

function checkQuantity(value: unknown): string | undefined {
  const fits = (typeof value === 'number' || typeof value === 'string') && parseQuantity(value) !== undefined;
  return fits ? undefined : QUANTITY_ERROR;
}

function checkTime(value: unknown): string | undefined {
  if (typeof value !== 'string') return bare(value, 'string');
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)))
    return undefined;
  const text = JSON.stringify(value);
  return `parsing time ${text} as "2006-01-02T15:04:05Z07:00": cannot parse ${text} as "2006"`;
}

/** Six digits of a second, no more and no fewer. */
function checkMicroTime(value: unknown): string | undefined {
  const wrong = checkTime(value);
  if (wrong !== undefined || typeof value !== 'string' || /:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/.test(value)) return wrong;
  const rest = /:\d\d((?:\.\d+)?(?:Z|[+-]\d\d:\d\d))$/.exec(value)?.[1] ?? '';
  const layout = '2006-01-02T15:04:05.000000Z07:00';
  return `parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as ".000000"`;
}

function fitsScalar(field: Field, value: unknown): boolean {
  if (field.type === 'integer') return Number.isInteger(value) && inRange(field.format, value as number);
  if (field.type === 'number') return typeof value === 'number';
  if (field.type === 'boolean') return typeof value === 'boolean';
  if (field.type === 'string') return typeof value === 'string';
  return true;
}

function inRange(format: string | undefined, value: number): boolean {
  return format === 'int32' ? value >= -(2 ** 31) && value < 2 ** 31 : Math.abs(value) <= 2 ** 63;
}

function isBase64(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.replace(/[\r\n]/g, '').length % 4 === 0 &&
    /^[A-Za-z0-9+/\r\n]*={0,2}$/.test(value)
  );
}

/** Source: encoding/json `UnmarshalTypeError.Error`. */
function mismatch(at: At, value: unknown, type: string): string {
  const word = typeof value === 'number' && /^u?int/.test(type) ? `number ${value}` : jsonWord(value);
  return at.go === ''
    ? `json: cannot unmarshal ${word} into Go value of type ${type}`
    : `json: cannot unmarshal ${word} into Go struct field ${at.struct}.${at.go} of type ${type}`;
}

function bare(value: unknown, type: string): string {
  return `json: cannot unmarshal ${jsonWord(value)} into Go value of type ${type}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
