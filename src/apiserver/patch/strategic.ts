/**
 * Strategic merge patch: lists merge by the key that the schema names, and directives in the patch say what else to do
 * (`$patch`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`, `$retainKeys`).
 * What a directive does is specified by apimachinery's `pkg/util/strategicpatch`.
 */
import { childOf, definitionNameOf, type Field, type GroupVersionKind } from '#kube/schema';
import { badRequest, type StatusError } from '../status.ts';
import { plainError, unprocessable } from '../validation/problems.ts';
import { deleteScalars, mergeElements, mergeScalars, orderElements } from './strategic-lists.ts';
import { type Fields, fromEntries, goText, isFields } from './values.ts';

const PATCH = '$patch';
const RETAIN = '$retainKeys';
const ORDER = '$setElementOrder/';
const DELETE = '$deleteFromPrimitiveList/';

/** Gives a new value; neither argument is changed. Throws only StatusErrors. */
export function applyStrategicMergePatch(gvk: GroupVersionKind, target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) throw badRequest('json: cannot unmarshal into Go value of type map[string]interface {}');
  const name = definitionNameOf(gvk);
  const field: Field = name === undefined ? {} : { ref: name };
  return mergeMap(field, isFields(target) ? target : {}, patch);
}

function mergeMap(field: Field, original: Fields, patch: Fields): Fields {
  if (Object.hasOwn(patch, PATCH)) return byDirective(patch);
  const target = new Map(Object.entries(retained(original, patch)));
  const rest = new Map(Object.entries(patch).filter(([key]) => key !== RETAIN));
  for (const [key, order] of [...rest]) {
    if (key.startsWith(ORDER)) applyOrder(field, { target, rest, key, order });
  }
  for (const [key, value] of rest) mergeKey(field, { target, key, value });
  return fromEntries(target);
}

function byDirective(patch: Fields): Fields {
  const directive = patch[PATCH];
  if (directive === 'replace') return fromEntries(Object.entries(patch).filter(([key]) => key !== PATCH));
  if (directive === 'delete') return {};
  throw badPatchType(directive, patch);
}

function badPatchType(directive: unknown, patch: unknown): StatusError {
  return plainError(`unknown patch type: ${String(directive)} in map: ${goText(patch)}`);
}

function retained(original: Fields, patch: Fields): Fields {
  const keep = patch[RETAIN];
  if (keep === undefined) return original;
  const bad = badRequest('invalid patch format of retainKeys');
  if (!Array.isArray(keep)) throw bad;
  const kept = new Set<unknown>(keep);
  for (const [key, value] of Object.entries(patch)) {
    const plain = key !== RETAIN && value !== null && !key.startsWith(ORDER) && !key.startsWith(DELETE);
    if (plain && !kept.has(key)) throw bad;
  }
  return fromEntries(Object.entries(original).filter(([key]) => kept.has(key)));
}

interface Ordering {
  readonly target: Map<string, unknown>;
  /** The patch's keys that still wait; the directive and its list are taken out. */
  readonly rest: Map<string, unknown>;
  readonly key: string;
  readonly order: unknown;
}

function applyOrder(field: Field, { target, rest, key, order }: Ordering): void {
  rest.delete(key);
  const name = key.slice(ORDER.length);
  const original = target.get(name);
  const patch = rest.get(name);
  for (const list of [order, original ?? [], patch ?? []]) {
    if (!Array.isArray(list)) throw plainError(`expected a []interface {}, but received a ${typeof list}`);
  }
  const child = childOf(field, name) ?? {};
  const mergeKeyName = child['x-kubernetes-patch-merge-key'];
  checkOrder((patch ?? []) as unknown[], order as unknown[], mergeKeyName);
  if (original === undefined && patch === undefined) return;
  const merged = mergedList(child, original as unknown[] | undefined, patch as unknown[] | undefined);
  const server = (original ?? []) as unknown[];
  target.set(name, orderElements(merged, { order: order as unknown[], server, mergeKey: mergeKeyName }));
  rest.delete(name);
}

