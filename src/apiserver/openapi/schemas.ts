/** Definitions as OpenAPI schemas, with what they refer to. The table of types is compact; this is the form on the wire. */
import { definitionNamed, descriptionOf, type Field, isLeaf } from '#kube/schema';

export type Dialect = 'v2' | 'v3';

export type Schema = Record<string, unknown>;

const PREFIX: Readonly<Record<Dialect, string>> = { v2: '#/definitions/', v3: '#/components/schemas/' };

export function referenceTo(name: string, dialect: Dialect): Schema {
  return { $ref: `${PREFIX[dialect]}${name}` };
}

/** The definitions named and all that they refer to, by name, sorted. */
export function schemasFor(names: Iterable<string>, dialect: Dialect): Record<string, Schema> {
  const found = new Set<string>();
  const queue = [...names];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    queue.push(...references(definitionNamed(name)));
  }
  return Object.fromEntries([...found].sort().map((name) => [name, definitionSchema(name, dialect)]));
}

function references(field: Field): string[] {
  const inner = [...Object.values(field.properties ?? {}), field.items, field.values].filter(
    (child) => child !== undefined,
  );
  return [...(field.ref === undefined ? [] : [field.ref]), ...inner.flatMap(references)];
}

function definitionSchema(name: string, dialect: Dialect): Schema {
  const definition = definitionNamed(name);
  const { properties } = definition;
  const schema = fieldSchema(definition, { dialect, description: descriptionOf(name) });
  if (properties !== undefined) {
    schema['properties'] = Object.fromEntries(
      Object.entries(properties).map(([key, field]) => [
        key,
        fieldSchema(field, { dialect, description: descriptionOf(name, key) }),
      ]),
    );
  }
  if (isLeaf(name) && definition.oneOf !== undefined) {
    if (dialect === 'v3') schema['oneOf'] = definition.oneOf.map((type) => ({ type }));
    else schema['type'] = 'string';
  }
  return schema;
}

function fieldSchema(field: Field, { dialect, description }: { dialect: Dialect; description: string }): Schema {
  const schema: Schema = description === '' ? {} : { description };
  if (field.ref !== undefined) {
    const reference = referenceTo(field.ref, dialect);
    // A reference has no siblings in OpenAPI 3.0, unless it is wrapped.
    if (dialect === 'v2' || (description === '' && field.default === undefined)) Object.assign(schema, reference);
    else schema['allOf'] = [reference];
  }
  for (const key of ['type', 'format', 'required'] as const) if (field[key] !== undefined) schema[key] = field[key];
  if (field.default !== undefined && dialect === 'v3') schema['default'] = field.default;
  if (field.items !== undefined) schema['items'] = fieldSchema(field.items, { dialect, description: '' });
  if (field.values !== undefined)
    schema['additionalProperties'] = fieldSchema(field.values, { dialect, description: '' });
  for (const [key, value] of Object.entries(field)) if (key.startsWith('x-kubernetes-')) schema[key] = value;
  return schema;
}
