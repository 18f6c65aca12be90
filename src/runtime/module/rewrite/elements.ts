/** The element section, whose functions move. */
import { BinaryError, SECTION } from '../binary.ts';
import type { CodeRewriter } from './code.ts';
import { type Outline, readerOf } from './outline.ts';
import { Output } from './output.ts';

/** Flags of a segment. */
const NOT_ACTIVE = 1;
/** In an active one: a table is named. */
const TABLE_NAMED = 2;
const EXPRESSIONS = 4;

export interface ElementOptions {
  readonly code: CodeRewriter;
  readonly importedFunctions: number;
  /** Filled: how many elements each segment has. */
  readonly elementCounts: number[];
  /** Told how many elements are copied when the module is instantiated, a segment at a time. */
  readonly copied: (elements: number) => void;
  readonly escapes: (index: number) => void;
}

/** The section's new content; absent where the module has none. */
export function writeElements(outline: Outline, options: ElementOptions): Uint8Array | undefined {
  const { code, importedFunctions, elementCounts, copied, escapes } = options;
  const section = outline.sections.get(SECTION.element);
  const reader = readerOf(outline.bytes, section);
  if (reader === undefined || section === undefined) return undefined;
  const output = new Output({ capacity: section.end - section.content + 64 });
  const segments = reader.u32();
  output.u32(segments);
  for (let segment = 0; segment < segments; segment++) {
    const flags = reader.u32();
    if (flags > 7) throw new BinaryError(`an element segment has unknown flags ${flags}`);
    output.u32(flags);
    const active = (flags & NOT_ACTIVE) === 0;
    if (active && (flags & TABLE_NAMED) !== 0) output.u32(reader.u32());
    if (active) code.expression(reader, output);
    // The type of the elements stands there unless the segment is of the oldest form, for table 0.
    const typed = (flags & (NOT_ACTIVE | TABLE_NAMED)) !== 0;
    if (typed) output.all(reader.taken(() => ((flags & EXPRESSIONS) === 0 ? reader.byte() : reader.valueType())));
    const count = reader.u32();
    output.u32(count);
    elementCounts.push(count);
    if (active) copied(count);
    for (let left = count; left > 0; left--) {
      if ((flags & EXPRESSIONS) !== 0) code.expression(reader, output);
      else {
        const index = reader.u32();
        escapes(index);
        output.u32(index < importedFunctions ? index : index + 2);
      }
    }
  }
  return output.bytes;
}
