/**
 * What a value looks like after one trip through the API server's Go types: unknown fields and nulls are gone, zero values
 * are left out or written as the type says, quantities and times have their canonical text.
 */
import {
  type Definition,
  definitionNamed,
  definitionNameOf,
  FIELDS_V1,
  type Field,
  type GroupVersionKind,
  INT_OR_STRING,
  isLeaf,
  MICRO_TIME,
  QUANTITY,
  RAW_EXTENSION,
  TIME,
} from './definitions.ts';
import { canonicalQuantity } from './quantity.ts';

type Fields = Record<string, unknown>;

/** A new object; the argument is left alone. A kind that the table does not have comes back as it is. */
export function roundTrip<T extends object>(gvk: GroupVersionKind, object: T): T {
  const name = definitionNameOf(gvk);
  return name === undefined ? object : (throughStruct(definitionNamed(name), object) as T);
}

/** Only drops what the kind does not have; zero values and texts stay as they came. */
export function prune<T extends object>(gvk: GroupVersionKind, object: T): T {
  const name = definitionNameOf(gvk);
  return name === undefined ? object : (pruned({ ref: name }, object) as T);
}

const written = new WeakMap<Definition, readonly (readonly [string, Field])[]>();

/** The properties that Go writes though nobody set them. */
function writtenOf(definition: Definition): readonly (readonly [string, Field])[] {
  const known = written.get(definition);
  if (known !== undefined) return known;
  const made = Object.entries(definition.properties ?? {}).filter(([, { empty }]) => empty === 'write');
  written.set(definition, made);
  return made;
}

function throughStruct(definition: Definition, value: unknown): Fields {
  const given = isObject(value) ? value : {};
  const properties = definition.properties ?? {};
  const out: Fields = {};
  for (const key of Object.keys(given)) {
    const child = given[key];
    const field = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (field === undefined || child === undefined || child === null) continue;
    const next = through(field, child);
    if (field.empty !== 'drop' || !isZero(next)) out[key] = next;
  }
  for (const [key, field] of writtenOf(definition)) out[key] ??= zeroOf(field);
  return out;
}

function through(field: Field, value: unknown): unknown {
  if (field.ref !== undefined) return throughReference(field.ref, value);
  if (field.type === 'array' && Array.isArray(value)) {
    const items = field.items ?? {};
    return value.map((item) => (item === null ? zeroOf(items) : through(items, item)));
  }
  if (field.type === 'object' && isObject(value)) {
    const values = field.values ?? {};
    const entries = Object.entries(value).map(([key, item]) => [
      key,
      item === null ? zeroOf(values) : through(values, item),
    ]);
    return Object.fromEntries(entries.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)));
  }
  return value;
}

function throughReference(ref: string, value: unknown): unknown {
  if (ref === QUANTITY) return canonicalQuantity(value as string | number);
  if (ref === TIME) return timeText(value, 0);
  if (ref === MICRO_TIME) return timeText(value, 6);
  if (ref === FIELDS_V1 || ref === RAW_EXTENSION) return value;
  const definition = definitionNamed(ref);
  return definition.properties === undefined ? value : throughStruct(definition, value);
}

const CANONICAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

function timeText(value: unknown, digits: 0 | 6): unknown {
  if (digits === 0 && typeof value === 'string' && CANONICAL.test(value)) return value;
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) return value;
  const seconds = new Date(time).toISOString().slice(0, 19);
  if (digits === 0) return `${seconds}Z`;
  const fraction = /\.(\d+)/.exec(value as string)?.[1] ?? '';
  return `${seconds}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}

/** What Go writes for a field that nobody set. */
function zeroOf(field: Field): unknown {
  if (field.ref === QUANTITY) return '0';
  if (field.ref === INT_OR_STRING) return 0;
  if (field.ref === TIME || field.ref === MICRO_TIME) return null;
  if (field.ref !== undefined && !isLeaf(field.ref)) return throughStruct(definitionNamed(field.ref), {});
  if (field.type === 'integer' || field.type === 'number') return 0;
  if (field.type === 'boolean') return false;
  if (field.type === 'string' && field.format !== 'byte') return '';
  return null;
}

function isZero(value: unknown): boolean {
  if (value === '' || value === 0 || value === false || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function pruned(field: Field, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => pruned(field.items ?? {}, item));
  if (!isObject(value) || isLeaf(field.ref)) return value;
  const { properties, values } = field.ref === undefined ? field : definitionNamed(field.ref);
  if (properties === undefined && values === undefined) return value;
  const kept = Object.entries(value).filter(([key]) => properties === undefined || Object.hasOwn(properties, key));
  return Object.fromEntries(kept.map(([key, item]) => [key, pruned(properties?.[key] ?? values ?? {}, item)]));
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
