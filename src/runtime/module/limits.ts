/**
 * Limits of a plain module, which asks nobody before it grows, put into its bytes: the maximum in its memory section becomes the limit, so
 * that `memory.grow` answers -1 beyond it, which every allocator knows how to take; and the maximum in its table section becomes what one
 * guest may have of the engine's heap, limit or not, since the engine ends the whole process where that is full. What the module says to
 * the compiler is left out: hints are read where rewritten modules compile, and are the rewriter's alone. On validated bytes only.
 */
import { type MemoryType, Reader, readMemories, SECTION, type Section, sectionsOf } from './binary.ts';
import { MOST_TABLE_ELEMENTS } from './heap.ts';
import { expressionSkipper } from './rewrite/expressions.ts';
import { TABLE_WITH_INITIAL } from './rewrite/outline.ts';
import { TABLE_ELEMENT_BYTES } from './shape.ts';

const PAGE_BYTES = 65536n;
/** Custom sections that the engine acts on. */
const HINTS = 'metadata.code.';

export type Limited =
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  /** What the module declares to begin with is more than it may have. */
  | { readonly tooSmall: TooSmall };

export interface TooSmall {
  readonly neededBytes: number;
  readonly limitBytes: number;
}

/** Throws BinaryError or Unsupported for tables that cannot be read: such a module is not to be run. */
export function limitModule(bytes: Uint8Array<ArrayBuffer>, memoryBytes: number | undefined): Limited {
  const limited = limitTables(withoutHints(bytes));
  return 'tooSmall' in limited || memoryBytes === undefined ? limited : limitMemory(limited.bytes, memoryBytes);
}

function withoutHints(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const hints = [...sectionsOf(bytes)].filter((section) => isHint(bytes, section));
  if (hints.length === 0) return bytes;
  const result = new Uint8Array(bytes.byteLength - hints.reduce((sum, { start, end }) => sum + end - start, 0));
  let [from, at] = [0, 0];
  for (const { start, end } of [...hints, { start: bytes.byteLength, end: bytes.byteLength }]) {
    result.set(bytes.subarray(from, start), at);
    at += start - from;
    from = end;
  }
  return result;
}

function isHint(bytes: Uint8Array, { id, content, end }: Section): boolean {
  if (id !== SECTION.custom) return false;
  const reader = new Reader(bytes, { start: content, end });
  const length = reader.u32();
  const name = reader.taken(() => reader.skip(length));
  return Buffer.from(name.subarray(0, HINTS.length)).toString('latin1') === HINTS;
}

/** Memories: `memoryBytes` in all. */
function limitMemory(bytes: Uint8Array<ArrayBuffer>, memoryBytes: number): Limited {
  const section = find(bytes, SECTION.memory);
  if (section === undefined) return { bytes };
  const memories = readMemories(bytes, section);
  const limited = share(memories, BigInt(memoryBytes) / PAGE_BYTES);
  if ('needed' in limited) {
    return { tooSmall: { neededBytes: Number(limited.needed * PAGE_BYTES), limitBytes: memoryBytes } };
  }
  const content = [...leb(BigInt(memories.length)), ...limited.all.flatMap(encodeLimits)];
  return { bytes: replaceSection(bytes, section, content) };
}

/** Tables: `MOST_TABLE_ELEMENTS` in all. */
function limitTables(bytes: Uint8Array<ArrayBuffer>): Limited {
  const section = find(bytes, SECTION.table);
  if (section === undefined) return { bytes };
  const tables = readTables(bytes, section);
  const limited = share(
    tables.map(({ limits }) => limits),
    BigInt(MOST_TABLE_ELEMENTS),
  );
  if ('needed' in limited) {
    const neededBytes = Number(limited.needed) * TABLE_ELEMENT_BYTES;
    return { tooSmall: { neededBytes, limitBytes: MOST_TABLE_ELEMENTS * TABLE_ELEMENT_BYTES } };
  }
  const content = [...leb(BigInt(tables.length))];
  limited.all.forEach((limits, index) => {
    const { before = [], after = [] } = tables[index] ?? {};
    content.push(...before, ...encodeLimits(limits), ...after);
  });
  return { bytes: replaceSection(bytes, section, content) };
}

/** What the beginnings leave of `most`, in equal parts, so that all together never have more. */
function share(
  declared: readonly MemoryType[],
  most: bigint,
): { readonly all: MemoryType[] } | { readonly needed: bigint } {
  const needed = declared.reduce((sum, { minimum }) => sum + minimum, 0n);
  if (needed > most) return { needed };
  const part = (most - needed) / BigInt(Math.max(1, declared.length));
  const all = declared.map((one) => {
    const maximum = one.minimum + part;
    return { ...one, maximum: one.maximum === undefined || one.maximum > maximum ? maximum : one.maximum };
  });
  return { all };
}

interface Table {
  /** What stands around its limits. */
  readonly before: Uint8Array;
  readonly limits: MemoryType;
  readonly after: Uint8Array;
}

function readTables(bytes: Uint8Array, section: Section): Table[] {
  const reader = new Reader(bytes, { start: section.content, end: section.end });
  const skip = expressionSkipper(bytes);
  const tables: Table[] = [];
  for (let left = reader.count(); left > 0; left--) {
    const initialised = reader.peek() === TABLE_WITH_INITIAL;
    const before = reader.taken(() => {
      if (initialised) reader.skip(2);
      reader.valueType();
    });
    const limits = reader.limits();
    tables.push({ before, limits, after: reader.taken(() => initialised && skip(reader)) });
  }
  return tables;
}

function find(bytes: Uint8Array, id: number): Section | undefined {
  for (const section of sectionsOf(bytes)) if (section.id === id) return section;
  return undefined;
}

function replaceSection(bytes: Uint8Array, section: Section, content: number[]): Uint8Array<ArrayBuffer> {
  const made = [section.id, ...leb(BigInt(content.length)), ...content];
  const result = new Uint8Array(section.start + made.length + bytes.byteLength - section.end);
  result.set(bytes.subarray(0, section.start));
  result.set(made, section.start);
  result.set(bytes.subarray(section.end), section.start + made.length);
  return result;
}

function encodeLimits({ minimum, maximum, shared, wide }: MemoryType): number[] {
  const flags = (maximum === undefined ? 0 : 1) | (shared ? 2 : 0) | (wide ? 4 : 0);
  return [flags, ...leb(minimum), ...(maximum === undefined ? [] : leb(maximum))];
}

function leb(value: bigint): number[] {
  const bytes: number[] = [];
  do {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    bytes.push(value === 0n ? low : low | 0x80);
  } while (value !== 0n);
  return bytes;
}
