/**
 * Calling an export from the command line: its type from the module's bytes (JavaScript does not tell it), texts to numbers and back.
 * Only the sections that are needed are read; see https://webassembly.github.io/spec/core/binary/modules.html.
 */
import { wasiError } from './errors.ts';

export type NumberType = 'i32' | 'i64' | 'f32' | 'f64';

export interface FunctionType {
  readonly parameters: readonly NumberType[];
  readonly results: readonly NumberType[];
}

const NUMBER_TYPES: Readonly<Record<number, NumberType>> = { 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64' };
const SECTION = { type: 1, import: 2, function: 3, export: 7 } as const;
const FUNCTION_FORM = 0x60;

/** Reads what the engine has validated already; throws on kinds that it does not know rather than guess. */
class Reader {
  readonly #bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, { at = 0, end = bytes.byteLength }: { at?: number; end?: number } = {}) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    const value = this.#bytes[this.at++];
    if (value === undefined || this.at > this.end) throw new RangeError('the module ends early');
    return value;
  }

  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is too long');
  }

  name(): string {
    const length = this.number();
    this.at += length;
    return Buffer.from(this.#bytes.subarray(this.at - length, this.at)).toString('utf8');
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: Math.min(this.number(), this.end) }, read);
  }

  valueType(): NumberType {
    const type = NUMBER_TYPES[this.byte()];
    if (type === undefined) throw new RangeError('it has a parameter or result that is no number');
    return type;
  }
}

/** The type of an exported function whose parameters and results are numbers. */
export function functionType(bytes: Uint8Array, name: string): FunctionType {
  try {
    return findType(bytes, name);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw wasiError('WASI_BAD_OPTION', `Cannot invoke '${name}': ${cause.message}`, { cause });
  }
}

function findType(bytes: Uint8Array, name: string): FunctionType {
  const sections = readSections(bytes);
  const exported = readExports(sections.get(SECTION.export));
  const index = exported.get(name);
  if (index === undefined) {
    const names = [...exported.keys()].slice(0, 20).join(', ');
    throw wasiError('WASI_NO_ENTRYPOINT', `Cannot invoke '${name}': the module exports no such function`, {
      hint: names === '' ? 'It exports no function at all' : `It exports ${names}`,
    });
  }
  const typeIndexes = [...readImports(sections.get(SECTION.import)), ...readFunctions(sections.get(SECTION.function))];
  const typeIndex = typeIndexes[index];
  const types = sections.get(SECTION.type);
  if (typeIndex === undefined || types === undefined) throw new RangeError('its type is missing');
  return readType(types, typeIndex);
}

function readSections(bytes: Uint8Array): Map<number, Reader> {
  const sections = new Map<number, Reader>();
  const reader = new Reader(bytes, { at: 8 });
  while (reader.at < reader.end) {
    const id = reader.byte();
    const length = reader.number();
    sections.set(id, new Reader(bytes, { at: reader.at, end: reader.at + length }));
    reader.at += length;
  }
  return sections;
}

/** Types before the wanted one are read too, so one that is no plain function type is an error. */
function readType(reader: Reader, wanted: number): FunctionType {
  const count = reader.number();
  for (let index = 0; index < count; index++) {
    if (reader.byte() !== FUNCTION_FORM) throw new RangeError('the module has types that are no plain functions');
    const skip = index < wanted;
    const read = (): NumberType => (skip ? skipType(reader) : reader.valueType());
    const type = { parameters: reader.list(read), results: reader.list(read) };
    if (!skip) return type;
  }
  throw new RangeError('its type is missing');
}

function skipType(reader: Reader): NumberType {
  const REFERENCES = [0x63, 0x64];
  if (REFERENCES.includes(reader.byte())) reader.number();
  return 'i32';
}

function readExports(reader: Reader | undefined): Map<string, number> {
  const entries = reader?.list(() => ({ name: reader.name(), kind: reader.byte(), index: reader.number() })) ?? [];
  return new Map(entries.filter(({ kind }) => kind === 0).map(({ name, index }) => [name, index]));
}

function readFunctions(reader: Reader | undefined): number[] {
  return reader?.list(() => reader.number()) ?? [];
}

/** Type indexes of the imported functions, which are counted before the module's own. */
function readImports(reader: Reader | undefined): number[] {
  const indexes: number[] = [];
  reader?.list(() => {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === 0) indexes.push(reader.number());
    else throw new RangeError('the module imports more than functions');
  });
  return indexes;
}

/** A text of the command line as an argument. */
export function numberOf(type: NumberType, text: string): number | bigint {
  const value = type === 'i32' || type === 'i64' ? integerOf(type, text) : floatOf(text);
  if (value === undefined) throw wasiError('WASI_BAD_OPTION', `Cannot invoke the function: '${text}' is no ${type}`);
  return value;
}

function integerOf(type: 'i32' | 'i64', text: string): number | bigint | undefined {
  const [, sign, digits] = /^([+-]?)(\d+|0x[0-9a-f]+)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits);
  const bits = type === 'i32' ? 32n : 64n;
  if (value < -(1n << (bits - 1n)) || value >= 1n << bits) return undefined;
  return type === 'i32' ? Number(value) : value;
}

function floatOf(text: string): number | undefined {
  const special: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
  if (special[text.toLowerCase()] !== undefined) return special[text.toLowerCase()];
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** A result in the shortest text that reads back as the same number. */
export function textOf(type: NumberType | undefined, value: unknown): string {
  if (typeof value !== 'number') return String(value);
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (type !== 'f32') return Object.is(value, -0) ? '-0' : String(value);
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return Object.is(value, -0) ? '-0' : String(text);
  }
  return String(value);
}
