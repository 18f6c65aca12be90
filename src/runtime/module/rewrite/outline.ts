/** What the rewriter must know of a module before it writes the first byte: counts of the index spaces, memories, tables. */
import { BinaryError, type MemoryType, Reader, SECTION, type Section, sectionsOf } from '../binary.ts';
import { ENGINE, type MemoryShape, type TableShape } from '../shape.ts';
import { Unsupported } from './unsupported.ts';

export interface TableType {
  readonly wide: boolean;
  /** The type of its elements, encoded. */
  readonly element: Uint8Array;
}

export interface Outline {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** By section id; custom sections are not in it. */
  readonly sections: ReadonlyMap<number, Section>;
  /** Content of the `name` section. */
  readonly names: Section | undefined;
  readonly types: number;
  /** Defines structures or arrays: its garbage lives on the engine's heap. */
  readonly collected: boolean;
  /** References to exceptions stand in tables or globals, or an exception carries many values. */
  readonly holdsExceptions: boolean;
  readonly importedFunctions: number;
  readonly definedFunctions: number;
  /** In index order, the imported ones first. */
  readonly memories: readonly MemoryShape[];
  readonly memoryTypes: readonly MemoryType[];
  readonly tables: readonly TableType[];
  readonly definedTables: readonly TableShape[];
  /** Bytes of each data segment. */
  readonly dataBytes: readonly number[];
  /** Of those that are copied when the module is instantiated. */
  readonly activeDataBytes: number;
}

const FUNCTION_TYPE = 0x60;
const STRUCT_TYPE = 0x5f;
const ARRAY_TYPE = 0x5e;
const RECURSIVE_GROUP = 0x4e;
const SUBTYPES: readonly number[] = [0x4f, 0x50];
export const TABLE_WITH_INITIAL = 0x40;
/** Values that an exception may carry beside other guests. */
const MOST_CARRIED = 16;
const EXCEPTION_REFERENCE = 0x69;
const KNOWN = new Set<number>(Object.values(SECTION));

export function outlineOf(bytes: Uint8Array<ArrayBuffer>, skipExpression: (reader: Reader) => void): Outline {
  const sections = new Map<number, Section>();
  let names: Section | undefined;
  for (const section of sectionsOf(bytes)) {
    if (!KNOWN.has(section.id)) throw new Unsupported(`it has a section of the unknown kind ${section.id}`);
    if (section.id !== SECTION.custom) sections.set(section.id, section);
    else if (customName(bytes, section) === 'name') names = section;
  }
  const reader = (id: number) => readerOf(bytes, sections.get(id));
  const imports = readImportTypes(reader(SECTION.import));
  const types = readTypes(reader(SECTION.type));
  const own = readTables(reader(SECTION.table), skipExpression);
  const tables = [...imports.tables, ...own.types];
  const ownMemories = list(reader(SECTION.memory), (at) => at.limits());
  refuseEngineExports(reader(SECTION.export));
  const memoryTypes = [...imports.memories.map(({ type }) => type), ...ownMemories];
  if (memoryTypes.some(({ shared }) => shared)) throw new Unsupported('it uses shared memory');
  const data = readDataSegments(reader(SECTION.data), skipExpression);
  return {
    bytes,
    sections,
    names,
    types: types.count,
    collected: types.collected,
    holdsExceptions:
      tables.some(({ element }) => element.includes(EXCEPTION_REFERENCE)) ||
      imports.tags.concat(list(reader(SECTION.tag), readTag)).some((type) => types.heavy.has(type)) ||
      list(reader(SECTION.global), (at) => readGlobal(at, skipExpression)).some((type) =>
        type.includes(EXCEPTION_REFERENCE),
      ),
    importedFunctions: imports.functions,
    definedFunctions: reader(SECTION.function)?.u32() ?? 0,
    memories: [
      ...imports.memories.map(({ from, type }) => memoryShape(type, from)),
      ...ownMemories.map((it) => memoryShape(it)),
    ],
    memoryTypes,
    tables,
    definedTables: own.shapes,
    dataBytes: data.map(({ length }) => length),
    activeDataBytes: data.reduce((sum, { active, length }) => (active ? sum + length : sum), 0),
  };
}

function customName(bytes: Uint8Array, section: Section): string | undefined {
  try {
    return new Reader(bytes, { start: section.content, end: section.end }).name();
  } catch {
    return undefined;
  }
}

export function readerOf(bytes: Uint8Array, section: Section | undefined): Reader | undefined {
  return section && new Reader(bytes, { start: section.content, end: section.end });
}

function list<T>(reader: Reader | undefined, read: (reader: Reader) => T): T[] {
  const found: T[] = [];
  if (reader !== undefined) for (let left = reader.count(); left > 0; left--) found.push(read(reader));
  return found;
}

interface Types {
  count: number;
  collected: boolean;
  /** Function types with many parameters. */
  readonly heavy: Set<number>;
}

