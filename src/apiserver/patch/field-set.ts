/**
 * Sets of field paths, as `managedFields` keeps them (fieldsV1). A path element is kept as it is serialised:
 * `f:name` a field, `k:{"name":"a"}` an element of a list by its keys, `v:"x"` a value of a set, `i:0` an index.
 * Source: structured-merge-diff `fieldpath`.
 */
import { type Fields, fromEntries, isFields } from './values.ts';

export type PathElement = string;

/** Deeper than any object; a hostile fieldsV1 is cut there. */
const MAX_DEPTH = 100;

export class FieldSet {
  #members: ReadonlySet<PathElement> | undefined;
  #children: ReadonlyMap<PathElement, FieldSet> | undefined;
  /** The set as it stands in an object, until somebody looks into it: most of a set is only carried on. */
  #stored: Fields | undefined;

  constructor(members: Iterable<PathElement> = [], children: Iterable<readonly [PathElement, FieldSet]> = []) {
    this.#members = new Set(members);
    this.#children = new Map([...children].filter(([, child]) => !child.empty));
  }

  /** Of a fieldsV1 that is known to be canonical. */
  static stored(fields: unknown): FieldSet {
    const set = new FieldSet();
    set.#stored = isFields(fields) ? fields : {};
    return set;
  }

  /** The fieldsV1 that this was made of, if nobody has looked into it. */
  get untouched(): Fields | undefined {
    return this.#stored;
  }

