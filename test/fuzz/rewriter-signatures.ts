/** What instructions take and leave, told from their names: so every instruction of the rewriter's table that computes is in the grammar. */
import { INSTRUCTIONS, type Instruction } from '#runtime/module';

export type NumberType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
export interface Signature {
  readonly instruction: Instruction;
  readonly takes: readonly NumberType[];
  readonly gives: NumberType | undefined;
  /** Its first operand is an address. */
  readonly memory: boolean;
}

const SCALARS = ['i32', 'i64', 'f32', 'f64'] as const;
const LANES: Readonly<Record<string, { readonly scalar: NumberType; readonly count: number }>> = {
  i8x16: { scalar: 'i32', count: 16 },
  i16x8: { scalar: 'i32', count: 8 },
  i32x4: { scalar: 'i32', count: 4 },
  i64x2: { scalar: 'i64', count: 2 },
  f32x4: { scalar: 'f32', count: 4 },
  f64x2: { scalar: 'f64', count: 2 },
};

const COMPARE = /^(eq|ne|lt|gt|le|ge)(_[su])?$/;
const UNARY = /^(clz|ctz|popcnt|abs|neg|ceil|floor|trunc|nearest|sqrt|extend(8|16|32)_s)$/;
const CONVERT = /^(wrap|trunc|trunc_sat|extend|convert|demote|promote|reinterpret)_(i32|i64|f32|f64)(_[su])?$/;
const LANE_UNARY =
  /^(not|abs|neg|popcnt|sqrt|ceil|floor|trunc|nearest|ext(end|add)_.*|convert_.*|(relaxed_)?trunc_.*|demote_.*|promote_.*)$/;
const LANE_TERNARY = /^(bitselect|relaxed_(laneselect|madd|nmadd|dot_i8x16_i7x16_add_s))$/;
const NARROW = /(8|16|32)(_[su])?$/;

/** How many lanes an instruction's immediate chooses from. */
export function lanesOf({ name }: Instruction): number {
  const [shape = '', operation = ''] = name.split('.');
  const bits = /(?:load|store)(8|16|32|64)_lane/.exec(operation)?.[1];
  return bits === undefined ? (LANES[shape]?.count ?? 16) : 128 / Number(bits);
}

function of(instruction: Instruction): Signature | undefined {
  const [shape = '', ...rest] = instruction.name.split('.');
  const operation = rest.join('.');
  const found = instruction.name.includes('atomic')
    ? atomic(shape, operation)
    : instruction.prefix === 0xfd
      ? vector(shape, operation)
      : scalar(shape, operation);
  if (found === undefined) return undefined;
  const [takes, gives] = found;
  return { instruction, takes, gives, memory: instruction.immediates.startsWith('memarg') };
}

type Found = readonly [takes: readonly NumberType[], gives: NumberType | undefined];

function scalar(shape: string, operation: string): Found | undefined {
  const type = SCALARS.find((one) => one === shape);
  if (type === undefined || operation === 'const') return undefined;
  if (operation.startsWith('load')) return [['i32'], type];
  if (operation.startsWith('store')) return [['i32', type], undefined];
  if (operation === 'eqz') return [[type], 'i32'];
  if (COMPARE.test(operation)) return [[type, type], 'i32'];
  if (UNARY.test(operation)) return [[type], type];
  const from = CONVERT.exec(operation)?.[2] as NumberType | undefined;
  return from === undefined ? [[type, type], type] : [[from], type];
}

function atomic(shape: string, operation: string): Found | undefined {
  if (shape === 'atomic') return [[], undefined];
  if (operation === 'atomic.notify') return [['i32', 'i32'], 'i32'];
  if (shape === 'memory') return undefined;
  const type = shape as NumberType;
  if (operation.startsWith('atomic.load')) return [['i32'], type];
  if (operation.startsWith('atomic.store')) return [['i32', type], undefined];
  return [operation.includes('cmpxchg') ? ['i32', type, type] : ['i32', type], type];
}

function vector(shape: string, operation: string): Found | undefined {
  if (operation === 'const') return undefined;
  if (operation.endsWith('_lane') && operation.startsWith('load')) return [['i32', 'v128'], 'v128'];
  if (operation.startsWith('load')) return [['i32'], 'v128'];
  if (operation.startsWith('store')) return [['i32', 'v128'], undefined];
  const scalarType = LANES[shape]?.scalar ?? 'i32';
  if (operation === 'splat') return [[scalarType], 'v128'];
  if (operation.startsWith('extract_lane')) return [['v128'], scalarType];
  if (operation === 'replace_lane') return [['v128', scalarType], 'v128'];
  if (/^sh[lr]/.test(operation)) return [['v128', 'i32'], 'v128'];
  if (/^(any_true|all_true|bitmask)$/.test(operation)) return [['v128'], 'i32'];
  if (LANE_TERNARY.test(operation)) return [['v128', 'v128', 'v128'], 'v128'];
  if (LANE_UNARY.test(operation)) return [['v128'], 'v128'];
  return [['v128', 'v128'], 'v128'];
}

/** Bytes that a memory access touches, as a power of two: atomics demand exactly this alignment. */
export function alignmentOf({ name }: Instruction): number {
  const operation = name
    .slice(name.indexOf('.') + 1)
    .replace('atomic.', '')
    .replace(/\.(add|sub|and|or|xor|xchg|cmpxchg)/, '');
  if (name === 'memory.atomic.notify') return 2;
  const bits = NARROW.exec(operation)?.[1];
  if (bits !== undefined) return Math.log2(Number(bits) / 8);
  return name.startsWith('i64') || name.startsWith('f64') ? 3 : 2;
}

/** Those that the generator composes by their types alone. */
export const SIGNATURES: readonly Signature[] = [...INSTRUCTIONS.values()].flatMap((instruction) => {
  const composable = ['none', 'byte', 'memarg', 'memarg byte', 'bytes16'].includes(instruction.immediates);
  const isNumeric = /^(i32|i64|f32|f64|v128|[if]\d+x\d+|memory\.atomic|atomic)\b/.test(instruction.name);
  const found = composable && isNumeric ? of(instruction) : undefined;
  return found === undefined ? [] : [found];
});

const byResult = new Map<NumberType | undefined, Signature[]>();
for (const signature of SIGNATURES)
  byResult.set(signature.gives, [...(byResult.get(signature.gives) ?? []), signature]);

/** Those that leave this type; without one, those that leave nothing. */
export function producing(type: NumberType | undefined): readonly Signature[] {
  return byResult.get(type) ?? [];
}
