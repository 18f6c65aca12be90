/** One typed value merged over another, and what makes a value unfit for it. Source: structured-merge-diff `typed/merge.go`, `typed/validate.go`. */
import { childOf, definitionNamed, type Field, isLeaf, resolved } from '#kube/schema';
import { type PathElement, pathText } from './field-set.ts';
import { type Indexed, indexed, shapeOf } from './typed-value.ts';
import { fromEntries, isFields } from './values.ts';

/** `right` wins where both set a leaf; lists keep the order of `right` and weave in what only `left` has. */
export function mergeValues(field: Field, left: unknown, right: unknown): unknown {
  if (right === undefined) return left;
  if (left === undefined || left === null) return right;
  const shape = shapeOf(field, right);
  if (shape === 'map' && isFields(left) && isFields(right)) {
    const merged = new Map(Object.entries(left));
    for (const [key, value] of Object.entries(right))
      merged.set(key, mergeValues(childOf(field, key) ?? {}, merged.get(key), value));
    return fromEntries(merged);
  }
  if (shape === 'list' && Array.isArray(left) && Array.isArray(right)) return mergeLists(field, left, right);
  return right;
}

function mergeLists(field: Field, left: unknown[], right: unknown[]): unknown[] {
  const items = resolved(field).items ?? {};
  const olds = indexed(field, left);
  const news = indexed(field, right);
  const wanted = new Map(news.map(({ element, value }) => [element, value]));
  const had = new Map<PathElement, unknown>();
  for (const { element, value } of olds) had.set(element, had.has(element) ? undefined : value);
  const merged = weave(olds, news, { wanted, had });
  return merged.map(({ element, value }) =>
    wanted.has(element) ? mergeValues(items, had.get(element), wanted.get(element)) : value,
  );
}

interface Lookup {
  readonly wanted: ReadonlyMap<PathElement, unknown>;
  readonly had: ReadonlyMap<PathElement, unknown>;
}

/** Elements that only the old list has come as early as the shared ones around them allow. */
function weave(olds: readonly Indexed[], news: readonly Indexed[], { wanted, had }: Lookup): Indexed[] {
  const out: Indexed[] = [];
  const done = new Set<PathElement>();
  const shared = news.filter(({ element }) => had.has(element));
  let at = 0;
  let next = 0;
  for (const item of news) {
    while (done.has(shared[next]?.element ?? '')) next++;
    for (; at < olds.length; at++) {
      const old = olds[at];
      if (old === undefined || old.element === shared[next]?.element) break;
      if (!wanted.has(old.element)) out.push(old);
      else if (shared[next] === undefined) break;
    }
    if (olds[at] !== undefined && (olds[at]?.element === item.element || done.has(olds[at]?.element ?? ''))) at++;
    out.push(item);
    done.add(item.element);
  }
  return [...out, ...olds.slice(at).filter(({ element }) => !wanted.has(element))];
}

/** What is wrong with a value that somebody applies: `.spec.foo: field not declared in schema`. At most a hundred. */
export function typeProblems(field: Field, value: unknown): string[] {
  const problems: string[] = [];
  check(field, value, { path: [], problems });
  return problems.slice(0, 100);
}

interface Check {
  readonly path: readonly PathElement[];
  readonly problems: string[];
}

function check(field: Field, value: unknown, at: Check): void {
  if (value === null || value === undefined || at.problems.length >= 100) return;
  const type = resolved(field);
  if (type.type === 'array') checkList(field, value, at);
  else if (type.properties !== undefined || type.values !== undefined) checkMap(field, value, at);
  else if (!isLeaf(field.ref)) checkScalar(type, value, at);
  else if (isFields(value) && type.type === undefined)
    note(at, `expected any scalar, got ${JSON.stringify(value).slice(0, 200)}`);
}

function checkList(field: Field, value: unknown, at: Check): void {
  if (!Array.isArray(value)) {
    note(at, `expected list, got ${JSON.stringify(value).slice(0, 200)}`);
    return;
  }
  const items = resolved(field).items ?? {};
  if (shapeOf(field, value) !== 'list') {
    for (const [index, item] of value.entries()) check(items, item, { ...at, path: [...at.path, `i:${index}`] });
    return;
  }
  const seen = new Set<PathElement>();
  const found = indexed(field, value, (problem, index) => note(at, `element ${index}: ${problem}`));
  for (const { element, value: item } of found) {
    if (seen.has(element)) note(at, `duplicate entries for key ${pathText([element])}`);
    seen.add(element);
    check(items, item, { ...at, path: [...at.path, element] });
  }
}

function checkMap(field: Field, value: unknown, at: Check): void {
  if (!isFields(value)) {
    note(at, `expected map, got &{${JSON.stringify(value).slice(0, 200)}}`);
    return;
  }
  const { properties } = field.ref === undefined ? field : definitionNamed(field.ref);
  for (const [key, item] of Object.entries(value)) {
    const path = [...at.path, `f:${key}`];
    const child = childOf(field, key);
    if (child === undefined || (properties !== undefined && !Object.hasOwn(properties, key))) {
      note({ ...at, path }, 'field not declared in schema');
    } else check(child, item, { ...at, path });
  }
}

function checkScalar(type: Field, value: unknown, at: Check): void {
  const text = JSON.stringify(value).slice(0, 200);
  const wanted = type.type;
  if ((wanted === 'integer' || wanted === 'number') && typeof value !== 'number') {
    note(at, `expected numeric (int or float), got ${goKind(value)}`);
  } else if (wanted === 'string' && typeof value !== 'string')
    note(at, `expected string, got &value.valueUnstructured{Value:${text}}`);
  else if (wanted === 'boolean' && typeof value !== 'boolean') note(at, `expected boolean, got &{${text}}`);
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : 'map[string]interface {}';
}

function note(at: Check, problem: string): void {
  at.problems.push(at.path.length === 0 ? problem : `${pathText(at.path)}: ${problem}`);
}
