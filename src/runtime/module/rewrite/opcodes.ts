/**
 * Every instruction that the engine takes by default, with what follows its opcode. One table, to be read; the walker knows
 * nothing else of instructions, and what is not here it refuses.
 *
 * A row names a run of opcodes that carry the same immediates; `-` is an opcode that is not taken.
 * Sources: WebAssembly core specification 3.0, chapter 5; proposals threads, relaxed SIMD, legacy exception handling.
 */

/** What follows an opcode, by what the walker has to do about it. */
export const IMMEDIATES = [
  'none',
  /** A block's type; opens a block. */
  'block',
  /** A block's type; opens a loop. */
  'loop',
  /** Ends a block. */
  'end',
  /** One LEB number of any kind: an index that does not move, a constant, a label, a heap type. */
  'leb',
  'leb leb',
  /** A label that also ends the block (legacy `delegate`). */
  'delegate',
  /** Labels, and one more. */
  'labels',
  /** The index of a function. */
  'function',
  'call',
  /** Type and table, or type. */
  'call leb leb',
  'call leb',
  /** Value types. */
  'types',
  /** A block's type, then catch clauses; opens a block. */
  'try_table',
  'bytes4',
  'bytes8',
  'bytes16',
  'byte',
  /** Alignment, perhaps a memory, offset. */
  'memarg',
  'memarg byte',
  /** Flags, label, two heap types. */
  'cast',
  'memory.grow',
  'memory.init',
  'memory.copy',
  'memory.fill',
  'table.init',
  'table.copy',
  'table.grow',
  'table.fill',
] as const;

export type Immediates = (typeof IMMEDIATES)[number];

/** First opcode of the run, its immediates, its names. */
type Row = readonly [first: number, immediates: Immediates, names: string];

const PLAIN: readonly Row[] = [
  [0x00, 'none', 'unreachable nop'],
  [0x02, 'block', 'block'],
  [0x03, 'loop', 'loop'],
  [0x04, 'block', 'if'],
  [0x05, 'none', 'else'],
  [0x06, 'block', 'try'],
  [0x07, 'leb', 'catch throw rethrow'],
  [0x0a, 'none', 'throw_ref'],
  [0x0b, 'end', 'end'],
  [0x0c, 'leb', 'br br_if'],
  [0x0e, 'labels', 'br_table'],
  [0x0f, 'none', 'return'],
  [0x10, 'call', 'call'],
  [0x11, 'call leb leb', 'call_indirect'],
  [0x12, 'call', 'return_call'],
  [0x13, 'call leb leb', 'return_call_indirect'],
  [0x14, 'call leb', 'call_ref return_call_ref'],
  [0x18, 'delegate', 'delegate'],
  [0x19, 'none', 'catch_all drop select'],
  [0x1c, 'types', 'select_t'],
  [0x1f, 'try_table', 'try_table'],
  [0x20, 'leb', 'local.get local.set local.tee global.get global.set table.get table.set'],
  [0x28, 'memarg', 'i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u'],
  [0x30, 'memarg', 'i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u'],
  [0x36, 'memarg', 'i32.store i64.store f32.store f64.store'],
  [0x3a, 'memarg', 'i32.store8 i32.store16 i64.store8 i64.store16 i64.store32'],
  [0x3f, 'leb', 'memory.size'],
  [0x40, 'memory.grow', 'memory.grow'],
  [0x41, 'leb', 'i32.const i64.const'],
  [0x43, 'bytes4', 'f32.const'],
  [0x44, 'bytes8', 'f64.const'],
  [0x45, 'none', 'i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u'],
  [0x50, 'none', 'i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u'],
  [0x5b, 'none', 'f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge'],
  [0x67, 'none', 'i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u'],
  [0x71, 'none', 'i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr'],
  [0x79, 'none', 'i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u'],
  [0x83, 'none', 'i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr'],
  [0x8b, 'none', 'f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt'],
  [0x92, 'none', 'f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign'],
  [0x99, 'none', 'f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt'],
  [0xa0, 'none', 'f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign'],
  [0xa7, 'none', 'i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u'],
  [0xac, 'none', 'i64.extend_i32_s i64.extend_i32_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u'],
  [0xb2, 'none', 'f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64'],
  [0xb7, 'none', 'f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32'],
  [0xbc, 'none', 'i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64'],
  [0xc0, 'none', 'i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s'],
  [0xd0, 'leb', 'ref.null'],
  [0xd1, 'none', 'ref.is_null'],
  [0xd2, 'function', 'ref.func'],
  [0xd3, 'none', 'ref.eq ref.as_non_null'],
  [0xd5, 'leb', 'br_on_null br_on_non_null'],
];