/** What the patch adds must stand in the order, in the same sequence. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  let at = 0;
  const identity = (item: unknown): unknown =>
    mergeKey === undefined ? item : isFields(item) ? item[mergeKey] : undefined;
  for (const item of patch) {
    if (isFields(item) && Object.hasOwn(item, PATCH)) continue;
    while (at < order.length && identity(order[at]) !== identity(item)) at++;
    if (at++ >= order.length) {
      throw badRequest(
        "The order in patch list doesn't match $setElementOrder list: invalid patch format of setElementOrder list",
      );
    }
  }
}

function mergedList(child: Field, original: unknown[] | undefined, patch: unknown[] | undefined): unknown[] {
  if (patch === undefined) return original ?? [];
  if (original === undefined) return withoutDirectives(patch) as unknown[];
  return mergeList(child, original, patch);
}

function mergeKey(
  field: Field,
  { target, key, value }: { target: Map<string, unknown>; key: string; value: unknown },
): void {
  if (key.startsWith(DELETE)) {
    deleteFromList(target, key.slice(DELETE.length), value);
    return;
  }
  if (value === null) {
    target.delete(key);
    return;
  }
  const original = target.get(key);
  const child = childOf(field, key) ?? {};
  if (isFields(original) && isFields(value)) {
    const replace = strategies(child).includes('replace');
    target.set(key, replace ? withoutNulls(value) : mergeMap(child, original, value));
  } else if (Array.isArray(original) && Array.isArray(value)) {
    target.set(key, strategies(child).includes('merge') ? mergeList(child, original, value) : value);
  } else {
    const plain = withoutDirectives(withoutNulls(value));
    if (plain === undefined) target.delete(key);
    else target.set(key, plain);
  }
}

function deleteFromList(target: Map<string, unknown>, name: string, value: unknown): void {
  if (!Array.isArray(value)) throw badRequest('invalid patch format of primitive list');
  const original = target.get(name);
  if (Array.isArray(original)) target.set(name, deleteScalars(original, value));
}

function strategies(field: Field): string[] {
  return (field['x-kubernetes-patch-strategy'] ?? '').split(',');
}

function mergeList(child: Field, original: unknown[], patch: unknown[]): unknown[] {
  if (!strategies(child).includes('merge')) return patch;
  const all = [...original, ...patch];
  if (all.some(Array.isArray)) throw unprocessable('lists of lists are not supported');
  const objects = all.filter(isFields).length;
  if (objects === 0) return mergeScalars(original, patch);
  if (objects !== all.length) throw plainError('list element types are not identical');
  const key = child['x-kubernetes-patch-merge-key'];
  if (key === undefined) throw plainError('cannot merge lists without merge key');
  const { kept, added } = specialElements(original as Fields[], patch as Fields[], key);
  return mergeElements(kept, added, {
    key,
    merge: (old, next) => mergeMap(child.items ?? {}, old, next),
    fresh: clean,
  });
}

function clean(item: Fields): Fields {
  return (withoutDirectives(withoutNulls(item)) ?? {}) as Fields;
}

/** Elements that carry `$patch`: delete takes one away, replace takes all. */
function specialElements(original: Fields[], patch: Fields[], key: string): { kept: Fields[]; added: Fields[] } {
  const added = patch.filter((item) => !Object.hasOwn(item, PATCH));
  const gone = new Set<unknown>();
  let replace = false;
  for (const item of patch) {
    if (!Object.hasOwn(item, PATCH)) continue;
    if (item[PATCH] === 'replace') replace = true;
    else if (item[PATCH] === 'merge') throw plainError('merging lists cannot yet be specified in the patch');
    else if (item[PATCH] !== 'delete') throw badPatchType(item[PATCH], item);
    else if (item[key] === undefined) {
      throw plainError(`map: ${goText(item)} does not contain declared merge key: ${key}`);
    } else gone.add(item[key]);
  }
  return replace ? { kept: [], added } : { kept: original.filter((item) => !gone.has(item[key])), added };
}

/** undefined for what is a directive as a whole. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isFields(value)) return value;
  if (value[PATCH] === 'delete') return undefined;
  const entries = Object.entries(value).filter(
    ([key]) => key !== PATCH && key !== RETAIN && !key.startsWith(ORDER) && !key.startsWith(DELETE),
  );
  return fromEntries(
    entries.map(([key, item]) => [key, withoutDirectives(item)] as const).filter(([, item]) => item !== undefined),
  );
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  return fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)] as const),
  );
}
