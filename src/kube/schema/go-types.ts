/** Names as Go's JSON decoder says them in its errors: the API server's messages carry them, and people search for them. */
import { type Field, isLeaf } from './definitions.ts';

/** `string`, `[]v1.Container`, `map[string]string`, `v1.PodSpec`, `int32`. */
export function goType(field: Field): string {
  if (field.go !== undefined) return field.type === 'array' ? `[]${field.go}` : field.go;
  if (field.ref !== undefined) return isLeaf(field.ref) ? leafType(field.ref) : `v1.${lastPart(field.ref)}`;
  if (field.type === 'array') return `[]${goType(field.items ?? {})}`;
  if (field.type === 'object') return `map[string]${goType(field.values ?? {})}`;
  if (field.type === 'integer') return field.format ?? 'int64';
  if (field.type === 'number') return 'float64';
  if (field.type === 'boolean') return 'bool';
  return field.format === 'byte' ? '[]uint8' : 'string';
}

export function lastPart(ref: string): string {
  return ref.slice(ref.lastIndexOf('.') + 1);
}

function leafType(ref: string): string {
  return ref.includes('.resource.') ? 'resource.Quantity' : `v1.${lastPart(ref)}`;
}

/** What encoding/json calls a JSON value. */
export function jsonWord(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return typeof value;
}
