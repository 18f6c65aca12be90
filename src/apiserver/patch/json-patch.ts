/** JSON patch (RFC 6902) with JSON pointers (RFC 6901), in the words of the API server's library. */
import { badRequest, tooLarge } from '../status.ts';
import { unprocessable } from '../validation/problems.ts';
import { deepEqual, isFields } from './values.ts';

/** Source: apiserver `pkg/endpoints/handlers/patch.go` (maxJSONPatchOperations). */
const MAX_OPERATIONS = 10_000;
/** Copies could double an object with each operation; the API server bounds what they add. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;
const FIELDS = ['op', 'path', 'from', 'value'];

export interface JsonPatched {
  readonly value: unknown;
  /** Strict errors of the patch itself: `json patch unknown field "[0].foo"`. */
  readonly strict: readonly string[];
}

interface Document {
  root: unknown;
  copied: number;
}

/** Applies to a copy. Throws only StatusErrors. */
export function applyJsonPatch(target: unknown, patch: unknown): JsonPatched {
  if (!Array.isArray(patch))
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    );
  if (patch.length > MAX_OPERATIONS) {
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`);
  }
  const document: Document = { root: structuredClone(target), copied: 0 };
  const strict: string[] = [];
  for (const [index, operation] of patch.entries()) {
    if (!isFields(operation))
      throw badRequest('error decoding patch: json: cannot unmarshal into Go value of type handlers.jsonPatchOp');
    for (const key of Object.keys(operation)) {
      if (!FIELDS.includes(key) && strict.length < 100)
        strict.push(`json patch unknown field ${JSON.stringify(`[${index}].${key}`)}`);
    }
    run(document, operation);
  }
  return { value: document.root, strict };
}

function run(document: Document, operation: Record<string, unknown>): void {
  const { op, path, from, value } = operation;
  if (typeof path !== 'string') throw unprocessable(`${String(op)} operation failed to decode path: missing path`);
  if (op === 'add') add(document, path, value, 'add');
  else if (op === 'remove') remove(document, path, 'remove');
  else if (op === 'replace') replace(document, path, value);
  else if (op === 'test') test(document, path, value);
  else if (op === 'move' || op === 'copy') relocate(document, { op, path, from });
  else throw unprocessable(`Unexpected kind: ${String(op)}`);
}

function relocate(document: Document, { op, path, from }: { op: 'move' | 'copy'; path: string; from: unknown }): void {
  if (typeof from !== 'string') throw unprocessable(`${op} operation failed to decode from: missing from`);
  const moved = valueAt(document, from, op);
  if (op === 'move') {
    if (path.startsWith(`${from}/`)) throw unprocessable(`cannot move ${JSON.stringify(from)} into itself`);
    remove(document, from, 'move');
    add(document, path, moved, 'move');
    return;
  }
  document.copied += JSON.stringify(moved)?.length ?? 0;
  if (document.copied > MAX_COPIED_BYTES) throw unprocessable('unable to copy: the copied size exceeds the limit');
  add(document, path, structuredClone(moved), 'copy');
}

interface Place {
  readonly parent: Record<string, unknown> | unknown[];
  readonly key: string;
}

function tokens(path: string, op: string): string[] {
  if (path === '') return [];
  if (!path.startsWith('/'))
    throw unprocessable(`${op} operation does not apply: doc is missing path: "${path}": missing value`);
  return path
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function missing(op: string, path: string): never {
  throw unprocessable(`${op} operation does not apply: doc is missing path: ${path}: missing value`);
}

function placeOf(document: Document, path: string, op: string): Place | undefined {
  const parts = tokens(path, op);
  const key = parts.pop();
  if (key === undefined) return undefined;
  let at: unknown = document.root;
  for (const part of parts) at = childAt(at, part);
  if (!Array.isArray(at) && !isFields(at)) missing(op, path);
  return { parent: at as Place['parent'], key };
}

function childAt(at: unknown, token: string): unknown {
  if (Array.isArray(at)) return /^(0|[1-9]\d*)$/.test(token) ? at[Number(token)] : undefined;
  return isFields(at) && Object.hasOwn(at, token) ? at[token] : undefined;
}

function valueAt(document: Document, path: string, op: string): unknown {
  const place = placeOf(document, path, op);
  if (place === undefined) return document.root;
  const value = childAt(place.parent, place.key);
  if (value === undefined) missing(op, path);
  return value;
}

function add(document: Document, path: string, value: unknown, op: string): void {
  const place = placeOf(document, path, op);
  if (place === undefined) {
    document.root = value ?? null;
  } else if (Array.isArray(place.parent)) {
    const index = place.key === '-' ? place.parent.length : Number(place.key);
    if (!/^(-|0|[1-9]\d*)$/.test(place.key) || index > place.parent.length) {
      throw unprocessable(
        `${op} operation does not apply: doc is missing path: ${JSON.stringify(path)}: Unable to access invalid index: ${place.key}: invalid index referenced`,
      );
    }
    place.parent.splice(index, 0, value ?? null);
  } else {
    setOwn(place.parent, place.key, value ?? null);
  }
}

function remove(document: Document, path: string, op: string): void {
  const place = placeOf(document, path, op);
  if (place === undefined || childAt(place.parent, place.key) === undefined) {
    throw unprocessable(`${op} operation does not apply: doc is missing path: ${path}: missing value`);
  }
  if (Array.isArray(place.parent)) place.parent.splice(Number(place.key), 1);
  else delete place.parent[place.key];
}

function replace(document: Document, path: string, value: unknown): void {
  const place = placeOf(document, path, 'replace');
  if (place === undefined) {
    document.root = value ?? null;
    return;
  }
  if (childAt(place.parent, place.key) === undefined) {
    throw unprocessable(`replace operation does not apply: doc is missing key: ${path}: missing value`);
  }
  if (Array.isArray(place.parent)) place.parent[Number(place.key)] = value ?? null;
  else setOwn(place.parent, place.key, value ?? null);
}

function test(document: Document, path: string, value: unknown): void {
  const place = placeOf(document, path, 'test');
  const found = place === undefined ? document.root : childAt(place.parent, place.key);
  if (!deepEqual(found ?? null, value ?? null)) throw unprocessable(`testing value ${path} failed: test failed`);
}

/** `__proto__` is a key like any other. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}