function readTypes(reader: Reader | undefined): Types {
  const types: Types = { count: 0, collected: false, heavy: new Set() };
  if (reader === undefined) return types;
  for (let left = reader.u32(); left > 0; left--) {
    const form = reader.byte();
    if (form !== RECURSIVE_GROUP) readType(reader, { form, types });
    else for (let inner = reader.u32(); inner > 0; inner--) readType(reader, { form: reader.byte(), types });
  }
  return types;
}

function readType(reader: Reader, { form, types }: { form: number; readonly types: Types }): void {
  const index = types.count++;
  if (SUBTYPES.includes(form)) {
    for (let left = reader.u32(); left > 0; left--) reader.u32();
    form = reader.byte();
  }
  if (form === FUNCTION_TYPE) {
    if (skipAll(reader, skipValueType) > MOST_CARRIED) types.heavy.add(index);
    skipAll(reader, skipValueType);
    return;
  }
  types.collected = true;
  if (form === STRUCT_TYPE) skipAll(reader, skipField);
  else if (form === ARRAY_TYPE) skipField(reader);
  else throw new Unsupported(`it has a type of the unknown form ${form}`);
}

/** As many as the count in front says. */
function skipAll(reader: Reader, skip: (reader: Reader) => void): number {
  const count = reader.u32();
  for (let left = count; left > 0; left--) skip(reader);
  return count;
}

function skipValueType(reader: Reader): void {
  reader.valueType();
}

function skipField(reader: Reader): void {
  reader.valueType();
  reader.byte();
}

interface ImportTypes {
  functions: number;
  readonly memories: { readonly from: { readonly module: string; readonly name: string }; readonly type: MemoryType }[];
  readonly tables: TableType[];
  /** Their types. */
  readonly tags: number[];
}

function readTag(reader: Reader): number {
  reader.byte();
  return reader.u32();
}

/** The type of its value. */
function readGlobal(reader: Reader, skipExpression: (reader: Reader) => void): Uint8Array {
  const type = reader.taken(() => reader.valueType());
  reader.byte();
  skipExpression(reader);
  return type;
}

function readImportTypes(reader: Reader | undefined): ImportTypes {
  const found: ImportTypes = { functions: 0, memories: [], tables: [], tags: [] };
  list(reader, (at) => {
    const from = { module: at.name(), name: at.name() };
    if (from.module.startsWith(ENGINE))
      throw new Unsupported(`it imports from '${from.module}', a name that is the engine's own`);
    const kind = at.kind();
    if (kind === 'func') {
      found.functions++;
      at.u32();
    } else if (kind === 'memory') found.memories.push({ from, type: at.limits() });
    else if (kind === 'table') found.tables.push(readTable(at).type);
    else if (kind === 'global') skipField(at);
    else found.tags.push(readTag(at));
  });
  return found;
}

function readTable(reader: Reader): { type: TableType; shape: TableShape } {
  const element = reader.taken(() => reader.valueType());
  const limits = reader.limits();
  if (limits.shared) throw new Unsupported('it has a shared table');
  const maximum = limits.maximum === undefined ? {} : { maximum: number(limits.maximum) };
  return { type: { wide: limits.wide, element }, shape: { initial: number(limits.minimum), ...maximum } };
}

function readTables(reader: Reader | undefined, skipExpression: (reader: Reader) => void) {
  const types: TableType[] = [];
  const shapes: TableShape[] = [];
  list(reader, (at) => {
    const initialised = at.peek() === TABLE_WITH_INITIAL;
    if (initialised) at.skip(2);
    const { type, shape } = readTable(at);
    if (initialised) skipExpression(at);
    types.push(type);
    shapes.push(shape);
  });
  return { types, shapes };
}

function refuseEngineExports(reader: Reader | undefined): void {
  list(reader, (at) => {
    const name = at.name();
    if (name.startsWith(ENGINE)) throw new Unsupported(`it exports '${name}', a name that is the engine's own`);
    at.byte();
    at.u32();
  });
}

interface DataSegment {
  readonly active: boolean;
  readonly length: number;
}

function readDataSegments(reader: Reader | undefined, skipExpression: (reader: Reader) => void): DataSegment[] {
  return list(reader, (at) => {
    const flags = at.u32();
    if (flags > 2) throw new BinaryError(`a data segment has unknown flags ${flags}`);
    if (flags === 2) at.u32();
    if (flags !== 1) skipExpression(at);
    const length = at.u32();
    at.skip(length);
    return { active: flags !== 1, length };
  });
}

function memoryShape({ minimum, maximum, wide, shared }: MemoryType, imported?: MemoryShape['imported']): MemoryShape {
  return {
    ...(imported && { imported }),
    initial: number(minimum),
    ...(maximum !== undefined && { maximum: number(maximum) }),
    wide,
    shared,
  };
}

/** Limits of 64 bits are declared beyond what any engine gives; the largest number that is exact says as much. */
function number(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}