/** Behind 0xFB: structures, arrays, casts. */
const GC: readonly Row[] = [
  [0, 'leb', 'struct.new struct.new_default'],
  [2, 'leb leb', 'struct.get struct.get_s struct.get_u struct.set'],
  [6, 'leb', 'array.new array.new_default'],
  [8, 'leb leb', 'array.new_fixed array.new_data array.new_elem'],
  [11, 'leb', 'array.get array.get_s array.get_u array.set'],
  [15, 'none', 'array.len'],
  [16, 'leb', 'array.fill'],
  [17, 'leb leb', 'array.copy array.init_data array.init_elem'],
  [20, 'leb', 'ref.test ref.test_null ref.cast ref.cast_null'],
  [24, 'cast', 'br_on_cast br_on_cast_fail'],
  [26, 'none', 'any.convert_extern extern.convert_any ref.i31 i31.get_s i31.get_u'],
];

/** Behind 0xFC: conversions that saturate, memories and tables in bulk. */
const BULK: readonly Row[] = [
  [0, 'none', 'i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u'],
  [4, 'none', 'i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u'],
  [8, 'memory.init', 'memory.init'],
  [9, 'leb', 'data.drop'],
  [10, 'memory.copy', 'memory.copy'],
  [11, 'memory.fill', 'memory.fill'],
  [12, 'table.init', 'table.init'],
  [13, 'leb', 'elem.drop'],
  [14, 'table.copy', 'table.copy'],
  [15, 'table.grow', 'table.grow'],
  [16, 'leb', 'table.size'],
  [17, 'table.fill', 'table.fill'],
];

const lanes = (shape: string, operations: string) =>
  operations
    .split(' ')
    .map((operation) => (operation === '-' ? '-' : `${shape}.${operation}`))
    .join(' ');
const COMPARE = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
const COMPARE_FLOAT = 'eq ne lt gt le ge';
const MINMAX = 'min_s min_u max_s max_u';
const SHIFTS = 'shl shr_s shr_u';
const extended = (from: string) =>
  `extend_low_${from}_s extend_high_${from}_s extend_low_${from}_u extend_high_${from}_u`;
const products = (from: string) =>
  `extmul_low_${from}_s extmul_high_${from}_s extmul_low_${from}_u extmul_high_${from}_u`;

/** Behind 0xFD: SIMD, from 0x100 the relaxed part. */
const SIMD: readonly Row[] = [
  [0, 'memarg', lanes('v128', 'load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u')],
  [7, 'memarg', lanes('v128', 'load8_splat load16_splat load32_splat load64_splat store')],
  [12, 'bytes16', 'v128.const i8x16.shuffle'],
  [14, 'none', 'i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat'],
  [21, 'byte', 'i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane'],
  [24, 'byte', 'i16x8.extract_lane_s i16x8.extract_lane_u i16x8.replace_lane'],
  [27, 'byte', 'i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane'],
  [31, 'byte', 'f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane'],
  [35, 'none', lanes('i8x16', COMPARE)],
  [45, 'none', lanes('i16x8', COMPARE)],
  [55, 'none', lanes('i32x4', COMPARE)],
  [65, 'none', lanes('f32x4', COMPARE_FLOAT)],
  [71, 'none', lanes('f64x2', COMPARE_FLOAT)],
  [77, 'none', lanes('v128', 'not and andnot or xor bitselect any_true')],
  [84, 'memarg byte', lanes('v128', 'load8_lane load16_lane load32_lane load64_lane')],
  [88, 'memarg byte', lanes('v128', 'store8_lane store16_lane store32_lane store64_lane')],
  [92, 'memarg', 'v128.load32_zero v128.load64_zero'],
  [94, 'none', 'f32x4.demote_f64x2_zero f64x2.promote_low_f32x4'],
  [96, 'none', lanes('i8x16', 'abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u')],
  [103, 'none', lanes('f32x4', 'ceil floor trunc nearest')],
  [107, 'none', lanes('i8x16', `${SHIFTS} add add_sat_s add_sat_u sub sub_sat_s sub_sat_u`)],
  [116, 'none', 'f64x2.ceil f64x2.floor'],
  [118, 'none', lanes('i8x16', MINMAX)],
  [122, 'none', 'f64x2.trunc i8x16.avgr_u'],
  [124, 'none', 'i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u'],
  [126, 'none', 'i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u'],
  [128, 'none', lanes('i16x8', 'abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u')],
  [135, 'none', lanes('i16x8', extended('i8x16'))],
  [139, 'none', lanes('i16x8', `${SHIFTS} add add_sat_s add_sat_u sub sub_sat_s sub_sat_u`)],
  [148, 'none', 'f64x2.nearest'],
  [149, 'none', lanes('i16x8', `mul ${MINMAX} - avgr_u ${products('i8x16')}`)],
  [160, 'none', lanes('i32x4', `abs neg - all_true bitmask - - ${extended('i16x8')} ${SHIFTS} add - - sub`)],
  [181, 'none', lanes('i32x4', `mul ${MINMAX} dot_i16x8_s - ${products('i16x8')}`)],
  [192, 'none', lanes('i64x2', `abs neg - all_true bitmask - - ${extended('i32x4')} ${SHIFTS} add - - sub`)],
  [213, 'none', lanes('i64x2', `mul eq ne lt_s gt_s le_s ge_s ${products('i32x4')}`)],
  [224, 'none', lanes('f32x4', 'abs neg - sqrt add sub mul div min max pmin pmax')],
  [236, 'none', lanes('f64x2', 'abs neg - sqrt add sub mul div min max pmin pmax')],
  [248, 'none', 'i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u'],
  [252, 'none', 'i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero'],
  [254, 'none', 'f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u'],
  [256, 'none', 'i8x16.relaxed_swizzle'],
  [257, 'none', lanes('i32x4', 'relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u')],
  [259, 'none', lanes('i32x4', 'relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero')],
  [261, 'none', 'f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd'],
  [265, 'none', 'i8x16.relaxed_laneselect i16x8.relaxed_laneselect'],
  [267, 'none', 'i32x4.relaxed_laneselect i64x2.relaxed_laneselect'],
  [269, 'none', 'f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min f64x2.relaxed_max'],
  [273, 'none', 'i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s i32x4.relaxed_dot_i8x16_i7x16_add_s'],
];

