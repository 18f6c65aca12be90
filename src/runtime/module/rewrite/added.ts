/**
 * Functions that the rewriter adds behind the guest's own: the slow path of a check, growth that asks first, and bulk instructions in
 * pieces. Each is made once, when the first instruction needs it. Each starts with a check, so code that is only calls of them is interrupted too.
 *
 * Why a call of no elements is the check of bounds: `memory.fill` and its kin look at the whole range before they write, and trap
 * also for no elements behind the end. So the trap is the engine's own, and what was dropped in between counts as it should.
 */
import { GROW } from '../shape.ts';
import type { Outline } from './outline.ts';
import { Output } from './output.ts';
import { type NumberType, type Piece, pieces } from './pieces.ts';
import { Types } from './types.ts';
import { Unsupported } from './unsupported.ts';
import { I32, I64, OP } from './words.ts';

const MOST_HELPERS = 100_000;
/** Bytes, and elements, that one instruction moves at most before the next check: both take well below a tenth of a millisecond. */
const MEMORY_PIECE = 1 << 16;
const TABLE_PIECE = 1 << 12;
/** Segments of no more than this are left to the instruction itself. */
export const SMALL_SEGMENT = { bytes: 1 << 12, elements: 1 << 8 } as const;

export interface Helper {
  readonly type: number;
  readonly name: string;
  readonly body: Uint8Array;
}

export class Helpers {
  readonly all: Helper[] = [];
  readonly types: Types;
  readonly #outline: Outline;
  readonly #known = new Map<string, number>();
  readonly #first: number;
  readonly #yield: number;
  readonly #grow: number;
  /** A check: leaves the stack as it finds it. */
  readonly check: Uint8Array;
  /** Where in a check its branch stands. */
  readonly branch: number;

