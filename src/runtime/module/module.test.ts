import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { SCRIPTED } from '../scripted.suite.ts';
import { p1Functions } from '../wasi/p1/functions.ts';
import { PREVIEW1 } from '../wasi/p1/layout.ts';
import { assemble } from './assemble.suite.ts';
import { inspect, refusalAt } from './inspect.ts';
import { limitModule } from './limits.ts';
import { PROVIDED } from './provided.ts';

const PREAMBLE = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const name = (text: string) => [text.length, ...Buffer.from(text)];
const section = (id: number, ...content: number[]) => [id, content.length, ...content];
const TYPE = section(1, 1, 0x60, 0, 0);
const FUNC = section(3, 1, 0);
const CODE = section(10, 1, 2, 0, 0x0b);
const wasm = (...sections: number[][]) => new Uint8Array([...PREAMBLE, ...sections.flat()]);
const command = wasm(TYPE, FUNC, section(7, 1, ...name('_start'), 0, 0), CODE);
const code = (bytes: Uint8Array<ArrayBuffer>) => inspect(bytes, 'sha256:x').refusal?.code;

describe('inspect()', () => {
  it('tells a command from a reactor', () => {
    assert.equal(inspect(command, 'sha256:x').kind, 'command');
    assert.equal(inspect(wasm(TYPE, FUNC, section(7, 1, ...name('run'), 0, 0), CODE), 'sha256:x').kind, 'reactor');
  });

  it('finds flavours, imports and exports of a real program, and nothing to refuse', () => {
    const verdict = inspect(new Uint8Array(readFileSync(SCRIPTED)), 'sha256:x');
    assert.deepEqual(verdict.wasi, ['wasi_snapshot_preview1']);
    assert.ok(verdict.imports.some(({ name }) => name === 'fd_write'));
    assert.ok(verdict.exports.some(({ name, kind }) => name === 'memory' && kind === 'memory'));
    assert.equal(refusalAt(verdict, '_start'), undefined);
    assert.match(refusalAt(verdict, 'main')?.message ?? '', /no function 'main'; it exports '_start'/);
  });

  const importing = (module: string, item: string, ...type: number[]) =>
    wasm(
      TYPE,
      section(2, 1, ...name(module), ...name(item), ...type),
      FUNC,
      section(7, 1, ...name('_start'), 0, 0),
      CODE,
    );
  const cases: readonly (readonly [string, Uint8Array<ArrayBuffer>, string, RegExp])[] = [
    ['an empty file', new Uint8Array(), 'MODULE_NOT_WASM', /empty/],
    ['a Linux program', new Uint8Array(Buffer.from('7f454c460201010000', 'hex')), 'MODULE_NOT_WASM', /ELF/],
    ['a component', new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), 'MODULE_COMPONENT', /does not support yet/],
    ['a version of the future', new Uint8Array([0, 0x61, 0x73, 0x6d, 9, 0, 0, 0]), 'MODULE_CORRUPT', /version 9/],
    ['a module that is cut off', command.slice(0, -3), 'MODULE_CORRUPT', /in the middle/],
    [
      'a body that is not valid',
      wasm(TYPE, FUNC, section(7, 1, ...name('_start'), 0, 0), section(10, 1, 3, 0, 0x6a, 0x0b)),
      'MODULE_CORRUPT',
      /not valid/,
    ],
    [
      'an import of nobody',
      importing('env', 'launch', 0, 0),
      'MODULE_MISSING_IMPORT',
      /'env\.launch'; this runtime provides/,
    ],
    ['an imported memory', importing('env', 'memory', 2, 0, 1), 'MODULE_MISSING_IMPORT', /memory 'env\.memory'/],
    [
      'what an older snapshot does not have',
      importing('wasi_unstable', 'sock_accept', 0, 0),
      'MODULE_MISSING_IMPORT',
      /wasi_unstable\.sock_accept/,
    ],
    [
      'a name that every object has',
      importing('constructor', 'toString', 0, 0),
      'MODULE_MISSING_IMPORT',
      /constructor\.toString/,
    ],
    ['a module without functions', wasm(), 'MODULE_NO_ENTRYPOINT', /exports no function/],
    ['a section with too many entries', wasm(section(2, 0xff, 0xff, 0xff, 0xff, 0x0f)), 'MODULE_CORRUPT', /entries/],
  ];
  for (const [title, bytes, wanted, message] of cases) {
    it(`refuses ${title}`, () => {
      const { refusal } = inspect(bytes, 'sha256:x');
      assert.equal(refusal?.code, wanted);
      assert.match(refusal?.message ?? '', message);
    });
  }

  it('answers a verdict to any garbage, and refuses nothing that the engine takes', () => {
    for (let round = 0; round < 2000; round++) {
      const bytes = round % 2 === 0 ? new Uint8Array(command) : new Uint8Array([...PREAMBLE, ...randomBytes(40)]);
      for (let change = 0; change < 3; change++)
        bytes[Math.floor(Math.random() * bytes.byteLength)] = Math.floor(Math.random() * 256);
      const refused = code(bytes);
      if (!WebAssembly.validate(bytes)) assert.ok(refused !== undefined);
      else assert.notEqual(refused, 'MODULE_CORRUPT');
    }
  });

  it('provides what WASI has, no more and no less', () => {
    const functions = p1Functions({} as Parameters<typeof p1Functions>[0], PREVIEW1);
    assert.deepEqual([...(PROVIDED['wasi_snapshot_preview1'] ?? [])].sort(), Object.keys(functions).sort());
  });
});

