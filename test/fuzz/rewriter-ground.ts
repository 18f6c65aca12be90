/** What code of random functions is made of: types, the module around it, and values without parts. Written as lines for `assemble`. */
import type { Random } from './fuzzer.ts';
import type { NumberType } from './rewriter-signatures.ts';

export type ValueType =
  | NumberType
  | 'funcref'
  | 'externref'
  | 'anyref'
  | 'i31ref'
  | 'exnref'
  | 'refnull:0'
  | 'refnull:1';

export interface Callee {
  readonly takes: readonly ValueType[];
  readonly gives: ValueType | undefined;
}

/** What the module has around a function. */
export interface World {
  readonly collected: boolean;
  readonly exceptions: boolean;
  readonly simd: boolean;
  readonly legacy: boolean;
  /** In index order, imports first. */
  readonly functions: readonly Callee[];
  /** Number 0 is the fuel. */
  readonly globals: readonly { readonly type: ValueType; readonly mutable: boolean }[];
  readonly memories: readonly { readonly wide: boolean }[];
  readonly tables: readonly { readonly type: ValueType; readonly wide: boolean }[];
  readonly data: number;
  readonly elements: number;
  /** Of an exception that carries an i32. */
  readonly tag: number;
  /** Types that are no plain functions, in front of those that are. */
  readonly extraTypes: number;
}

interface Label {
  readonly type: ValueType | undefined;
}

/** Numbers at which programs break, and sizes around those of a piece. */
const NUMBERS = [0, 1, -1, 2, 7, 255, 4095, 4096, 4097, 65535, 65536, 65537, 70_000, 131_072, 0x7fffffff, -0x80000000];
const ADDRESS_MASK = 0x3ffff;
const NUMERIC: readonly NumberType[] = ['i32', 'i64', 'f32', 'f64'];
export const USE_FUEL = [
  ...['global.get 0', 'i32.eqz', 'if empty', 'unreachable', 'end'],
  ...['global.get 0', 'i32.const 1', 'i32.sub', 'global.set 0'],
];

export abstract class CodeGround {
  readonly lines: string[] = [...USE_FUEL];
  protected readonly random: Random;
  protected readonly world: World;
  protected readonly locals: readonly ValueType[];
  protected readonly labels: Label[];
  protected readonly callee: Callee;
  protected left = 400;

  constructor(
    random: Random,
    options: { readonly world: World; readonly callee: Callee; readonly locals: readonly ValueType[] },
  ) {
    this.random = random;
    this.world = options.world;
    this.callee = options.callee;
    this.locals = options.locals;
    this.labels = [{ type: options.callee.gives }];
  }

  /** Leaves a value of this type. */
  abstract value(type: ValueType, depth: number): void;

  protected add(...lines: string[]) {
    this.lines.push(...lines);
    this.left -= lines.length;
  }

  protected shallow(depth: number): boolean {
    return depth <= 0 || this.left <= 0;
  }

  protected types(): readonly ValueType[] {
    const { simd, collected, exceptions, legacy } = this.world;
    return [
      ...NUMERIC,
      ...(simd ? (['v128'] as const) : []),
      ...(['funcref', 'externref'] as const),
      ...(collected ? (['anyref', 'i31ref', 'refnull:0', 'refnull:1'] as const) : []),
      ...(exceptions && !legacy ? (['exnref'] as const) : []),
    ];
  }

  protected leaf(type: ValueType) {
    const same = this.locals.flatMap((local, index) => (local === type ? [`local.get ${index}`] : []));
    const globals = this.world.globals.flatMap((it, index) =>
      it.type === type && index > 0 ? [`global.get ${index}`] : [],
    );
    const found = [...same, ...same, ...globals];
    if (found.length > 0 && !this.random.oneIn(3)) return this.add(this.random.pick(found));
    this.constant(type);
  }

  protected constant(type: ValueType) {
    const random = this.random;
    const number = () => (random.oneIn(2) ? random.pick(NUMBERS) : random.below(1 << 20));
    if (type === 'i32' || type === 'i64') return this.add(`${type}.const ${number()}`);
    if (type === 'f32' || type === 'f64')
      return this.add(`${type}.const ${random.pick([0, -0, 0.5, -1.5, 1e10, 3e38, 1e-40, Infinity, number()])}`);
    if (type === 'v128') return this.add(`v128.const ${[...random.bytes(16)].join(' ')}`);
    if (type === 'funcref')
      return this.add(random.oneIn(4) ? 'ref.null func' : `ref.func ${random.below(this.world.functions.length)}`);
    if (type === 'externref') return this.add('ref.null extern');
    if (type === 'exnref') return this.add('ref.null -23');
    if (type === 'i31ref') return this.add(`i32.const ${number()}`, 'ref.i31');
    if (type === 'anyref') return this.add('ref.null any');
    return this.add(`ref.null ${type.slice(-1)}`);
  }

  /** Mostly within the memory, aligned to `1 << step` bytes. */
  protected address(memory: number, { depth, step = 0 }: { readonly depth: number; readonly step?: number }) {
    this.value('i32', depth - 2);
    this.add(`i32.const ${(ADDRESS_MASK >> step) << step}`, 'i32.and');
    if (this.world.memories[memory]?.wide === true) this.add('i64.extend_i32_u');
  }

  protected count(wide: boolean, depth: number) {
    if (this.random.oneIn(2)) this.add(`i32.const ${this.random.pick(NUMBERS)}`);
    else this.address(-1, { depth });
    if (wide) this.add(this.random.oneIn(8) ? 'i64.extend_i32_s' : 'i64.extend_i32_u');
  }
}

export function blockType(type: ValueType | undefined): string {
  if (type === undefined) return 'empty';
  return type.includes(':') ? `( -> ${type})` : type;
}
