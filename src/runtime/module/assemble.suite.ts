/**
 * Modules for tests, put together by hand: sections from parts, code from lines of text. Only what tests need; nothing is checked,
 * since modules that are not valid are wanted too.
 */
import { SECTION } from './binary.ts';
import { INSTRUCTIONS } from './rewrite/opcodes.ts';
import { Output } from './rewrite/output.ts';

const VALUE_TYPES: Readonly<Record<string, number[]>> = {
  empty: [0x40],
  i32: [0x7f],
  i64: [0x7e],
  f32: [0x7d],
  f64: [0x7c],
  v128: [0x7b],
  funcref: [0x70],
  externref: [0x6f],
  anyref: [0x6e],
  eqref: [0x6d],
  i31ref: [0x6c],
  exnref: [0x69],
  func: [0x70],
  extern: [0x6f],
  any: [0x6e],
  i31: [0x6c],
};
const KINDS = ['func', 'table', 'memory', 'global', 'tag'];

export interface FunctionSource {
  /** `i32 i64 -> i32`. */
  readonly type: string;
  readonly locals?: string;
  /** An instruction a line; the last `end` is added. */
  readonly code: string;
  readonly export?: string;
}

/** A function by its type, or another kind by what its section would say of it. */
export type ImportSource = { readonly module: string; readonly name: string } & (
  | { readonly type: string }
  | { readonly memory: string }
  | { readonly table: string }
  | { readonly tag: string }
  /** `mut i32`. */
  | { readonly global: string }
);

export interface DataSource {
  readonly at?: number;
  readonly bytes: Uint8Array | readonly number[];
}

export interface ModuleSource {
  /** Types that are no plain functions, encoded, before all others; `[0x5f, …]`. */
  readonly types?: readonly (readonly number[])[];
  readonly imports?: readonly ImportSource[];
  readonly functions?: readonly FunctionSource[];
  /** `funcref 1 10`; encoded contents of a table entry where it begins with a number. */
  readonly tables?: readonly string[];
  /** `1 10`, `i64 1`. */
  readonly memories?: readonly string[];
  /** Types of tags. */
  readonly tags?: readonly string[];
  /** `mut i32 i32.const 5`. */
  readonly globals?: readonly string[];
  /** `memory m 0`. */
  readonly exports?: readonly string[];
  readonly start?: number;
  /** Each encoded without the count of segments. */
  readonly elements?: readonly (readonly number[])[];
  /** Passive, or active at an offset in memory 0. */
  readonly data?: readonly DataSource[];
  readonly custom?: readonly { readonly name: string; readonly bytes: readonly number[] }[];
}