describe('limitModule()', () => {
  const PAGE = 65536;
  const MOST = 131_072;
  const withMemory = (...limits: number[]) => wasm(section(5, 1, ...limits), section(7, 1, ...name('m'), 2, 0));

  function grown(bytes: Uint8Array<ArrayBuffer>, limit?: number): Record<string, number> {
    const limited = limitModule(bytes, limit);
    assert.ok('bytes' in limited);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(limited.bytes));
    return Object.fromEntries(
      Object.entries(exports).map(([key, it]) => {
        if (it instanceof WebAssembly.Memory) return [key, most(it, 1) && it.buffer.byteLength / PAGE];
        return [key, it instanceof WebAssembly.Table ? most(it, 512) && Number(it.length) : 0];
      }),
    );
  }

  function most(it: { grow(delta: number): number }, delta: number): number {
    try {
      for (;;) it.grow(delta);
    } catch {
      return delta > 1 ? most(it, delta / 2) : 1;
    }
  }

  it('stops growth of a memory at the limit, whether or not the module has a maximum', () => {
    assert.deepEqual(grown(withMemory(0, 1), 5 * PAGE + 100), { m: 5 });
    assert.deepEqual(grown(withMemory(1, 1, 100), 5 * PAGE), { m: 5 });
    assert.deepEqual(grown(withMemory(1, 1, 3), 5 * PAGE), { m: 3 });
  });

  it('says what is needed when the limit is less than the beginning', () => {
    const tooSmall = { neededBytes: 9 * PAGE, limitBytes: 5 * PAGE };
    assert.deepEqual(limitModule(withMemory(0, 9), 5 * PAGE), { tooSmall });
  });

  it('shares the limit among several memories', () => {
    const two = wasm(section(5, 2, 0, 1, 0, 2), section(7, 2, ...name('m'), 2, 0, ...name('n'), 2, 1));
    assert.deepEqual(grown(two, 5 * PAGE), { m: 2, n: 3 });
  });

  it('stops growth of tables, limit or not, also of those with an initialiser', () => {
    assert.deepEqual(grown(assemble({ tables: ['funcref 1'], exports: ['table t'] })), { t: MOST });
    assert.deepEqual(grown(assemble({ tables: ['externref 1 7'], exports: ['table t'] })), { t: 7 });
    assert.deepEqual(
      grown(assemble({ tables: ['funcref 2 900000', 'externref 0'], exports: ['table t', 'table u 1'] })),
      {
        t: MOST / 2 + 1,
        u: MOST / 2 - 1,
      },
    );
    // `ref.func 0`, which stands for all elements.
    const initialised = wasm(
      section(1, 1, 0x60, 0, 0),
      section(3, 1, 0),
      section(4, 2, 0x40, 0, 0x70, 0, 1, 0xd2, 0, 0x0b, 0x6f, 0, 3),
      section(7, 3, ...name('t'), 1, 0, ...name('u'), 1, 1, ...name('f'), 0, 0),
      section(10, 1, 2, 0, 0x0b),
    );
    const { t = 0, u = 0 } = grown(initialised, PAGE);
    assert.deepEqual([t + u, t + 2], [MOST, u]);
  });

  it('refuses more elements to begin with', () => {
    const tooSmall = { neededBytes: 200_001 * 24, limitBytes: MOST * 24 };
    assert.deepEqual(limitModule(assemble({ tables: ['funcref 200000', 'externref 1'] }), undefined), { tooSmall });
  });

  it('throws for tables that cannot be read', () => {
    assert.throws(() => limitModule(wasm(section(4, 1, 0x40, 0, 0x70, 0, 1, 0xff, 0x0b)), undefined));
    assert.throws(() => limitModule(wasm(section(4, 2, 0x70, 0, 1)), undefined));
  });

  it('leaves out what the module says to the compiler, wherever it stands', () => {
    const hints = (kind: string) => section(0, ...name(`metadata.code.${kind}`), 1, 0, 1, 0, 1, 0);
    const kept = [section(1, 1, 0x60, 0, 0), section(0, ...name('metadata'), 7), section(5, 1, 0, 1)];
    const [first = [], second = [], third = []] = kept;
    const [priority, branches] = [hints('compilation_priority'), hints('branch_hint')];
    const hinted = wasm(priority, first, priority, branches, second, third, branches);
    assert.deepEqual(limitModule(hinted, undefined), { bytes: wasm(...kept) });
  });

  it('leaves a module without memory, and all else of one with memory, as they are', () => {
    assert.deepEqual(limitModule(command, PAGE), { bytes: command });
    const limited = limitModule(new Uint8Array(readFileSync(SCRIPTED)), 1 << 30);
    assert.ok('bytes' in limited && WebAssembly.validate(limited.bytes));
  });
});
