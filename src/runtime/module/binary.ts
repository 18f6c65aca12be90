/**
 * Reading the outside of a WebAssembly module by hand, with a bound on everything. Only what decides whether and how
 * a module is run: sections, imports, exports, memories. Whether the module is valid is the engine's to say.
 * Source: WebAssembly core specification, chapter 5 (binary format); memory64 and multi-memory proposals.
 */
export class BinaryError extends Error {
  override readonly name = 'BinaryError';
}

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

const KINDS = ['func', 'table', 'memory', 'global', 'tag'] as const;
export type ExternalKind = (typeof KINDS)[number];

/** More entries than this in one section are refused: a name costs the reader a hundred times what it costs the writer. */
const MAX_ENTRIES = 100_000;
const MAX_NAME_BYTES = 4096;

export interface Section {
  readonly id: number;
  /** Offset of the section's id byte. */
  readonly start: number;
  /** Offset of its content. */
  readonly content: number;
  readonly end: number;
}

export interface MemoryType {
  readonly minimum: bigint;
  readonly maximum: bigint | undefined;
  readonly shared: boolean;
  readonly wide: boolean;
}

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternalKind;
}

export interface Export {
  readonly name: string;
  readonly kind: ExternalKind;
}

export class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, { start = 0, end = bytes.byteLength } = {}) {
    this.#bytes = bytes;
    this.#end = end;
    this.at = start;
  }

  get done(): boolean {
    return this.at >= this.#end;
  }

  byte(): number {
    if (this.at >= this.#end) throw new BinaryError(`the module ends in the middle of something, at byte ${this.at}`);
    return this.#bytes[this.at++] ?? 0;
  }

  peek(): number | undefined {
    return this.at < this.#end ? this.#bytes[this.at] : undefined;
  }

  /** The bytes that `read` reads. */
  taken(read: () => void): Uint8Array {
    const start = this.at;
    read();
    return this.#bytes.subarray(start, this.at);
  }

  skip(length: number): void {
    if (length > this.#end - this.at)
      throw new BinaryError(`the module ends in the middle of something, at byte ${this.at}`);
    this.at += length;
  }

  /** Unsigned LEB128 of at most `bits` bits. */
  unsigned(bits: 32 | 64 = 32): bigint {
    let value = 0n;
    for (let shift = 0n; shift < BigInt(bits); shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) {
        if (value >> BigInt(bits) !== 0n) break;
        return value;
      }
    }
    throw new BinaryError(`a number is too long, at byte ${this.at}`);
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 32; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) {
        if (shift === 28 && byte > 0x0f) break;
        return value >>> 0;
      }
    }
    throw new BinaryError(`a number is too long, at byte ${this.at}`);
  }

  /** Goes past a LEB128 number of any sign and size. */
  skipLeb(): void {
    while ((this.byte() & 0x80) !== 0);
  }

  count(): number {
    const count = this.u32();
    if (count > MAX_ENTRIES)
      throw new BinaryError(`a section has ${count} entries; more than ${MAX_ENTRIES} are not taken`);
    return count;
  }

  name(): string {
    const length = this.u32();
    if (length > MAX_NAME_BYTES)
      throw new BinaryError(`a name has ${length} bytes; more than ${MAX_NAME_BYTES} are not taken`);
    const start = this.at;
    this.skip(length);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.#bytes.subarray(start, this.at));
    } catch {
      throw new BinaryError(`a name is not UTF-8, at byte ${start}`);
    }
  }

  kind(): ExternalKind {
    const kind = KINDS[this.byte()];
    if (kind === undefined) throw new BinaryError(`an import or export has an unknown kind, at byte ${this.at - 1}`);
    return kind;
  }

  limits(): MemoryType {
    const flags = this.byte();
    if (flags > 7) throw new BinaryError(`limits have unknown flags ${flags}, at byte ${this.at - 1}`);
    const wide = (flags & 4) !== 0;
    const minimum = this.unsigned(wide ? 64 : 32);
    const maximum = (flags & 1) !== 0 ? this.unsigned(wide ? 64 : 32) : undefined;
    return { minimum, maximum, shared: (flags & 2) !== 0, wide };
  }

  /** Value types: one byte, or a typed reference, whose heap type is a signed number. */
  valueType(): void {
    const byte = this.byte();
    if (byte === 0x63 || byte === 0x64) this.skipLeb();
  }
}

export const PREAMBLE_BYTES = 8;

/** The sections of a core module, in order. The preamble is not looked at. */
export function* sectionsOf(bytes: Uint8Array): Generator<Section> {
  const reader = new Reader(bytes, { start: PREAMBLE_BYTES });
  while (!reader.done) {
    const start = reader.at;
    const id = reader.byte();
    const length = reader.u32();
    const content = reader.at;
    reader.skip(length);
    yield { id, start, content, end: reader.at };
  }
}

export function readImports(bytes: Uint8Array, section: Section): { imports: Import[]; memories: MemoryType[] } {
  const reader = new Reader(bytes, { start: section.content, end: section.end });
  const imports: Import[] = [];
  const memories: MemoryType[] = [];
  for (let left = reader.count(); left > 0; left--) {
    const module = reader.name();
    const name = reader.name();
    const kind = reader.kind();
    imports.push({ module, name, kind });
    if (kind === 'memory') memories.push(reader.limits());
    else skipType(reader, kind);
  }
  return { imports, memories };
}

function skipType(reader: Reader, kind: ExternalKind): void {
  if (kind === 'func') reader.u32();
  if (kind === 'table') {
    reader.valueType();
    reader.limits();
  }
  if (kind === 'global') {
    reader.valueType();
    reader.byte();
  }
  if (kind === 'tag') {
    reader.byte();
    reader.u32();
  }
}

export function readExports(bytes: Uint8Array, section: Section): Export[] {
  const reader = new Reader(bytes, { start: section.content, end: section.end });
  const exports: Export[] = [];
  for (let left = reader.count(); left > 0; left--) {
    const name = reader.name();
    const kind = reader.kind();
    reader.u32();
    exports.push({ name, kind });
  }
  return exports;
}

export function readMemories(bytes: Uint8Array, section: Section): MemoryType[] {
  const reader = new Reader(bytes, { start: section.content, end: section.end });
  const memories: MemoryType[] = [];
  for (let left = reader.count(); left > 0; left--) memories.push(reader.limits());
  return memories;
}
