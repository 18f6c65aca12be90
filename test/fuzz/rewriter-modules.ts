/** Random modules of every feature that the rewriter knows, valid by construction: a world of memories, tables, globals and types, and functions in it. */
import { assemble, type FunctionSource, type ModuleSource, unsigned } from '#runtime/module/assemble';
import type { Random } from './fuzzer.ts';
import { CodeMaker } from './rewriter-code.ts';
import type { Callee, ValueType, World } from './rewriter-ground.ts';

export interface Made {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly source: ModuleSource;
  /** Bytes at the end that are data: to change them changes nothing. */
  readonly dataBytes: number;
  /** Exported functions, in the order in which they are called. */
  readonly entries: readonly { readonly name: string; readonly takes: readonly ValueType[] }[];
}

const FUEL = 3000;
/** No two pieces of it are alike. */
const PATTERN = new Uint8Array(210_000).map((_, at) => (at * at) >> 4);
const MUTABLE_I32 = [0x7f, 1];
const MUTABLE_F64 = [0x7c, 1];
/** A structure of an i32, an f64 and another such; an array of i32. */
const COLLECTED_TYPES = [
  [0x5f, 3, ...MUTABLE_I32, ...MUTABLE_F64, 0x63, 0, 1],
  [0x5e, ...MUTABLE_I32],
];
/** What functions take and give: few types, so that calls fit often. */
const SIMPLE: readonly ValueType[] = ['i32', 'i64', 'f32', 'f64'];

export function makeModule(random: Random): Made {
  const features = {
    collected: random.oneIn(3),
    exceptions: random.oneIn(3),
    simd: random.oneIn(2),
    legacy: random.oneIn(2),
  };
  const types: readonly ValueType[] = [
    ...SIMPLE,
    ...(features.simd ? (['v128'] as const) : []),
    ...(features.collected ? (['anyref', 'refnull:0'] as const) : []),
  ];
  const defined = Array.from({ length: 1 + random.below(6) }, () => makeCallee(random, types));
  const functions: Callee[] = [{ takes: ['i32'], gives: 'i32' }, ...defined];
  const memories = Array.from({ length: 1 + random.below(3) }, (_, index) => ({ wide: index > 0 && random.oneIn(3) }));
  const tables = [
    { type: 'funcref' as const, wide: false },
    { type: 'externref' as const, wide: random.oneIn(3) },
    ...(random.oneIn(3) ? [{ type: 'funcref' as const, wide: random.oneIn(2) }] : []),
  ];
  const globals: World['globals'] = [
    { type: 'i32', mutable: true },
    ...Array.from({ length: random.below(6) }, () => ({ type: random.pick(types), mutable: !random.oneIn(4) })),
  ];
  const data = dataOf(random);
  const elements = elementsOf(random, functions.length);
  const extra = features.collected ? COLLECTED_TYPES : [];
  const world: World = {
    ...features,
    functions,
    globals,
    memories,
    tables,
    data: data.length,
    elements: elements.length,
    tag: 0,
    extraTypes: extra.length,
  };
  const source: ModuleSource = {
    types: extra,
    imports: [{ module: 'host', name: 'call', type: 'i32 -> i32' }],
    functions: defined.map((callee, index) => makeFunction(random, { world, callee, index })),
    memories: memories.map(({ wide }) => limitsOf(random, { wide, least: 4, most: 8, always: true })),
    tables: tables.map(
      ({ type, wide }) => `${type} ${limitsOf(random, { wide, least: 64, most: 20_000, always: true })}`,
    ),
    tags: features.exceptions ? ['i32 -> '] : [],
    globals: globals.map((global, index) => globalOf(global, index)),
    exports: [
      ...memories.map((_, index) => `memory memory${index} ${index}`),
      ...tables.map((_, index) => `table table${index} ${index}`),
      ...globals.flatMap(({ type }, index) => (type === 'v128' ? [] : [`global global${index} ${index}`])),
    ],
    ...startOf(random, defined),
    elements,
    data,
    ...(random.oneIn(2) && { custom: [{ name: 'name', bytes: [1, 8, 2, 0, 1, 0x61, 1, 2, 0x62, 0x63] }] }),
  };
  const entries = defined.map(({ takes }, index) => ({ name: `f${index}`, takes }));
  return {
    bytes: assemble(source),
    source,
    dataBytes: data.reduce((sum, { bytes }) => sum + bytes.length, 0),
    entries,
  };
}

