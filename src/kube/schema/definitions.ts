/**
 * The table of Kubernetes' types: what fields each has, of which type, how lists merge, what Go writes when a field is empty.
 * Made by `scripts/generate-kube.ts`; about 120 KB, so only who imports `#kube/schema` pays for it.
 */
import generated from './schema.generated.json' with { type: 'json' };

export interface Field {
  /** Name of a definition. */
  readonly ref?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly items?: Field;
  /** Type of a map's values. */
  readonly values?: Field;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  /** Types of which one holds (quantities, int-or-string). */
  readonly oneOf?: readonly string[];
  /** What a Go encoder does with the zero value: left out, or written though nobody set it. Absent: a pointer, kept as it came. */
  readonly empty?: 'drop' | 'write';
  /** Go name of the type where it is not told by the rest (`v1.PullPolicy`). */
  readonly go?: string;
  /** Field number in protobuf; several where a struct that JSON has flat is a message of its own. */
  readonly pb?: number | readonly number[];
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-unions'?: unknown;
  readonly 'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[];
}

export type Definition = Field;

export interface GroupVersionKind {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const DEFINITIONS = generated as unknown as Readonly<Record<string, Definition>>;
const UNKNOWN: Definition = {};

let byKind: Map<string, string> | undefined;

/** Every definition's name with the definition. */
export function allDefinitions(): Readonly<Record<string, Definition>> {
  return DEFINITIONS;
}

/** A definition by its name (`io.k8s.api.core.v1.Pod`); one that allows anything when there is none. */
export function definitionNamed(name: string): Definition {
  return Object.hasOwn(DEFINITIONS, name) ? (DEFINITIONS[name] ?? UNKNOWN) : UNKNOWN;
}

/** Name of a kind's definition; undefined for a kind that the table does not have. */
export function definitionNameOf({ group, version, kind }: GroupVersionKind): string | undefined {
  byKind ??= indexByKind();
  return byKind.get(`${group}/${version}/${kind}`);
}

export function definitionOf(gvk: GroupVersionKind): Definition | undefined {
  const name = definitionNameOf(gvk);
  return name === undefined ? undefined : definitionNamed(name);
}

function indexByKind(): Map<string, string> {
  const index = new Map<string, string>();
  for (const [name, definition] of Object.entries(DEFINITIONS)) {
    const kinds = definition['x-kubernetes-group-version-kind'] ?? [];
    // Types that every group shares (DeleteOptions, WatchEvent) carry dozens of kinds; any of them finds the one definition.
    for (const { group, version, kind } of kinds) index.set(`${group}/${version}/${kind}`, name);
  }
  return index;
}

const resolutions = new WeakMap<Field, Field>();

/** The field with what its reference says: properties, type and format of the definition, list and patch rules of the field. */
export function resolved(field: Field): Field {
  if (field.ref === undefined) return field;
  const known = resolutions.get(field);
  if (known !== undefined) return known;
  const made = { ...definitionNamed(field.ref), ...field };
  resolutions.set(field, made);
  return made;
}

/** The field of a property, or of a map's values; undefined where the schema has none. */
export function childOf(field: Field, key: string): Field | undefined {
  const { properties, values } = field.ref === undefined ? field : definitionNamed(field.ref);
  if (properties !== undefined && Object.hasOwn(properties, key)) return properties[key];
  return values;
}

export const TIME = 'io.k8s.apimachinery.pkg.apis.meta.v1.Time';
export const MICRO_TIME = 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime';
export const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
export const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
export const FIELDS_V1 = 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1';
export const RAW_EXTENSION = 'io.k8s.apimachinery.pkg.runtime.RawExtension';

/** Definitions whose values are not objects with properties, or are free. */
export function isLeaf(ref: string | undefined): boolean {
  return ref !== undefined && LEAVES.has(ref);
}

const LEAVES = new Set([TIME, MICRO_TIME, QUANTITY, INT_OR_STRING, FIELDS_V1, RAW_EXTENSION]);
