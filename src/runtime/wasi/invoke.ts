/**
 * Calling an export from the command line: its type from the module's bytes (JavaScript does not tell it), texts to numbers and back.
 * Only the sections that are needed are read; see https://webassembly.github.io/spec/core/binary/modules.html.
 */
import { BinaryError, Reader, SECTION, sectionsOf } from '../module/binary.ts';
import { wasiError } from './errors.ts';

export type NumberType = 'i32' | 'i64' | 'f32' | 'f64';

export interface FunctionType {
  readonly parameters: readonly NumberType[];
  readonly results: readonly NumberType[];
}

const NUMBER_TYPES: Readonly<Record<number, NumberType>> = { 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64' };
const FUNCTION_FORM = 0x60;

/** The type of an exported function whose parameters and results are numbers. */
export function functionType(bytes: Uint8Array, name: string): FunctionType {
  try {
    return findType(bytes, name);
  } catch (cause) {
    if (!(cause instanceof RangeError || cause instanceof BinaryError)) throw cause;
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
  const sections = [...sectionsOf(bytes)];
  return new Map(sections.map(({ id, content, end }) => [id, new Reader(bytes, { start: content, end })]));
}

function list<T>(reader: Reader | undefined, read: (reader: Reader) => T): T[] {
  if (reader === undefined) return [];
  return Array.from({ length: reader.count() }, () => read(reader));
}

/** Types before the wanted one are read too, so one that is no plain function type is an error. */
function readType(reader: Reader, wanted: number): FunctionType {
  const count = reader.count();
  for (let index = 0; index < count; index++) {
    if (reader.byte() !== FUNCTION_FORM) throw new RangeError('the module has types that are no plain functions');
    if (index === wanted) return { parameters: list(reader, numberType), results: list(reader, numberType) };
    for (const _ of ['parameters', 'results']) list(reader, (at) => at.valueType());
  }
  throw new RangeError('its type is missing');
}

function numberType(reader: Reader): NumberType {
  const type = NUMBER_TYPES[reader.byte()];
  if (type === undefined) throw new RangeError('it has a parameter or result that is no number');
  return type;
}

function readExports(reader: Reader | undefined): Map<string, number> {
  const entries = list(reader, (at) => ({ name: at.name(), kind: at.kind(), index: at.u32() }));
  return new Map(entries.filter(({ kind }) => kind === 'func').map(({ name, index }) => [name, index]));
}

function readFunctions(reader: Reader | undefined): number[] {
  return list(reader, (at) => at.u32());
}

/** Type indexes of the imported functions, which are counted before the module's own. */
function readImports(reader: Reader | undefined): number[] {
  return list(reader, (at) => {
    at.name();
    at.name();
    if (at.kind() !== 'func') throw new RangeError('the module imports more than functions');
    return at.u32();
  });
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
