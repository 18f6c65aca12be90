/** Where the last lines of a file begin: read from its end, in blocks. A guest's line that was cut counts once. */
import type { OpenFile } from './file.ts';
import { MAX_ENTRY, parseLine } from './lines.ts';

const BLOCK = 64 * 1024;

/** The offset of the first of the last `lines` lines, and how many lines there are from it on (fewer: all of the file). */
export async function tailStart(
  file: OpenFile,
  lines: number,
): Promise<{ readonly offset: number; readonly lines: number }> {
  const size = await file.size();
  if (lines <= 0) return { offset: size, lines: 0 };
  let rest = Buffer.alloc(0);
  let end = size;
  let count = 0;
  /** Where the entry after the one in hand begins. */
  let start = size;
  while (end > 0) {
    const from = Math.max(0, end - BLOCK);
    const block = await file.read(Buffer.alloc(end - from), from);
    const text = Buffer.concat([block, rest]);
    let cut = text.length;
    for (let at = text.lastIndexOf(10, cut - 1); at !== -1; at = at === 0 ? -1 : text.lastIndexOf(10, at - 1)) {
      const entry = text.subarray(at + 1, cut);
      if (entry.length > 0 && endsLine(entry) && ++count > lines) return { offset: start, lines };
      if (entry.length > 0) start = from + at + 1;
      cut = at;
    }
    rest = Buffer.from(text.subarray(0, Math.min(cut, 2 * MAX_ENTRY)));
    end = from;
  }
  if (rest.length > 0 && endsLine(rest) && ++count > lines) return { offset: start, lines };
  return { offset: 0, lines: count };
}

function endsLine(entry: Buffer): boolean {
  return parseLine(entry)?.partial === false;
}
