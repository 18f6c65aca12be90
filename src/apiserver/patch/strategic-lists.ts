/** Lists of strategic merge patches: merging by key, and the order of what comes out. */
import { plainError } from '../validation/problems.ts';
import { type Fields, goText, isFields } from './values.ts';

export function deleteScalars(list: readonly unknown[], gone: readonly unknown[]): unknown[] {
  const away = new Set(gone);
  return list.filter((item) => !away.has(item));
}

export function mergeScalars(original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const merged = [...new Set([...original, ...patch])];
  return orderElements(merged, { order: patch, server: original, mergeKey: undefined });
}

interface ElementRules {
  readonly key: string;
  readonly merge: (old: Fields, next: Fields) => Fields;
  /** What becomes of an element that is new. */
  readonly fresh: (item: Fields) => Fields;
}

export function mergeElements(
  original: readonly Fields[],
  patch: readonly Fields[],
  { key, merge, fresh }: ElementRules,
): unknown[] {
  const merged = [...original];
  const places = new Map<unknown, number>(merged.map((item, index) => [item[key], index] as const).reverse());
  for (const item of patch) {
    const identity = item[key];
    if (identity === undefined) {
      throw plainError(`map: ${goText(item)} does not contain declared merge key: ${key}`);
    }
    const place = places.get(identity);
    const old = place === undefined ? undefined : merged[place];
    if (place !== undefined && old !== undefined) merged[place] = merge(old, item);
    else {
      places.set(identity, merged.length);
      merged.push(fresh(item));
    }
  }
  return orderElements(merged, { order: patch, server: original, mergeKey: key });
}

interface Order {
  /** Elements (or values) in the order that the patch wants. */
  readonly order: readonly unknown[];
  /** Elements in the order that they had. */
  readonly server: readonly unknown[];
  readonly mergeKey: string | undefined;
}

/**
 * Elements that the patch names stand in the patch's order, the others in their old order; the two are then
 * woven so that an element of the server stays before those of the patch that it stood before.
 */
export function orderElements(merged: readonly unknown[], { order, server, mergeKey }: Order): unknown[] {
  const identity = (item: unknown): unknown => (mergeKey === undefined || !isFields(item) ? item : item[mergeKey]);
  const wanted = places(order, identity);
  const had = places(server, identity);
  const named = merged.filter((item) => wanted.has(identity(item)));
  const others = merged.filter((item) => !wanted.has(identity(item)));
  const right = sorted(named, (item) => wanted.get(identity(item)));
  const left = sorted(others, (item) => had.get(identity(item)));
  return woven(left, right, (item) => had.get(identity(item)));
}

function places(list: readonly unknown[], identity: (item: unknown) => unknown): Map<unknown, number> {
  const index = new Map<unknown, number>();
  for (const [place, item] of list.entries()) if (!index.has(identity(item))) index.set(identity(item), place);
  return index;
}

function sorted(list: unknown[], place: (item: unknown) => number | undefined): unknown[] {
  return list.toSorted((a, b) => (place(a) ?? Number.MAX_SAFE_INTEGER) - (place(b) ?? Number.MAX_SAFE_INTEGER));
}

function woven(left: unknown[], right: unknown[], place: (item: unknown) => number | undefined): unknown[] {
  const out: unknown[] = [];
  let at = 0;
  for (const item of right) {
    const here = place(item);
    for (let next = left[at]; at < left.length; next = left[++at]) {
      const there = place(next);
      if (here === undefined || there === undefined || there >= here) break;
      out.push(next);
    }
    out.push(item);
  }
  return [...out, ...left.slice(at)];
}
