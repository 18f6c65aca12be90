/**
 * Values seen through their type, for server-side apply: which fields a value sets, what changed between two, one merged
 * over another, fields taken out. Source: structured-merge-diff `typed`.
 */
import { childOf, definitionNamed, type Field, isLeaf, resolved } from '#kube/schema';
import { FieldSet, FieldSetBuilder, keyElement, type PathElement } from './field-set.ts';
import { deepEqual, type Fields, fromEntries, isFields } from './values.ts';

/** How a type is owned: as a whole (scalar, atomic), by field, or by element. */
export type Shape = 'leaf' | 'map' | 'list';

export function shapeOf(field: Field, value: unknown): Shape {
  const type = resolved(field);
  if (isLeaf(field.ref)) return 'leaf';
  if (type.type === 'array' || Array.isArray(value)) {
    const kind = type['x-kubernetes-list-type'];
    return kind === 'map' || kind === 'set' ? 'list' : 'leaf';
  }
  const isMap = type.properties !== undefined || type.values !== undefined;
  return isMap && type['x-kubernetes-map-type'] !== 'atomic' ? 'map' : 'leaf';
}

/** Is the key a field of a struct, rather than a key of a map? */
function isNamedField(field: Field, key: string): boolean {
  const { properties } = field.ref === undefined ? field : definitionNamed(field.ref);
  return properties !== undefined && Object.hasOwn(properties, key);
}

export interface Indexed {
  readonly element: PathElement;
  readonly value: unknown;
}

/** Elements of a list with what identifies them. An element that cannot be identified is left out, or reported. */
export function indexed(field: Field, list: unknown, report?: (problem: string, index: number) => void): Indexed[] {
  const type = resolved(field);
  const out: Indexed[] = [];
  for (const [index, value] of (Array.isArray(list) ? list : []).entries()) {
    const element = type['x-kubernetes-list-type'] === 'set' ? setElement(value) : mapElement(type, value);
    if (element.startsWith('!')) report?.(element.slice(1), index);
    else out.push({ element, value });
  }
  return out;
}

function setElement(value: unknown): string {
  if (value === null) return "!associative list without keys has an element that's an explicit null";
  if (Array.isArray(value)) return '!not supported: associative list with lists as elements';
  return isFields(value)
    ? "!associative list without keys has an element that's a map type"
    : `v:${JSON.stringify(value)}`;
}

function mapElement(type: Field, value: unknown): string {
  if (value === null) return '!associative list with keys may not have a null element';
  if (!isFields(value)) return '!associative list with keys may not have non-map elements';
  const names = type['x-kubernetes-list-map-keys'] ?? [];
  const keys: Fields = {};
  for (const name of names) {
    const found = value[name] ?? childOf(type.items ?? {}, name)?.default;
    if (found !== undefined) keys[name] = found;
  }
  if (Object.keys(keys).length > 0) return keyElement(keys);
  const list = names.map((name) => JSON.stringify(name)).join(' ');
  return `!associative list with keys has an element that omits all key fields [${list}] (and doesn't have default values for any key fields)`;
}

/** The fields that a value sets. */
export function fieldSetOf(field: Field, value: unknown): FieldSet {
  const builder = new FieldSetBuilder();
  collect(field, value, { path: [], builder });
  return builder.build();
}

function collect(
  field: Field,
  value: unknown,
  { path, builder }: { path: PathElement[]; builder: FieldSetBuilder },
): void {
  const shape = shapeOf(field, value);
  if (shape === 'leaf') {
    builder.insert(path);
    return;
  }
  if (shape === 'list') {
    for (const { element, value: item } of indexed(field, value)) {
      collect(resolved(field).items ?? {}, item, { path: [...path, element], builder });
      builder.insert([...path, element]);
    }
    return;
  }
  for (const [key, item] of isFields(value) ? Object.entries(value) : []) {
    const below = [...path, `f:${key}`];
    collect(childOf(field, key) ?? {}, item, { path: below, builder });
    const empty = item === null || (isFields(item) && Object.keys(item).length === 0);
    if (empty || !isNamedField(field, key)) builder.insert(below);
  }
}

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

