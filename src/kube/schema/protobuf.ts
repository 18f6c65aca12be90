/**
 * Kubernetes' protobuf form of an object, read into the JSON form. Clients in Go send it for the types that they know
 * (kubectl 1.35 does for `create namespace`, `auth can-i` …) and have no second try, so a server must be able to read it;
 * what it answers may always be JSON. Source: apimachinery `pkg/runtime/serializer/protobuf`, `generated.proto`.
 */
import { DecodeError } from './decode.ts';
import {
  definitionNamed,
  definitionNameOf,
  FIELDS_V1,
  type Field,
  type GroupVersionKind,
  INT_OR_STRING,
  MICRO_TIME,
  QUANTITY,
  RAW_EXTENSION,
  TIME,
} from './definitions.ts';
import { ProtobufReader } from './protobuf-reader.ts';

export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

/** The envelope begins with these four bytes. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const MAX_DEPTH = 60;

export interface FromProtobuf {
  readonly apiVersion: string;
  readonly kind: string;
  /** With apiVersion and kind. */
  readonly object: Record<string, unknown>;
}

/** Throws a DecodeError for what is no envelope, of an unknown kind, or broken. */
export function decodeProtobuf(bytes: Uint8Array): FromProtobuf {
  if (MAGIC.some((byte, index) => bytes[index] !== byte))
    throw new DecodeError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const envelope = new ProtobufReader(bytes.subarray(MAGIC.length));
  let raw: Uint8Array = new Uint8Array();
  const type = { apiVersion: '', kind: '' };
  for (const { number, value } of envelope.fields()) {
    if (number === 1) readTypeMeta(bytesOf(value), type);
    else if (number === 2) raw = bytesOf(value);
  }
  const name = definitionNameOf(kindOf(type));
  if (name === undefined)
    throw new DecodeError(
      `no kind ${JSON.stringify(type.kind)} is registered for version ${JSON.stringify(type.apiVersion)}`,
    );
  return { ...type, object: { ...type, ...message(name, raw, 0) } };
}

function readTypeMeta(bytes: Uint8Array, type: { apiVersion: string; kind: string }): void {
  for (const { number, value } of new ProtobufReader(bytes).fields()) {
    if (number === 1) type.apiVersion = textOf(value);
    else if (number === 2) type.kind = textOf(value);
  }
}

function kindOf({ apiVersion, kind }: { apiVersion: string; kind: string }): GroupVersionKind {
  const [first = '', second] = apiVersion.split('/');
  return second === undefined ? { group: '', version: first, kind } : { group: first, version: second, kind };
}

/** A property, or a struct that JSON has flat and protobuf as a message. */
type Slot = { readonly key: string; readonly field: Field } | { readonly inline: Map<number, Slot> };

const slots = new Map<string, Map<number, Slot>>();

function slotsOf(name: string): Map<number, Slot> {
  const known = slots.get(name);
  if (known !== undefined) return known;
  const made = new Map<number, Slot>();
  for (const [key, field] of Object.entries(definitionNamed(name).properties ?? {})) {
    if (field.pb !== undefined) place(made, [field.pb].flat(), { key, field });
  }
  slots.set(name, made);
  return made;
}

function place(into: Map<number, Slot>, [first, ...rest]: readonly number[], slot: Slot): void {
  if (first === undefined) return;
  if (rest.length === 0) {
    into.set(first, slot);
    return;
  }
  const known = into.get(first);
  const inline = known !== undefined && 'inline' in known ? known.inline : new Map<number, Slot>();
  into.set(first, { inline });
  place(inline, rest, slot);
}

function message(name: string, bytes: Uint8Array, depth: number): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new DecodeError('exceeded max depth');
  const out = new Map<string, unknown>();
  fill(out, slotsOf(name), { bytes, depth });
  return Object.fromEntries(out);
}

function fill(
  out: Map<string, unknown>,
  known: ReadonlyMap<number, Slot>,
  { bytes, depth }: { bytes: Uint8Array; depth: number },
): void {
  for (const { number, value } of new ProtobufReader(bytes).fields()) {
    const slot = known.get(number);
    if (slot === undefined) continue;
    if ('inline' in slot) fill(out, slot.inline, { bytes: bytesOf(value), depth });
    else put(out, slot, { value, depth });
  }
}