export function assemble(source: ModuleSource): Uint8Array<ArrayBuffer> {
  const output = new Output();
  const types: string[] = [];
  const extra = source.types ?? [];
  const typeOf = (type: string) => {
    if (!types.includes(type)) types.push(type);
    return extra.length + types.indexOf(type);
  };
  const functions = source.functions ?? [];
  const imported = (source.imports ?? []).map((one) => importOf(one, typeOf));
  const tags = (source.tags ?? []).map(typeOf);
  const declared = functions.map(({ type }) => typeOf(type));
  const bodies = functions.map((one) => bodyOf(one, typeOf));
  output.all([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  section(output, SECTION.type, [...extra, ...types.map(functionType)]);
  section(output, SECTION.import, imported);
  section(output, SECTION.function, declared.map(unsigned));
  section(output, SECTION.table, (source.tables ?? []).map(tableType));
  section(output, SECTION.memory, (source.memories ?? []).map(limits));
  section(
    output,
    SECTION.tag,
    tags.map((type) => [0, ...unsigned(type)]),
  );
  section(output, SECTION.global, (source.globals ?? []).map(global));
  section(output, SECTION.export, exportsOf(source));
  if (source.start !== undefined) output.section(SECTION.start, () => output.u32(source.start ?? 0));
  section(output, SECTION.element, source.elements ?? []);
  if (source.data !== undefined) output.section(SECTION.dataCount, () => output.u32(source.data?.length ?? 0));
  section(
    output,
    SECTION.code,
    bodies.map((body) => [...unsigned(body.length), ...body]),
  );
  section(output, SECTION.data, (source.data ?? []).map(dataSegment));
  for (const { name, bytes } of source.custom ?? []) {
    output.section(SECTION.custom, () => {
      output.name(name);
      output.all(bytes);
    });
  }
  return new Uint8Array(output.bytes);
}

function section(output: Output, id: number, entries: readonly ArrayLike<number>[]): void {
  if (entries.length === 0) return;
  output.section(id, () => {
    output.u32(entries.length);
    for (const entry of entries) output.all(entry);
  });
}

function importOf(source: ImportSource, typeOf: (type: string) => number): number[] {
  const from = [...nameBytes(source.module), ...nameBytes(source.name)];
  if ('type' in source) return [...from, 0, ...unsigned(typeOf(source.type))];
  if ('table' in source) return [...from, 1, ...tableType(source.table)];
  if ('memory' in source) return [...from, 2, ...limits(source.memory)];
  if ('tag' in source) return [...from, 4, 0, ...unsigned(typeOf(source.tag))];
  const [mutable, type = mutable ?? ''] = source.global.split(' ');
  return [...from, 3, ...valueType(type), mutable === 'mut' ? 1 : 0];
}

function functionType(type: string): number[] {
  const [parameters = '', results = ''] = type.split('->');
  return [0x60, ...[parameters, results].flatMap((list) => valueTypes(list))];
}

function valueTypes(list: string): number[] {
  const types = list.split(' ').filter((word) => word !== '');
  return [...unsigned(types.length), ...types.flatMap(valueType)];
}

/** A name, or `(ref 3)`, `(refnull 3)` written `ref:3`, `refnull:3`. */
function valueType(name: string): number[] {
  const [form, index] = name.split(':');
  if (index !== undefined) return [form === 'ref' ? 0x64 : 0x63, ...(VALUE_TYPES[index] ?? signed(BigInt(index)))];
  const known = VALUE_TYPES[name];
  if (known === undefined) throw new TypeError(`no value type '${name}'`);
  return known;
}

function limits(text: string): number[] {
  const words = text.split(' ');
  const wide = words[0] === 'i64';
  const shared = words.includes('shared');
  const [minimum = 0n, maximum] = words.filter((word) => /^\d/.test(word)).map(BigInt);
  const flags = (maximum === undefined ? 0 : 1) | (shared ? 2 : 0) | (wide ? 4 : 0);
  return [flags, ...unsigned(minimum), ...(maximum === undefined ? [] : unsigned(maximum))];
}

function tableType(text: string): number[] {
  const [element = '', ...rest] = text.split(' ');
  return [...valueType(element), ...limits(rest.join(' '))];
}

function global(text: string): number[] {
  const words = text.split(' ');
  const mutable = words[0] === 'mut';
  const [type = '', ...init] = mutable ? words.slice(1) : words;
  return [...valueType(type), mutable ? 1 : 0, ...expression(init.join(' ').replaceAll(';', '\n'))];
}

function exportsOf({ exports = [], functions = [], imports = [] }: ModuleSource): number[][] {
  const listed = exports.map((text) => {
    const [kind = '', name = '', index = '0'] = text.split(' ');
    return [...nameBytes(name), KINDS.indexOf(kind), ...unsigned(BigInt(index))];
  });
  const importedFunctions = imports.filter((one) => 'type' in one).length;
  const named = functions.flatMap((one, index) =>
    one.export === undefined ? [] : [[...nameBytes(one.export), 0, ...unsigned(importedFunctions + index)]],
  );
  return [...listed, ...named];
}

function dataSegment({ at, bytes }: DataSource): Uint8Array {
  const output = new Output({ capacity: bytes.length + 16 });
  output.all(at === undefined ? [1] : [0, ...expression(`i32.const ${at}`)]);
  output.u32(bytes.length);
  output.all(bytes);
  return output.bytes;
}

function bodyOf({ locals = '', code }: FunctionSource, typeOf: (type: string) => number): number[] {
  const types = locals.split(' ').filter((word) => word !== '');
  return [...unsigned(types.length), ...types.flatMap((type) => [1, ...valueType(type)]), ...expression(code, typeOf)];
}

/** Lines of instructions and the `end`. */
export function expression(text: string, typeOf?: (type: string) => number): number[] {
  const lines = text.split(/[\n;]/).map((line) => line.trim());
  return [...lines.filter((line) => line !== '').flatMap((line) => instruction(line, typeOf)), 0x0b];
}

/** `i32.const 5`, `block i32`, `block (i32 -> i32)`, `i32.load align offset [memory]`, or bytes in hexadecimal after `bytes`. */
export function instruction(line: string, typeOf: (type: string) => number = () => 0): number[] {
  const [name = '', ...rest] = line.split(' ').filter((word) => word !== '');
  if (name === 'bytes') return rest.map((word) => Number.parseInt(word, 16));
  const known = INSTRUCTIONS.get(name);
  if (known === undefined) throw new TypeError(`no instruction '${name}'`);
  const opcode = known.prefix === 0 ? [known.code] : [known.prefix, ...unsigned(known.code)];
  const quoted = /\((.*)\)/.exec(line)?.[1];
  if (quoted !== undefined && known.immediates === 'call leb leb') return [...opcode, ...unsigned(typeOf(quoted)), 0];
  if (quoted !== undefined) return [...opcode, ...signed(BigInt(typeOf(quoted)))];
  return [...opcode, ...immediates(known.immediates, rest)];
}

function immediates(kind: string, words: readonly string[]): number[] {
  if (kind === 'block' || kind === 'loop') return VALUE_TYPES[words[0] ?? 'empty'] ?? signed(BigInt(words[0] ?? 0));
  if (kind.startsWith('memarg')) {
    const [align = '0', offset = '0', memory, lane] = words;
    const flags = Number(align) | (memory === undefined ? 0 : 0x40);
    const place = [flags, ...(memory === undefined ? [] : unsigned(BigInt(memory))), ...unsigned(BigInt(offset))];
    return [...place, ...(lane === undefined ? [] : [Number(lane)])];
  }
  if (kind === 'labels') return [...unsigned(words.length - 1), ...words.flatMap((word) => unsigned(BigInt(word)))];
  if (kind === 'types') return valueTypes(words.join(' '));
  if (kind === 'bytes4') return [...new Uint8Array(new Float32Array([Number(words[0])]).buffer)];
  if (kind === 'bytes8') return [...new Uint8Array(new Float64Array([Number(words[0])]).buffer)];
  if (kind === 'bytes16' || kind === 'byte') return words.map(Number);
  if (kind === 'cast')
    return [Number(words[0]), ...words.slice(1).flatMap((word) => VALUE_TYPES[word] ?? signed(BigInt(word)))];
  return words.flatMap((word) => VALUE_TYPES[word] ?? signed(BigInt(word)));
}

function nameBytes(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [...unsigned(bytes.length), ...bytes];
}

export function unsigned(value: number | bigint): number[] {
  if (typeof value === 'number' && value < 0x80) return [value];
  const bytes: number[] = [];
  let left = BigInt(value);
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return [...bytes, Number(left)];
}

/** Also right for indexes: one more byte than needed is still the same number. */
export function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    if ((value === 0n && (low & 0x40) === 0) || (value === -1n && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}