interface Differences {
  readonly added: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
}

export function compareValues(field: Field, before: unknown, after: unknown): Comparison {
  const into = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() };
  compare(field, { before, after, path: [] }, into);
  return { added: into.added.build(), modified: into.modified.build(), removed: into.removed.build() };
}

interface Pair {
  readonly before: unknown;
  readonly after: unknown;
  readonly path: PathElement[];
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isFields(value) && Object.keys(value).length === 0;
}

function compare(field: Field, pair: Pair, into: Differences): void {
  const { before, after, path } = pair;
  const shape = shapeOf(field, after ?? before);
  if (shape === 'leaf' || (isEmpty(before) && isEmpty(after))) {
    if (before === undefined) into.added.insert(path);
    else if (after === undefined) into.removed.insert(path);
    else if (!deepEqual(before, after)) into.modified.insert(path);
    return;
  }
  if (shape === 'map') compareMaps(field, pair, into);
  else compareLists(field, pair, into);
  if (before === undefined) into.added.insert(path);
  else if (after === undefined) into.removed.insert(path);
}

function compareMaps(field: Field, { before, after, path }: Pair, into: Differences): void {
  const left = isFields(before) ? before : {};
  const right = isFields(after) ? after : {};
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    // Most writes change the status or the spec and leave the rest: a plain comparison is cheaper than a typed one.
    if (path.length < 2 && deepEqual(left[key], right[key])) continue;
    const pair = { before: left[key], after: right[key], path: [...path, `f:${key}`] };
    compare(childOf(field, key) ?? {}, pair, into);
  }
}

/** Elements that stand twice are compared as a whole. */
function compareLists(field: Field, { before, after, path }: Pair, into: Differences): void {
  const left = Map.groupBy(indexed(field, before), ({ element }) => element);
  const right = Map.groupBy(indexed(field, after), ({ element }) => element);
  const items = resolved(field).items ?? {};
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    const olds = (left.get(element) ?? []).map(({ value }) => value);
    const news = (right.get(element) ?? []).map(({ value }) => value);
    const below = [...path, element];
    if (olds.length <= 1 && news.length <= 1) compare(items, { before: olds[0], after: news[0], path: below }, into);
    else if (olds.length > 1 && news.length > 1) {
      if (!deepEqual(olds, news)) into.modified.insert(below);
    } else if (olds.length > 1) {
      if (news.length > 0) compare(items, { before: undefined, after: news[0], path: below }, into);
      into.removed.insert(below);
    } else {
      if (olds.length > 0) compare(items, { before: olds[0], after: undefined, path: below }, into);
      into.added.insert(below);
    }
  }
}

/** The value without the fields of the set; atomic ones only go when they are members themselves. */
export function withoutFields(field: Field, value: unknown, set: FieldSet): unknown {
  const shape = shapeOf(field, value);
  if (set.empty) return value;
  if (shape === 'list') {
    const items = indexed(field, value).filter(({ element }) => !set.members.has(element));
    const kept = items.map(({ element, value: item }) =>
      withoutFields(resolved(field).items ?? {}, item, set.below(element)),
    );
    return kept.length === 0 ? undefined : kept;
  }
  if (shape !== 'map' || !isFields(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !set.members.has(`f:${key}`));
  const entries = kept.map(
    ([key, item]) => [key, withoutFields(childOf(field, key) ?? {}, item, set.below(`f:${key}`))] as const,
  );
  const rest = entries.filter(([, item]) => item !== undefined);
  return rest.length === 0 ? undefined : fromEntries(rest);
}

/** Fields of structs that only have members below become members themselves: so that an emptied struct goes away. */
export function withNamedFields(set: FieldSet, field: Field): FieldSet {
  const type = resolved(field);
  const members = [...set.members];
  const children: [PathElement, FieldSet][] = [];
  for (const [element, child] of set.children) {
    const name = element.slice(2);
    const isField = element.startsWith('f:');
    if (isField && isNamedField(field, name)) members.push(element);
    const next = isField ? childOf(field, name) : type.items;
    children.push([element, withNamedFields(child, next ?? {})]);
  }
  return new FieldSet(members, children);
}