const WIDTHS = ['i32.atomic.rmw', 'i64.atomic.rmw', 'i32.atomic.rmw8', 'i32.atomic.rmw16'];
const WIDTHS_OF_64 = ['i64.atomic.rmw8', 'i64.atomic.rmw16', 'i64.atomic.rmw32'];
/** A narrow one is told by its number of bits, and extends without sign. */
const atomic = (operation: string) =>
  [...WIDTHS, ...WIDTHS_OF_64].map((width) => `${width}.${operation}${/\d$/.test(width) ? '_u' : ''}`).join(' ');

/** Behind 0xFE: threads and atomics. */
const ATOMIC: readonly Row[] = [
  [0, 'memarg', 'memory.atomic.notify memory.atomic.wait32 memory.atomic.wait64'],
  [3, 'byte', 'atomic.fence'],
  [0x10, 'memarg', 'i32.atomic.load i64.atomic.load i32.atomic.load8_u i32.atomic.load16_u'],
  [0x14, 'memarg', 'i64.atomic.load8_u i64.atomic.load16_u i64.atomic.load32_u'],
  [0x17, 'memarg', 'i32.atomic.store i64.atomic.store i32.atomic.store8 i32.atomic.store16'],
  [0x1b, 'memarg', 'i64.atomic.store8 i64.atomic.store16 i64.atomic.store32'],
  [0x1e, 'memarg', atomic('add')],
  [0x25, 'memarg', atomic('sub')],
  [0x2c, 'memarg', atomic('and')],
  [0x33, 'memarg', atomic('or')],
  [0x3a, 'memarg', atomic('xor')],
  [0x41, 'memarg', atomic('xchg')],
  [0x48, 'memarg', atomic('cmpxchg')],
];

/** Prefix byte, 0 for none, and its rows. */
const SPACES: readonly (readonly [prefix: number, rows: readonly Row[]])[] = [
  [0, PLAIN],
  [0xfb, GC],
  [0xfc, BULK],
  [0xfd, SIMD],
  [0xfe, ATOMIC],
];

/** More than any second opcode. */
const SPACE_SIZE = 0x180;
/** In the tables: no such instruction. */
export const UNKNOWN = 255;

export interface Instruction {
  readonly name: string;
  readonly prefix: number;
  readonly code: number;
  readonly immediates: Immediates;
}

/** All instructions, by name. */
export const INSTRUCTIONS: ReadonlyMap<string, Instruction> = new Map(
  SPACES.flatMap(([prefix, rows]) => rows.flatMap((row) => instructionsOf(prefix, row))).map((it) => [it.name, it]),
);

function instructionsOf(prefix: number, [first, immediates, names]: Row): Instruction[] {
  return names
    .split(' ')
    .map((name, offset) => ({ name, prefix, code: first + offset, immediates }))
    .filter(({ name }) => name !== '-');
}

/** By prefix and code: the place of its immediates in `IMMEDIATES`, or `UNKNOWN`. */
export function tableOf(prefix: number): Uint8Array | undefined {
  return TABLES.get(prefix);
}

const TABLES = new Map(
  SPACES.map(([prefix]) => {
    const table = new Uint8Array(SPACE_SIZE).fill(UNKNOWN);
    for (const instruction of INSTRUCTIONS.values()) {
      if (instruction.prefix === prefix) table[instruction.code] = IMMEDIATES.indexOf(instruction.immediates);
    }
    return [prefix, table];
  }),
);
