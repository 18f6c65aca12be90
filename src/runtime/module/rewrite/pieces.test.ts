/** Bulk instructions in pieces, held against the instruction itself: same bytes, same traps, at sizes around those of a piece. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assemble, type ModuleSource } from '../assemble.suite.ts';
import { instantiate } from '../instantiate.ts';
import { rewrite } from './mod.ts';

const PIECE = 65536;
const ELEMENTS = 4096;
const BIG = Uint8Array.from({ length: 3 * PIECE }, (_, at) => (at * 31) >> 3);

interface Sides {
  readonly plain: WebAssembly.Exports;
  readonly rewritten: WebAssembly.Exports;
  readonly checks: () => number;
}

function both(source: ModuleSource): Sides {
  const bytes = assemble(source);
  const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  const outcome = rewrite(bytes);
  assert.ok('bytes' in outcome);
  const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  new Int32Array(control.buffer)[0] = 1;
  let checks = 0;
  const pause = () => {
    checks++;
    return 0;
  };
  const made = instantiate(
    new WebAssembly.Module(outcome.bytes),
    {},
    { injected: { control, yield: pause, grow: () => 1 } },
  );
  assert.ok('instance' in made);
  return { plain, rewritten: made.instance.exports, checks: () => checks };
}

function outcomeOf(exports: WebAssembly.Exports, name: string, values: readonly unknown[]): string {
  try {
    return String((exports[name] as WebAssembly.AnyFunction)(...values));
  } catch (error) {
    return String(error);
  }
}

const SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5, 4 * PIECE, 5 * PIECE, 0x7fffffff, -1];
const PLACES = [0, 3, PIECE, 4 * PIECE, 6 * PIECE - 3, 0x7fffffff, -3];

describe('memory instructions in pieces', () => {
  const address = { narrow: 'i32', wide: 'i64' } as const;
  for (const [title, type] of Object.entries(address)) {
    const source: ModuleSource = {
      memories: [`${type === 'i64' ? 'i64 ' : ''}6 6`],
      data: [{ bytes: BIG }],
      exports: ['memory m 0'],
      functions: [
        {
          type: `${type} i32 ${type} -> `,
          export: 'fill',
          code: 'local.get 0\nlocal.get 1\nlocal.get 2\nmemory.fill 0',
        },
        {
          type: `${type} ${type} ${type} -> `,
          export: 'copy',
          code: 'local.get 0\nlocal.get 1\nlocal.get 2\nmemory.copy 0 0',
        },
        { type: `${type} i32 i32 -> `, export: 'init', code: 'local.get 0\nlocal.get 1\nlocal.get 2\nmemory.init 0 0' },
        { type: ' -> ', export: 'drop', code: 'data.drop 0' },
      ],
    };
    const number = (value: number) => (type === 'i64' ? BigInt(value) : value);

    it(`do what the instruction does (${title})`, () => {
      const { plain, rewritten } = both(source);
      const calls = SIZES.flatMap((size) =>
        PLACES.flatMap((place) => [
          { name: 'init', values: [number(place), 7, size] },
          { name: 'fill', values: [number(place), size & 0xff, number(size)] },
          ...PLACES.map((from) => ({ name: 'copy', values: [number(place), number(from), number(size)] })),
        ]),
      );
      for (const { name, values } of [
        ...calls,
        { name: 'drop', values: [] },
        { name: 'init', values: [number(0), 0, PIECE + 1] },
      ]) {
        assert.equal(outcomeOf(rewritten, name, values), outcomeOf(plain, name, values), `${name} ${values.join(' ')}`);
      }
      const [a, b] = [plain, rewritten].map((it) => Buffer.from((it['m'] as WebAssembly.Memory).buffer));
      assert.ok(a?.equals(b ?? Buffer.alloc(0)));
    });

    it(`have a check between pieces (${title})`, () => {
      const { rewritten, checks } = both(source);
      outcomeOf(rewritten, 'fill', [number(0), 1, number(6 * PIECE)]);
      assert.ok(checks() >= 6);
    });
  }

  it('copy between memories of different widths', () => {
    const { plain, rewritten } = both({
      memories: ['4 4', 'i64 4 4'],
      data: [{ at: 0, bytes: BIG.subarray(0, 2 * PIECE) }],
      exports: ['memory a 0', 'memory b 1'],
      functions: [
        { type: 'i64 i32 i32 -> ', export: 'there', code: 'local.get 0\nlocal.get 1\nlocal.get 2\nmemory.copy 1 0' },
        { type: 'i32 i64 i32 -> ', export: 'back', code: 'local.get 0\nlocal.get 1\nlocal.get 2\nmemory.copy 0 1' },
      ],
    });
    for (const size of [1, PIECE + 1, 2 * PIECE, 4 * PIECE, 5 * PIECE, -1]) {
      for (const [name, values] of [
        ['there', [5n, 1, size]],
        ['back', [PIECE, 0n, size]],
      ] as const) {
        assert.equal(outcomeOf(rewritten, name, values), outcomeOf(plain, name, values), `${name} ${values.join(' ')}`);
      }
    }
    const contents = (side: WebAssembly.Exports) =>
      ['a', 'b'].map((name) => Buffer.from((side[name] as WebAssembly.Memory).buffer));
    assert.deepEqual(contents(rewritten), contents(plain));
  });
});

describe('table instructions in pieces', () => {
  const all = Array.from({ length: 3 * ELEMENTS }, (_, at) => at % 3);
  const source: ModuleSource = {
    tables: [`funcref ${6 * ELEMENTS} ${6 * ELEMENTS}`],
    elements: [[1, 0, 0x80 | (all.length & 0x7f), all.length >> 7, ...all]],
    exports: ['table t 0'],
    functions: [
      { type: ' -> i32', export: 'zero', code: 'i32.const 0' },
      { type: ' -> i32', export: 'one', code: 'i32.const 1' },
      { type: ' -> i32', export: 'two', code: 'i32.const 2' },
      { type: 'i32 i32 -> ', export: 'fill', code: 'local.get 0\nref.func 1\nlocal.get 1\ntable.fill 0' },
      { type: 'i32 i32 i32 -> ', export: 'copy', code: 'local.get 0\nlocal.get 1\nlocal.get 2\ntable.copy 0 0' },
      { type: 'i32 i32 i32 -> ', export: 'init', code: 'local.get 0\nlocal.get 1\nlocal.get 2\ntable.init 0 0' },
    ],
  };

  it('do what the instruction does', () => {
    const { plain, rewritten } = both(source);
    const sizes = [0, 1, ELEMENTS, ELEMENTS + 1, 2 * ELEMENTS + 5, 5 * ELEMENTS, -1];
    const places = [0, 3, ELEMENTS, 5 * ELEMENTS, -3];
    for (const size of sizes) {
      for (const place of places) {
        const calls: [string, number[]][] = [
          ['init', [place, 5, size]],
          ['copy', [place, 1, size]],
          ['copy', [1, place, size]],
          ['fill', [place, size]],
        ];
        for (const [name, values] of calls) {
          assert.equal(
            outcomeOf(rewritten, name, values),
            outcomeOf(plain, name, values),
            `${name} ${values.join(' ')}`,
          );
        }
      }
    }
    const names = (side: WebAssembly.Exports) => {
      const table = side['t'] as WebAssembly.Table;
      return Array.from({ length: table.length }, (_, at) => (table.get(at) as WebAssembly.AnyFunction | null)?.());
    };
    assert.deepEqual(names(rewritten), names(plain));
  });
});
