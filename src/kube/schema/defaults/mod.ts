/**
 * The defaults that the API server writes into objects: those of the schema (a port's protocol) and those of its
 * defaulting functions, which hang on the types they belong to. Source: `defaults.go` in each group of `pkg/apis`.
 */
import {
  childOf,
  definitionNamed,
  definitionNameOf,
  type Field,
  type GroupVersionKind,
  isLeaf,
} from '../definitions.ts';
import { type Defaulter, type Fields, isFields } from './fields.ts';
import { OTHER_DEFAULTS } from './other-kinds.ts';
import { POD_DEFAULTS } from './pod.ts';

const BY_TYPE: Readonly<Record<string, Defaulter>> = { ...POD_DEFAULTS, ...OTHER_DEFAULTS };

/** Writes defaults into the object itself. A kind that the table does not have is left alone. */
export function applyDefaults<T extends object>(gvk: GroupVersionKind, object: T): T {
  const name = definitionNameOf(gvk);
  if (name !== undefined) visit({ ref: name }, object);
  return object;
}

function visit(field: Field, value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(field.items ?? {}, item);
    return;
  }
  if (!isFields(value) || isLeaf(field.ref)) return;
  if (field.ref !== undefined) {
    defaultScalars(field.ref, value);
    BY_TYPE[field.ref]?.(value);
  }
  for (const [key, child] of Object.entries(value)) {
    const next = childOf(field, key);
    if (next !== undefined) visit(next, child);
  }
}

const scalars = new Map<string, readonly (readonly [string, unknown])[]>();

/** The schema's own defaults that are no zero values: zero values are the encoder's business. */
function scalarsOf(ref: string): readonly (readonly [string, unknown])[] {
  const known = scalars.get(ref);
  if (known !== undefined) return known;
  const properties = Object.entries(definitionNamed(ref).properties ?? {});
  const made = properties.map(([key, field]) => [key, field.default] as const).filter(([, wanted]) => isScalar(wanted));
  scalars.set(ref, made);
  return made;
}

function defaultScalars(ref: string, value: Fields): void {
  for (const [key, wanted] of scalarsOf(ref)) {
    if (value[key] === undefined || value[key] === null || value[key] === '') value[key] = wanted;
  }
}

function isScalar(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || (typeof value === 'number' && value !== 0) || value === true;
}