type Wire = bigint | Uint8Array;

function put(
  out: Map<string, unknown>,
  { key, field }: { key: string; field: Field },
  { value, depth }: { value: Wire; depth: number },
): void {
  if (field.type === 'array') {
    const list = (out.get(key) ?? []) as unknown[];
    list.push(single(field.items ?? {}, value, depth));
    out.set(key, list);
  } else if (field.type === 'object' && field.ref === undefined) {
    const entries = (out.get(key) ?? {}) as Record<string, unknown>;
    out.set(key, { ...entries, ...mapEntry(field.values ?? {}, bytesOf(value), depth) });
  } else out.set(key, single(field, value, depth));
}

function mapEntry(values: Field, bytes: Uint8Array, depth: number): Record<string, unknown> {
  let key = '';
  let item: unknown = values.type === 'string' ? '' : undefined;
  for (const { number, value } of new ProtobufReader(bytes).fields()) {
    if (number === 1) key = textOf(value);
    else if (number === 2)
      item = values.type === 'array' ? listMessage(values, bytesOf(value), depth) : single(values, value, depth);
  }
  return Object.fromEntries([[key, item]]);
}

/** A list as a map's value is a message whose field 1 is repeated. */
function listMessage(field: Field, bytes: Uint8Array, depth: number): unknown[] {
  return [...new ProtobufReader(bytes).fields()]
    .filter(({ number }) => number === 1)
    .map(({ value }) => single(field.items ?? {}, value, depth));
}

function single(field: Field, value: Wire, depth: number): unknown {
  if (field.ref !== undefined) return referenced(field.ref, value, depth);
  if (field.type === 'boolean') return value !== 0n;
  if (field.type === 'integer') return typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;
  if (field.format === 'byte') return Buffer.from(bytesOf(value)).toString('base64');
  if (field.type === 'number') return typeof value === 'bigint' ? doubleOf(value) : 0;
  return textOf(value);
}

function referenced(ref: string, value: Wire, depth: number): unknown {
  const bytes = bytesOf(value);
  if (ref === QUANTITY) return textOf(firstOf(bytes, 1) ?? new Uint8Array());
  if (ref === TIME || ref === MICRO_TIME) return timeOf(bytes, ref === TIME ? 0 : 6);
  if (ref === INT_OR_STRING) {
    const isText = firstOf(bytes, 1) === 1n;
    return isText
      ? textOf(firstOf(bytes, 3) ?? new Uint8Array())
      : Number(BigInt.asIntN(64, (firstOf(bytes, 2) ?? 0n) as bigint));
  }
  if (ref === FIELDS_V1 || ref === RAW_EXTENSION) return jsonOf(firstOf(bytes, 1));
  return message(ref, bytes, depth + 1);
}

function firstOf(bytes: Uint8Array, wanted: number): Wire | undefined {
  for (const { number, value } of new ProtobufReader(bytes).fields()) if (number === wanted) return value;
  return undefined;
}

function timeOf(bytes: Uint8Array, digits: 0 | 6): string | null {
  const seconds = Number(BigInt.asIntN(64, (firstOf(bytes, 1) ?? 0n) as bigint));
  const nanos = Number(BigInt.asIntN(64, (firstOf(bytes, 2) ?? 0n) as bigint));
  const date = new Date(seconds * 1000);
  if (bytes.length === 0 || Number.isNaN(date.getTime())) return null;
  const text = date.toISOString().slice(0, 19);
  return digits === 0
    ? `${text}Z`
    : `${text}.${String(Math.floor(Math.abs(nanos) / 1000))
        .padStart(6, '0')
        .slice(0, 6)}Z`;
}

function jsonOf(value: Wire | undefined): unknown {
  try {
    return JSON.parse(textOf(value ?? new Uint8Array()) || '{}');
  } catch (cause) {
    throw new DecodeError('a field that should hold JSON does not', { cause });
  }
}

function doubleOf(bits: bigint): number {
  return new Float64Array(new BigUint64Array([BigInt.asUintN(64, bits)]).buffer)[0] ?? 0;
}

function bytesOf(value: Wire): Uint8Array {
  if (typeof value === 'bigint') throw new DecodeError('proto: wrong wireType');
  return value;
}

function textOf(value: Wire): string {
  return Buffer.from(bytesOf(value)).toString('utf8');
}