function makeCallee(random: Random, types: readonly ValueType[]): Callee {
  return {
    takes: Array.from({ length: random.below(3) }, () => random.pick(types)),
    gives: random.oneIn(4) ? undefined : random.pick(types),
  };
}

interface FunctionOptions {
  readonly world: World;
  readonly callee: Callee;
  readonly index: number;
}

function makeFunction(random: Random, { world, callee, index }: FunctionOptions): FunctionSource {
  const locals: ValueType[] = [...SIMPLE, 'funcref', ...(world.collected ? (['refnull:0', 'refnull:1'] as const) : [])];
  const maker = new CodeMaker(random, { world, callee, locals: [...callee.takes, ...locals] });
  const code = maker.make();
  // Functions that take or give what JavaScript has no value for are called by others alone.
  const isCallable = [...callee.takes, callee.gives].every((type) => type !== 'v128');
  return {
    type: `${callee.takes.join(' ')} -> ${callee.gives ?? ''}`,
    locals: locals.join(' '),
    code,
    ...(isCallable && { export: `f${index}` }),
  };
}

function limitsOf(
  random: Random,
  { wide, least, most, always }: { wide: boolean; least: number; most: number; always: boolean },
): string {
  const initial = least + random.below(4);
  const maximum = always || random.oneIn(2) ? ` ${initial + random.below(most)}` : '';
  return `${wide ? 'i64 ' : ''}${initial}${maximum}`;
}

function globalOf({ type, mutable }: World['globals'][number], index: number): string {
  const initial: Readonly<Record<string, string>> = {
    v128: `v128.const ${Array.from({ length: 16 }, (_, lane) => lane * index).join(' ')}`,
    anyref: 'i32.const 3;ref.i31',
    'refnull:0': 'ref.null 0',
  };
  const value = index === 0 ? `i32.const ${FUEL}` : (initial[type] ?? `${type}.const ${index}`);
  // Constant expressions may compute.
  const computed = type === 'i32' && index > 0 ? `${value};i32.const 5;i32.mul` : value;
  return `${mutable ? 'mut ' : ''}${type} ${computed}`;
}

/** Small ones and one that is more than a piece. */
function dataOf(random: Random): NonNullable<ModuleSource['data']> {
  const sizes = [10, 5000, ...(random.oneIn(3) ? [150_000] : [])];
  const segments = sizes.map((size) => ({ bytes: PATTERN.subarray(size % 1000, (size % 1000) + size) }));
  const written = random.oneIn(3) ? PATTERN : random.bytes(50);
  return [...segments, { at: random.below(1000), bytes: written }];
}

function elementsOf(random: Random, functions: number): number[][] {
  const indexes = (count: number) => Array.from({ length: count }, () => unsigned(random.below(functions))).flat();
  const all = Array.from({ length: functions }, (_, index) => unsigned(index)).flat();
  const big = random.pick([300, 5000]);
  return [
    // Active, the functions at their number and one; passive, small and large; expressions; declared.
    [0, 0x41, 1, 0x0b, ...unsigned(functions), ...all],
    [1, 0, 10, ...indexes(10)],
    [1, 0, ...unsigned(big), ...indexes(big)],
    [5, 0x70, 2, 0xd2, ...unsigned(random.below(functions)), 0x0b, 0xd0, 0x70, 0x0b],
    [3, 0, ...unsigned(functions), ...all],
  ];
}

function startOf(random: Random, defined: readonly Callee[]): { start?: number } {
  const index = defined.findIndex(({ takes, gives }) => takes.length === 0 && gives === undefined);
  return index >= 0 && random.oneIn(2) ? { start: index + 1 } : {};
}
