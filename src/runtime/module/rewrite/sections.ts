/**
 * Puts the new module together. Sections that carry no function index are copied as they are; custom sections other than `name` are left
 * out, since they carry offsets and indexes that no longer hold (debug information, hints, source maps) or nothing that a run needs.
 */
import { type Reader, SECTION } from '../binary.ts';
import { ENGINE, type Shape } from '../shape.ts';
import type { Helpers } from './added.ts';
import type { CodeRewriter } from './code.ts';
import type { BranchHints } from './hints.ts';
import { writeNames } from './names.ts';
import { type Outline, readerOf, TABLE_WITH_INITIAL } from './outline.ts';
import { Output } from './output.ts';
import { I32, I64 } from './words.ts';

const PREAMBLE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const KIND = { function: 0, memory: 2 } as const;
/** Limits: a maximum, and both numbers equal; shared. */
const CONTROL_LIMITS = [3, 1, 1];

export interface NewContents {
  /** Bodies of the guest's functions and of the helpers. */
  readonly bodies: Uint8Array;
  readonly elements: Uint8Array | undefined;
  readonly shape: Shape;
  readonly hints: BranchHints;
}

export interface SectionsOptions {
  readonly helpers: Helpers;
  readonly code: CodeRewriter;
  /** Bytes of the new module. */
  readonly most: number;
  /** Told of each function that is exported, and of the start function. */
  readonly exported: (index: number, from: { readonly isStart: boolean }) => void;
}

export class Sections {
  readonly #outline: Outline;
  readonly #helpers: Helpers;
  readonly #code: CodeRewriter;
  readonly #output: Output;
  readonly #exported: SectionsOptions['exported'];

