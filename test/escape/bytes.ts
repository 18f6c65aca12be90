/** Modules of great size, from bytes: sections whose contents are given, and a body that does nothing. */
const PREAMBLE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

export function leb(value: number): Buffer {
  const bytes: number[] = [];
  do {
    const byte = value % 128;
    value = Math.floor(value / 128);
    bytes.push(value > 0 ? byte | 0x80 : byte);
  } while (value > 0);
  return Buffer.from(bytes);
}

type Part = Uint8Array | readonly number[];

function join(parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map((part) => (part instanceof Uint8Array ? part : Buffer.from(part))));
}

export function named(text: string): Buffer {
  return join([leb(Buffer.byteLength(text)), Buffer.from(text)]);
}

export function section(id: number, ...parts: readonly Part[]): Buffer {
  const body = join(parts);
  return join([[id], leb(body.byteLength), body]);
}

/** A section with a count before its entries. */
export function entries(id: number, ...list: readonly Part[]): Buffer {
  return section(id, leb(list.length), join(list));
}

/** The same entry so many times. */
export function repeatedEntry(id: number, count: number, entry: Part): Buffer {
  const one = Buffer.from(entry as Uint8Array);
  const all = Buffer.alloc(one.byteLength * count);
  all.fill(one);
  return section(id, leb(count), all);
}

export function body(...code: readonly Part[]): Buffer {
  const all = join([...code, [0x0b]]);
  return join([leb(all.byteLength), all]);
}

export const TYPE_NOTHING = entries(1, [0x60, 0, 0]);
export const EXPORT_START = entries(7, join([named('_start'), [0, 0]]));
export const EMPTY_BODY = body([0]);

export function module(...sections: readonly Part[]): Buffer {
  return join([PREAMBLE, ...sections]);
}

/** One function, exported as `_start`: locals and code as given. */
export function program(code: readonly Part[], ...more: readonly Part[]): Buffer {
  return module(TYPE_NOTHING, entries(3, [0]), ...more, EXPORT_START, entries(10, body(...code)));
}
