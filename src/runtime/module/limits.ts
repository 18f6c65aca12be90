/**
 * A memory limit, put into the module: the maximum in its memory section becomes the limit, so that `memory.grow`
 * answers -1 beyond it, which every allocator knows how to take. Done on validated bytes only.
 */
import { type MemoryType, readMemories, SECTION, type Section, sectionsOf } from './binary.ts';

const PAGE_BYTES = 65536n;

export type Limited =
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  /** The memory that the module declares to begin with is more than the limit. */
  | { readonly tooSmall: { readonly neededBytes: number } };

/** The module with its memories limited to `memoryBytes` in all (each of several gets what the others' minimum leaves). */
export function limitMemory(bytes: Uint8Array<ArrayBuffer>, memoryBytes: number): Limited {
  const section = findMemorySection(bytes);
  if (section === undefined) return { bytes };
  const memories = readMemories(bytes, section);
  const needed = memories.reduce((sum, memory) => sum + memory.minimum, 0n);
  const limit = BigInt(memoryBytes) / PAGE_BYTES;
  if (needed > limit) return { tooSmall: { neededBytes: Number(needed * PAGE_BYTES) } };
  const spare = limit - needed;
  const limited = memories.map((memory) => {
    const most = memory.minimum + spare;
    return { ...memory, maximum: memory.maximum === undefined || memory.maximum > most ? most : memory.maximum };
  });
  return { bytes: replaceSection(bytes, section, encodeMemories(limited)) };
}

function findMemorySection(bytes: Uint8Array): Section | undefined {
  for (const section of sectionsOf(bytes)) if (section.id === SECTION.memory) return section;
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

function encodeMemories(memories: readonly MemoryType[]): number[] {
  const encoded = memories.flatMap(({ minimum, maximum, shared, wide }) => {
    const flags = (maximum === undefined ? 0 : 1) | (shared ? 2 : 0) | (wide ? 4 : 0);
    return [flags, ...leb(minimum), ...(maximum === undefined ? [] : leb(maximum))];
  });
  return [...leb(BigInt(memories.length)), ...encoded];
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