  constructor(outline: Outline, options: SectionsOptions) {
    const { helpers, code, most, exported } = options;
    this.#outline = outline;
    this.#helpers = helpers;
    this.#code = code;
    this.#exported = exported;
    this.#output = new Output({
      capacity: Math.min(most, outline.bytes.byteLength + (outline.bytes.byteLength >> 2) + 4096),
      most,
    });
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#output.bytes;
  }

  write({ bodies, elements, shape, hints }: NewContents): void {
    const output = this.#output;
    output.all(PREAMBLE);
    output.section(SECTION.custom, () => {
      output.name(ENGINE);
      output.all(new TextEncoder().encode(JSON.stringify(shape)));
    });
    // Asked for before the types are written.
    const injected = this.#injectedImports();
    output.section(SECTION.type, () => this.#types());
    output.section(SECTION.import, () => this.#extended(SECTION.import, injected));
    output.section(SECTION.function, () => this.#functions());
    this.#withExpressions(SECTION.table, (reader) => this.#table(reader));
    this.#copy(SECTION.tag);
    this.#withExpressions(SECTION.global, (reader) => this.#global(reader));
    this.#exports();
    if (elements !== undefined) output.section(SECTION.element, () => output.all(elements));
    this.#copy(SECTION.dataCount);
    hints.write(output);
    output.section(SECTION.code, () => {
      output.u32(this.#outline.definedFunctions + this.#helpers.all.length);
      output.all(bodies);
    });
    this.#copy(SECTION.data);
    this.#names();
  }

  #copy(id: number): void {
    const section = this.#outline.sections.get(id);
    if (section !== undefined) this.#output.copy(this.#outline.bytes, { from: section.start, to: section.end });
  }

  /** The entries of a section and, behind them, more. */
  #extended(id: number, more: { readonly count: number; readonly bytes: Uint8Array }): void {
    const section = this.#outline.sections.get(id);
    const reader = readerOf(this.#outline.bytes, section);
    this.#output.u32((reader?.u32() ?? 0) + more.count);
    if (section !== undefined && reader !== undefined)
      this.#output.copy(this.#outline.bytes, { from: reader.at, to: section.end });
    this.#output.all(more.bytes);
  }

  #types(): void {
    const { types } = this.#helpers;
    this.#extended(SECTION.type, { count: types.added, bytes: types.bytes });
  }

  #functions(): void {
    const more = new Output();
    for (const { type } of this.#helpers.all) more.u32(type);
    this.#extended(SECTION.function, { count: this.#helpers.all.length, bytes: more.bytes });
  }

  #injectedImports(): { readonly count: number; readonly bytes: Uint8Array } {
    const more = new Output();
    const { types } = this.#helpers;
    const { memoryTypes, memories } = this.#outline;
    let count = 0;
    const add = (name: string, kind: number) => {
      count++;
      more.name(ENGINE);
      more.name(name);
      more.byte(kind);
    };
    add('yield', KIND.function);
    more.u32(types.of([], [[I32]]));
    add('grow', KIND.function);
    more.u32(types.of([[I32], [I64]], [[I32]]));
    memoryTypes.forEach(({ minimum, maximum, wide }, index) => {
      if (memories[index]?.imported !== undefined) return;
      add(`memory${index}`, KIND.memory);
      more.byte((maximum === undefined ? 0 : 1) | (wide ? 4 : 0));
      more.unsigned(minimum);
      if (maximum !== undefined) more.unsigned(maximum);
    });
    add('control', KIND.memory);
    more.all(CONTROL_LIMITS);
    return { count, bytes: more.bytes };
  }

  #withExpressions(id: number, entry: (reader: Reader) => void): void {
    const reader = readerOf(this.#outline.bytes, this.#outline.sections.get(id));
    if (reader === undefined) return;
    this.#output.section(id, () => {
      const count = reader.u32();
      this.#output.u32(count);
      for (let left = count; left > 0; left--) entry(reader);
    });
  }

  #table(reader: Reader): void {
    const initialised = reader.peek() === TABLE_WITH_INITIAL;
    const type = reader.taken(() => {
      if (initialised) reader.skip(2);
      reader.valueType();
      reader.limits();
    });
    this.#output.all(type);
    if (initialised) this.#code.expression(reader, this.#output);
  }

  #global(reader: Reader): void {
    const type = reader.taken(() => {
      reader.valueType();
      reader.byte();
    });
    this.#output.all(type);
    this.#code.expression(reader, this.#output);
  }

  /** The guest's exports, and its start function as one more. */
  #exports(): void {
    const { sections, bytes } = this.#outline;
    const reader = readerOf(bytes, sections.get(SECTION.export));
    const start = readerOf(bytes, sections.get(SECTION.start))?.u32();
    if (reader === undefined && start === undefined) return;
    const output = this.#output;
    output.section(SECTION.export, () => {
      const count = reader?.u32() ?? 0;
      output.u32(count + (start === undefined ? 0 : 1));
      if (reader !== undefined) for (let left = count; left > 0; left--) this.#export(reader);
      if (start === undefined) return;
      output.name(`${ENGINE}/start`);
      output.byte(KIND.function);
      this.#exported(start, { isStart: true });
      output.u32(this.#moved(start));
    });
  }

  #export(reader: Reader): void {
    const name = reader.taken(() => reader.skip(reader.u32()));
    this.#output.all(name);
    const kind = reader.byte();
    const index = reader.u32();
    if (kind === KIND.function) this.#exported(index, { isStart: isStart(name) });
    this.#output.byte(kind);
    this.#output.u32(kind === KIND.function ? this.#moved(index) : index);
  }

  #moved(index: number): number {
    return index < this.#outline.importedFunctions ? index : index + 2;
  }

  #names(): void {
    const content = new Output();
    if (!writeNames(content, { outline: this.#outline, helpers: this.#helpers })) return;
    this.#output.section(SECTION.custom, () => this.#output.all(content.bytes));
  }
}

/** What a command is started by; `name` with its length in front. */
function isStart(name: Uint8Array): boolean {
  return new TextDecoder().decode(name.subarray(1)) === '_start';
}