  constructor(outline: Outline) {
    this.#outline = outline;
    this.types = new Types(outline.types);
    this.#yield = outline.importedFunctions;
    this.#grow = outline.importedFunctions + 1;
    this.#first = outline.importedFunctions + 2 + outline.definedFunctions;
    const pause = this.#make('pause', this.types.of([], []), (code) => {
      code.all([OP.call, ...leb(this.#yield), OP.if, OP.empty, OP.unreachable, OP.end]);
    });
    const load = [...OP.i32_const(0), OP.i32_load, 2 | OP.other_memory, ...leb(outline.memories.length), 0];
    this.branch = load.length;
    this.check = new Uint8Array([...load, OP.if, OP.empty, OP.call, ...leb(pause), OP.end]);
  }

  memoryGrow(memory: number): number {
    const type = this.#address(memory);
    return this.#growing(`memory.grow ${memory}`, {
      kind: GROW.memory,
      parameters: [[type]],
      count: type,
      grow: [0x40, ...leb(memory)],
    });
  }

  tableGrow(table: number): number {
    const { count, element } = this.#table(table);
    return this.#growing(`table.grow ${table}`, {
      kind: GROW.table,
      parameters: [element, [count]],
      count,
      grow: [0xfc, 15, ...leb(table)],
    });
  }

  memoryFill(memory: number): number {
    const type = this.#address(memory);
    return this.#inPieces(`memory.fill ${memory}`, {
      operation: [0xfc, 11, ...leb(memory)],
      parameters: [{ moves: type }, { stays: [I32] }],
      count: type,
      piece: MEMORY_PIECE,
    });
  }

  memoryCopy(to: number, from: number): number {
    const [target, source] = [this.#address(to), this.#address(from)];
    return this.#inPieces(`memory.copy ${to} ${from}`, {
      operation: [0xfc, 10, ...leb(to), ...leb(from)],
      parameters: [{ moves: target }, { moves: source }],
      count: target === I64 && source === I64 ? I64 : I32,
      piece: MEMORY_PIECE,
      overlaps: to === from,
    });
  }

  memoryInit(segment: number, memory: number): number {
    return this.#inPieces(`memory.init ${segment} ${memory}`, {
      operation: [0xfc, 8, ...leb(segment), ...leb(memory)],
      parameters: [{ moves: this.#address(memory) }, { moves: I32 }],
      count: I32,
      piece: MEMORY_PIECE,
    });
  }

  tableFill(table: number): number {
    const { count, element } = this.#table(table);
    return this.#inPieces(`table.fill ${table}`, {
      operation: [0xfc, 17, ...leb(table)],
      parameters: [{ moves: count }, { stays: element }],
      count,
      piece: TABLE_PIECE,
    });
  }

  tableCopy(to: number, from: number): number {
    const [target, source] = [this.#table(to).count, this.#table(from).count];
    return this.#inPieces(`table.copy ${to} ${from}`, {
      operation: [0xfc, 14, ...leb(to), ...leb(from)],
      parameters: [{ moves: target }, { moves: source }],
      count: target === I64 && source === I64 ? I64 : I32,
      piece: TABLE_PIECE,
      overlaps: to === from,
    });
  }

  tableInit(segment: number, table: number): number {
    return this.#inPieces(`table.init ${segment} ${table}`, {
      operation: [0xfc, 12, ...leb(segment), ...leb(table)],
      parameters: [{ moves: this.#table(table).count }, { moves: I32 }],
      count: I32,
      piece: TABLE_PIECE,
    });
  }

  #address(memory: number): NumberType {
    const shape = this.#outline.memories[memory];
    if (shape === undefined) throw new Unsupported(`it names memory ${memory}, which it does not have`);
    return shape.wide ? I64 : I32;
  }

  #table(table: number): { count: NumberType; element: readonly number[] } {
    const type = this.#outline.tables[table];
    if (type === undefined) throw new Unsupported(`it names table ${table}, which it does not have`);
    return { count: type.wide ? I64 : I32, element: [...type.element] };
  }

  #inPieces(name: string, piece: Piece): number {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const parameters = piece.parameters.map((it) => ('moves' in it ? [it.moves] : it.stays));
    return this.#make(name, this.types.of([...parameters, [piece.count]], []), (code) => {
      pieces(code, { ...piece, check: this.check });
    });
  }

  /** Asks the host; where the engine then does not grow after all, gives back what the host has counted. */
  #growing(name: string, { kind, parameters, count, grow }: Growth): number {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const amount = parameters.length - 1;
    const result = parameters.length;
    const type = this.types.of(parameters, [[count]]);
    const none = count === I64 ? [0x42, 0x7f] : [0x41, 0x7f];
    const isNone = [...none, count === I64 ? OP.i64_eq : OP.i32_eq];
    const widened = [OP.local_get, amount, ...(count === I64 ? [] : [OP.i64_extend_u])];
    const ask = (delta: readonly number[]) => [0x41, kind, ...delta, OP.call, ...leb(this.#grow)];
    return this.#make(
      name,
      type,
      (code) => {
        code.all(this.check);
        // An amount of 64 bits with its sign bit set is beyond any limit, and would read as giving back.
        code.all([...widened, 0x42, 0, OP.i64_lt_s, OP.if, OP.empty, ...none, OP.return, OP.end]);
        code.all([...ask(widened), OP.i32_eqz, OP.if, OP.empty, ...none, OP.return, OP.end]);
        for (let index = 0; index <= amount; index++) code.all([OP.local_get, index]);
        code.all([...grow, OP.local_tee, result, ...isNone, OP.if, OP.empty]);
        code.all([...ask([0x42, 0, ...widened, OP.i64_sub]), OP.drop, OP.end, OP.local_get, result]);
      },
      [count],
    );
  }

  #make(name: string, type: number, write: (code: Output) => void, locals: readonly number[] = []): number {
    if (this.all.length >= MOST_HELPERS) throw new Unsupported('it uses too many different bulk instructions');
    const body = new Output();
    body.u32(locals.length);
    for (const local of locals) body.all([1, local]);
    write(body);
    body.byte(OP.end);
    const index = this.#first + this.all.length;
    this.all.push({ type, name, body: body.bytes });
    this.#known.set(name, index);
    return index;
  }
}

interface Growth {
  readonly kind: number;
  /** Encoded types; the last is the amount. */
  readonly parameters: readonly (readonly number[])[];
  readonly count: NumberType;
  readonly grow: readonly number[];
}

export function leb(value: number): number[] {
  const bytes = new Output({ capacity: 5 });
  bytes.u32(value);
  return [...bytes.bytes];
}
