/**
 * The OpenAPI v2 document in protobuf, the only form in which kubectl asks for v2: it does so for kinds that v3 has no
 * schema of, `kind: List` first of all. Made from the JSON form, so that both say the same.
 * Source: `openapiv2/OpenAPIv2.proto` of google/gnostic-models; of each message what Kubernetes' document uses.
 */
import type { Schema } from './schemas.ts';

/** What is answered. kubectl asks with an `@` before `v1.0`, as the type was once called, but cannot read it in an answer. */
export const OPENAPI_V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
export const ASKS_OPENAPI_V2_PROTOBUF = /com\.github\.proto-openapi\.spec\.v2[.@]v1\.0\+protobuf/;

export interface DocumentV2 {
  readonly swagger: string;
  readonly info: Schema;
  readonly paths: Readonly<Record<string, Schema>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

type Encode = (value: never) => Buffer;
/** A key's number on the wire and how its value is written; a list is written one by one. */
type Message = Readonly<Record<string, readonly [number: number, encode: Encode]>>;

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const flag = (value: boolean): Buffer => Buffer.from([value ? 1 : 0]);

export function encodeDocumentV2(document: DocumentV2): Buffer {
  return Buffer.concat([
    bytesField(1, text(document.swagger)),
    bytesField(2, message({ title: [1, text], version: [2, text] }, document.info)),
    bytesField(8, namedAll(document.paths, { number: 2, encode: pathItem })),
    bytesField(9, namedAll(document.definitions, { number: 1, encode: schema })),
  ]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function message(fields: Message, value: Schema): Buffer {
  const parts = Object.entries(value).flatMap(([key, child]) => {
    const [number, encode] = fields[key] ?? [];
    if (number === undefined || encode === undefined || child === undefined) return [];
    // Switches are numbers on the wire, all else has a length.
    if (encode === flag) return [Buffer.concat([varint(number * 8), flag(child as boolean)])];
    return (Array.isArray(child) ? child : [child]).map((one) => bytesField(number, encode(one as never)));
  });
  return Buffer.concat(parts);
}

/** A map is a list of messages of a name and a value. */
function namedAll(
  values: Readonly<Record<string, unknown>>,
  { number, encode }: { number: number; encode: Encode },
): Buffer {
  const entries = Object.entries(values).map(([name, value]) =>
    bytesField(number, Buffer.concat([bytesField(1, text(name)), bytesField(2, encode(value as never))])),
  );
  return Buffer.concat(entries);
}

/** `x-…` as texts in YAML, which JSON is. */
function extensions(value: Schema, number: number): Buffer {
  const own = Object.fromEntries(Object.entries(value).filter(([key]) => key.startsWith('x-')));
  return namedAll(own, { number, encode: (child: unknown) => bytesField(2, text(JSON.stringify(child))) });
}

const SCHEMA: Message = {
  $ref: [1, text],
  format: [2, text],
  description: [4, text],
  required: [19, text],
  additionalProperties: [21, (value: Schema) => bytesField(1, schema(value))],
  type: [22, (value: string) => bytesField(1, text(value))],
  items: [23, (value: Schema) => bytesField(1, schema(value))],
  properties: [25, (value: Schema) => namedAll(value, { number: 1, encode: schema })],
};

function schema(value: Schema): Buffer {
  return Buffer.concat([message(SCHEMA, value), extensions(value, 31)]);
}

const OPERATION: Message = {
  tags: [1, text],
  description: [3, text],
  operationId: [5, text],
  produces: [6, text],
  consumes: [7, text],
  parameters: [8, parameter],
  responses: [9, responses],
  schemes: [10, text],
};

function operation(value: Schema): Buffer {
  return Buffer.concat([message(OPERATION, value), extensions(value, 13)]);
}

const PATH_ITEM: Message = {
  get: [2, operation],
  put: [3, operation],
  post: [4, operation],
  delete: [5, operation],
  patch: [8, operation],
  parameters: [9, parameter],
};

function pathItem(value: Schema): Buffer {
  return message(PATH_ITEM, value);
}

const BODY: Message = {
  description: [1, text],
  name: [2, text],
  in: [3, text],
  required: [4, flag],
  schema: [5, schema],
};
const QUERY: Message = {
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [6, text],
};
const PATH: Message = { ...QUERY, type: [5, text] };

/** Wrapped as the choice that it is: body, or, inside of the other ones, query or path. */
function parameter(value: Schema): Buffer {
  const place = value['in'];
  if (place === 'body') return bytesField(1, bytesField(1, message(BODY, value)));
  const inner = place === 'path' ? bytesField(4, message(PATH, value)) : bytesField(3, message(QUERY, value));
  return bytesField(1, bytesField(2, inner));
}

function responses(value: Schema): Buffer {
  const RESPONSE: Message = { description: [1, text], schema: [2, (child: Schema) => bytesField(1, schema(child))] };
  return namedAll(value, { number: 1, encode: (child: Schema) => bytesField(1, message(RESPONSE, child)) });
}