  get members(): ReadonlySet<PathElement> {
    if (this.#stored !== undefined) this.#open(this.#stored);
    return this.#members ?? NONE;
  }

  get children(): ReadonlyMap<PathElement, FieldSet> {
    if (this.#stored !== undefined) this.#open(this.#stored);
    return this.#children ?? NOTHING;
  }

  get empty(): boolean {
    if (this.#stored === undefined) return this.members.size === 0 && this.children.size === 0;
    for (const key in this.#stored) if (key !== '.') return false;
    return true;
  }

  #open(stored: Fields): void {
    this.#stored = undefined;
    const members = new Set<PathElement>();
    const children = new Map<PathElement, FieldSet>();
    for (const key of Object.keys(stored)) {
      if (key === '.') continue;
      const child = FieldSet.stored(stored[key]);
      if (child.empty || Object.hasOwn(stored[key] as Fields, '.')) members.add(key);
      if (!child.empty) children.set(key, child);
    }
    this.#members = members;
    this.#children = children;
  }

  /** The set below an element; an empty one where there is none. */
  below(element: PathElement): FieldSet {
    return this.children.get(element) ?? EMPTY;
  }

  union(other: FieldSet): FieldSet {
    if (other.empty) return this;
    if (this.empty) return other;
    const keys = new Set([...this.children.keys(), ...other.children.keys()]);
    const children = [...keys].map((key) => [key, this.below(key).union(other.below(key))] as const);
    return new FieldSet([...this.members, ...other.members], children);
  }

  intersection(other: FieldSet): FieldSet {
    if (this.empty || other.empty) return EMPTY;
    const members = [...this.members].filter((member) => other.members.has(member));
    return new FieldSet(
      members,
      mapped(this, (key, child) => child.intersection(other.below(key))),
    );
  }

  difference(other: FieldSet): FieldSet {
    if (this.empty || other.empty) return this;
    const members = [...this.members].filter((member) => !other.members.has(member));
    return new FieldSet(
      members,
      mapped(this, (key, child) => child.difference(other.below(key))),
    );
  }

  /** As difference, and a member of the other set takes what is below it too. */
  recursiveDifference(other: FieldSet): FieldSet {
    if (this.empty || other.empty) return this;
    const members = [...this.members].filter((member) => !other.members.has(member));
    const children = mapped(this, (key, child) =>
      other.members.has(key) ? EMPTY : child.recursiveDifference(other.below(key)),
    );
    return new FieldSet(members, children);
  }

  /** Every path, sorted as the API server lists them. */
  *paths(prefix: readonly PathElement[] = []): Generator<readonly PathElement[]> {
    const keys = [...new Set([...this.members, ...this.children.keys()])].sort(compareElements);
    for (const key of keys) {
      if (this.members.has(key)) yield [...prefix, key];
      yield* this.below(key).paths([...prefix, key]);
    }
  }
}

const EMPTY = new FieldSet();
const NONE: ReadonlySet<PathElement> = new Set();
const NOTHING: ReadonlyMap<PathElement, FieldSet> = new Map();

function mapped(set: FieldSet, map: (key: PathElement, child: FieldSet) => FieldSet): [PathElement, FieldSet][] {
  return [...set.children].map(([key, child]) => [key, map(key, child)]);
}

/** A set that is built path by path. */
export class FieldSetBuilder {
  readonly #members = new Set<PathElement>();
  readonly #children = new Map<PathElement, FieldSetBuilder>();

  insert(path: readonly PathElement[]): void {
    const [head, ...rest] = path;
    if (head === undefined) return;
    if (rest.length === 0) {
      this.#members.add(head);
      return;
    }
    const child = this.#children.get(head) ?? new FieldSetBuilder();
    this.#children.set(head, child);
    child.insert(rest);
  }

  build(): FieldSet {
    return new FieldSet(
      this.#members,
      [...this.#children].map(([key, child]) => [key, child.build()] as const),
    );
  }
}

export function setOf(...paths: readonly (readonly string[])[]): FieldSet {
  const builder = new FieldSetBuilder();
  for (const path of paths) builder.insert(path.map((name) => `f:${name}`));
  return builder.build();
}

export function toFieldsV1(set: FieldSet, self = false): Fields {
  const { untouched } = set;
  if (untouched !== undefined && Object.hasOwn(untouched, '.') === self) return untouched;
  const keys = [...new Set([...set.members, ...set.children.keys()])].sort(compareElements);
  const entries = keys.map((key) => {
    const child = set.children.get(key);
    return [key, child === undefined ? {} : toFieldsV1(child, set.members.has(key))] as const;
  });
  return fromEntries(self ? [['.', {}] as const, ...entries] : entries);
}

/** Elements of an unknown kind are dropped, as the API server drops them. */
export function fromFieldsV1(fields: unknown, depth = 0): FieldSet {
  const members: PathElement[] = [];
  const children: [PathElement, FieldSet][] = [];
  for (const [key, value] of isFields(fields) && depth < MAX_DEPTH ? Object.entries(fields) : []) {
    if (!/^[fkvi]:/.test(key)) continue;
    const element = canonicalElement(key);
    const inner = isFields(value) ? Object.keys(value) : [];
    if (inner.length === 0 || inner.includes('.')) members.push(element);
    if (inner.length > 0) children.push([element, fromFieldsV1(value, depth + 1)]);
  }
  return new FieldSet(members, children);
}

const canonical = new Map<string, PathElement>();
/** Enough for the elements of the objects at work; then it starts anew. */
const MAX_CANONICAL = 2000;

function canonicalElement(key: string): PathElement {
  if (!key.startsWith('k:') && !key.startsWith('v:')) return key;
  const known = canonical.get(key);
  if (known !== undefined) return known;
  if (canonical.size >= MAX_CANONICAL) canonical.clear();
  const element = readElement(key);
  if (key.length < 200) canonical.set(key, element);
  return element;
}

function readElement(key: string): PathElement {
  try {
    const value: unknown = JSON.parse(key.slice(2));
    return key.startsWith('k:') && isFields(value) ? keyElement(value) : `${key.slice(0, 2)}${JSON.stringify(value)}`;
  } catch {
    return key;
  }
}

export function keyElement(keys: Fields): PathElement {
  return `k:${JSON.stringify(fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1))))}`;
}

const ORDER = 'fkvi';

function compareElements(a: PathElement, b: PathElement): number {
  const kind = ORDER.indexOf(a[0] ?? '') - ORDER.indexOf(b[0] ?? '');
  if (kind !== 0) return kind;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `.spec.containers[name="c"].image`, as conflicts name fields. */
export function pathText(path: readonly PathElement[]): string {
  return path.map(elementText).join('');
}

function elementText(element: PathElement): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  if (element.startsWith('i:')) return `[${rest}]`;
  const pairs = Object.entries(JSON.parse(rest) as Fields);
  return `[${pairs.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
