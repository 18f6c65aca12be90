import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assemble, type ModuleSource } from '../assemble.suite.ts';
import { instantiate } from '../instantiate.ts';
import { ENGINE } from '../shape.ts';
import { rewrite } from './mod.ts';

function rewritten(source: ModuleSource) {
  const bytes = assemble(source);
  assert.ok(WebAssembly.validate(bytes), 'the original is valid');
  const outcome = rewrite(bytes);
  assert.ok('bytes' in outcome, 'unsupported' in outcome ? outcome.unsupported : '');
  return { ...outcome, module: new WebAssembly.Module(outcome.bytes) };
}

interface Host {
  /** Answers of `yield`, in order; 0 when there are no more. */
  answers?: number[];
  grow?: (kind: number, delta: bigint) => number;
  memoryBytes?: number;
}

/** An instance whose every check asks `yield`. */
function run(source: ModuleSource, { answers = [], grow = () => 1, memoryBytes }: Host = {}) {
  const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  new Int32Array(control.buffer)[0] = 1;
  const seen = { yields: 0, grows: [] as [number, bigint][] };
  const made = instantiate(
    rewritten(source).module,
    { host: { call: () => {} } },
    {
      memoryBytes,
      injected: {
        control,
        yield: () => answers[seen.yields++] ?? 0,
        grow: (kind, delta) => {
          seen.grows.push([kind, delta]);
          return grow(kind, delta);
        },
      },
    },
  );
  assert.ok('instance' in made);
  const call = (name: string, ...values: unknown[]) =>
    (made.instance.exports[name] as WebAssembly.AnyFunction)(...values);
  return { ...made, seen, call };
}

const COUNT_DOWN = {
  type: 'i32 -> ',
  export: 'count',
  code: 'loop\nlocal.get 0\ni32.const -1\ni32.add\nlocal.tee 0\nbr_if 0\nend',
};

describe('rewrite(): checks', () => {
  it('stand at loop heads', () => {
    const { seen, call } = run({ functions: [COUNT_DOWN] });
    call('count', 10);
    assert.equal(seen.yields, 10);
  });

  it('ask nothing while the interrupt word is 0', () => {
    const { module } = rewritten({ functions: [COUNT_DOWN] });
    const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const made = instantiate(module, {}, { injected: { control, yield: () => assert.fail(), grow: () => 0 } });
    assert.ok('instance' in made);
    (made.instance.exports['count'] as WebAssembly.AnyFunction)(10);
  });

  it('end the guest by a trap that it cannot catch', () => {
    const spin = { type: ' -> ', export: 'spin', code: 'loop\ntry\nloop\nbr 0\nend\ncatch_all\nend\nbr 0\nend' };
    const { seen, call } = run({ functions: [spin] }, { answers: [0, 0, 0, 1] });
    assert.throws(() => call('spin'), WebAssembly.RuntimeError);
    assert.equal(seen.yields, 4);
  });

  it('stand at the entry of functions that call, and not of small ones that do not', () => {
    const { seen, call } = run({
      functions: [
        { type: 'i32 -> i32', export: 'leaf', code: 'local.get 0' },
        { type: 'i32 -> i32', export: 'caller', code: 'local.get 0\ncall 0' },
      ],
    });
    assert.equal(call('leaf', 7), 7);
    assert.equal(seen.yields, 0);
    assert.equal(call('caller', 7), 7);
    assert.equal(seen.yields, 1);
  });

  it('compiles functions before the start that would hold up others when they are called', () => {
    const large = { type: ' -> ', code: 'nop\n'.repeat(20_000) };
    const { facts, module } = rewritten({ functions: [COUNT_DOWN, large] });
    assert.deepEqual(facts.large, [1]);
    const [hints] = WebAssembly.Module.customSections(module, 'metadata.code.compilation_priority');
    assert.deepEqual([...new Uint8Array(hints ?? new ArrayBuffer())].slice(0, 2), [1, 3]);
  });

  it('stand in straight code too when it is long', () => {
    const code = 'local.get 0\ni32.const 1\ni32.add\nlocal.set 0\n'.repeat(10_000);
    const { seen, call } = run({ functions: [{ type: 'i32 -> i32', export: 'long', code: `${code}local.get 0` }] });
    assert.equal(call('long', 1), 10_001);
    assert.ok(seen.yields > 3);
  });

  it('are not passed by where branches lead round them', () => {
    // What is in the block is long, and never executed.
    const block = `block empty\nbr 0\n${'nop\n'.repeat(20_000)}end\n`;
    const { seen, call } = run({ functions: [{ type: ' -> ', export: 'round', code: block.repeat(10) }] });
    call('round');
    assert.ok(seen.yields >= 10);
  });

  it('move function indexes: calls, tables, references, exports, start', () => {
    const source: ModuleSource = {
      imports: [{ module: 'host', name: 'call', type: ' -> ' }],
      tables: ['funcref 1'],
      globals: ['funcref ref.func 1', 'mut i32 i32.const 0'],
      elements: [[0, 0x41, 0, 0x0b, 1, 2]],
      functions: [
        { type: ' -> i32', export: 'one', code: 'i32.const 1' },
        { type: ' -> i32', export: 'two', code: 'call 1\ncall 1\ni32.add' },
        { type: ' -> i32', export: 'indirect', code: 'i32.const 0\ncall_indirect ( -> i32)' },
        { type: ' -> ', code: 'call 0\ni32.const 9\nglobal.set 1' },
        { type: ' -> i32', export: 'started', code: 'global.get 1' },
      ],
      exports: ['global reference 0'],
      start: 4,
    };
    const { call, start, instance } = run(source);
    assert.equal(call('two'), 2);
    assert.equal(call('indirect'), 2);
    assert.equal((instance.exports['reference'] as WebAssembly.Global).value, instance.exports['one']);
    assert.equal(call('started'), 0);
    start?.();
    assert.equal(call('started'), 9);
  });
});

describe('rewrite(): memory and tables', () => {
  it('asks before memory grows, and refuses as the engine would', () => {
    const source: ModuleSource = {
      memories: ['1 4'],
      functions: [{ type: 'i32 -> i32', export: 'grow', code: 'local.get 0\nmemory.grow 0' }],
    };
    const granted = run(source, { grow: (_, delta) => (delta < 3n ? 1 : 0) });
    assert.equal(granted.call('grow', 2), 1);
    assert.equal(granted.call('grow', 3), -1);
    assert.equal(granted.memories[0]?.buffer.byteLength, 3 * 65536);
    // The guest's own maximum is in the way: what was granted is given back.
    assert.equal(granted.call('grow', 2), -1);
    assert.equal(granted.call('grow', -1), -1);
    assert.deepEqual(granted.seen.grows, [
      [0, 2n],
      [0, 3n],
      [0, 2n],
      [0, -2n],
      [0, 0xffffffffn],
    ]);
  });

  it('takes no amount of 64 bits for one that gives back', () => {
    const source: ModuleSource = {
      memories: ['i64 1 4'],
      functions: [{ type: 'i64 -> i64', export: 'grow', code: 'local.get 0\nmemory.grow 0' }],
    };
    const { call, seen } = run(source);
    assert.equal(call('grow', -1n), -1n);
    assert.deepEqual(seen.grows, []);
    assert.equal(call('grow', 1n), 1n);
    assert.deepEqual(seen.grows, [[0, 1n]]);
  });

  it('asks before tables grow', () => {
    const source: ModuleSource = {
      tables: ['externref 1 4'],
      functions: [{ type: 'externref i32 -> i32', export: 'grow', code: 'local.get 0\nlocal.get 1\ntable.grow 0' }],
    };
    const { call, seen } = run(source, { grow: (_, delta) => (delta === 2n ? 0 : 1) });
    assert.equal(call('grow', 'a', 2), -1);
    assert.equal(call('grow', 'a', 3), 1);
    assert.equal(call('grow', 'a', 1), -1);
    assert.deepEqual(seen.grows, [
      [1, 2n],
      [1, 3n],
      [1, 1n],
      [1, -1n],
    ]);
  });

  it('counts what a module has to begin with', () => {
    const source: ModuleSource = { memories: ['1', '2'], tables: ['funcref 10'] };
    const { module } = rewritten(source);
    const injected = {
      control: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
      yield: () => 0,
      grow: () => 1,
    };
    assert.deepEqual(instantiate(module, {}, { injected, memoryBytes: 3 * 65536 }), {
      tooSmall: { neededBytes: 3 * 65536 + 240 },
    });
    assert.ok('instance' in instantiate(module, {}, { injected, memoryBytes: 3 * 65536 + 240 }));
  });

  it('refuses names that are the engine’s own', () => {
    const importing = rewrite(assemble({ imports: [{ module: ENGINE, name: 'grow', type: 'i32 i64 -> i32' }] }));
    assert.match('unsupported' in importing ? importing.unsupported : '', /engine's own/);
    const exporting = rewrite(assemble({ functions: [{ type: ' -> ', code: '', export: `${ENGINE}/start` }] }));
    assert.match('unsupported' in exporting ? exporting.unsupported : '', /engine's own/);
  });
});

describe('rewrite(): index spaces and names', () => {
  it('puts the guest’s memories behind those that it imports, and the control memory last', () => {
    const store = (memory: number) => `i32.const 8\ni32.const ${memory + 5}\ni32.store 2 0 ${memory}`;
    const source: ModuleSource = {
      imports: [
        { module: 'host', name: 'memory', memory: '1' },
        { module: 'host', name: 'call', type: ' -> ' },
      ],
      memories: ['2', 'i64 3'],
      functions: [{ type: ' -> ', export: 'write', code: `${store(0)}\n${store(1)}` }],
      exports: ['memory second 1', 'memory third 2'],
    };
    const imported = new WebAssembly.Memory({ initial: 1 });
    const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const injected = { control, yield: () => 0, grow: () => 1 };
    const imports = { host: { memory: imported, call: () => {} } };
    const made = instantiate(rewritten(source).module, imports, { injected, memoryBytes: 5 * 65536 });
    assert.ok('instance' in made);
    (made.instance.exports['write'] as WebAssembly.AnyFunction)();
    assert.equal(made.memories[0], imported);
    assert.equal(made.memories[1], made.instance.exports['second']);
    assert.equal(made.memories[2], made.instance.exports['third']);
    const words = made.memories.map(({ buffer }) => new Int32Array(buffer)[2]);
    assert.deepEqual(words, [5, 6, 0]);
    assert.deepEqual(new Int32Array(control.buffer).slice(0, 4), new Int32Array(4));
  });

  it('keeps the names of functions right, and leaves out sections that carry offsets', () => {
    const named = (index: number, name: string) => [index, name.length, ...Buffer.from(name)];
    const names = [3, ...named(0, 'call'), ...named(1, 'crash'), ...named(2, 'outer')];
    const { module, bytes } = rewritten({
      imports: [{ module: 'host', name: 'call', type: ' -> ' }],
      functions: [
        { type: ' -> ', code: 'unreachable' },
        { type: ' -> ', export: 'outer', code: 'call 1' },
      ],
      custom: [
        { name: '.debug_info', bytes: [1, 2, 3] },
        { name: 'name', bytes: [1, names.length, ...names] },
        { name: 'metadata.code.branch_hint', bytes: [0] },
      ],
    });
    assert.equal(WebAssembly.Module.customSections(module, '.debug_info').length, 0);
    const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const injected = { control, yield: () => 0, grow: () => 1 };
    const made = instantiate(module, { host: { call: () => {} } }, { injected });
    assert.ok('instance' in made && WebAssembly.validate(bytes));
    assert.throws(
      () => (made.instance.exports['outer'] as WebAssembly.AnyFunction)(),
      (error: Error) => /at (wasm.*\.)?crash .*\n.*at (wasm.*\.)?outer /.test(error.stack ?? ''),
    );
  });

  it('leaves out names that are malformed', () => {
    const { module } = rewritten({ functions: [COUNT_DOWN], custom: [{ name: 'name', bytes: [1, 90, 5] }] });
    assert.equal(WebAssembly.Module.customSections(module, 'name').length, 0);
  });

  it('never lets an exception handler keep a guest that is to end', () => {
    const catching = 'block exnref\ntry_table empty 1 3 0\nloop\nbr 0\nend\nend\nreturn\nend\nthrow_ref';
    const legacy = 'loop\ntry\nloop\nbr 0\nend\ncatch_all\nbr 1\nend\nend';
    for (const code of [catching, legacy]) {
      const { call, seen } = run({ functions: [{ type: ' -> ', export: 'spin', code }] }, { answers: [0, 0, 1] });
      assert.throws(() => call('spin'), WebAssembly.RuntimeError);
      assert.equal(seen.yields, 3);
    }
  });

  it('suspends and goes on in the middle of anything', async () => {
    const { module } = rewritten({
      functions: [{ ...COUNT_DOWN, type: 'i32 -> i32', code: `${COUNT_DOWN.code}\ni32.const 7` }],
    });
    const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    new Int32Array(control.buffer)[0] = 1;
    let yields = 0;
    const pause = new WebAssembly.Suspending(async () => {
      yields++;
      await null;
      return 0;
    });
    const made = instantiate(module, {}, { injected: { control, yield: pause, grow: () => 1 } });
    assert.ok('instance' in made);
    assert.equal(await WebAssembly.promising(made.instance.exports['count'] as WebAssembly.AnyFunction)(100), 7);
    assert.equal(yields, 100);
  });

  it('refuses code where a constant expression should be', () => {
    const source: ModuleSource = {
      memories: ['1'],
      globals: ['i32 i32.const 0;i32.const 0;i32.const 0;memory.fill 0;i32.const 1'],
    };
    assert.deepEqual(rewrite(assemble(source)), { unsupported: 'it has a constant expression that is none' });
  });

  it('answers any garbage with a reason or a module', () => {
    for (let round = 0; round < 500; round++) {
      const bytes = assemble({ functions: [COUNT_DOWN], memories: ['1'], tables: ['funcref 1'] });
      for (let change = 0; change < 3; change++)
        bytes[8 + Math.floor(Math.random() * (bytes.byteLength - 8))] = Math.floor(Math.random() * 256);
      const isValid = WebAssembly.validate(bytes);
      const outcome = rewrite(bytes);
      if (isValid && 'bytes' in outcome)
        assert.ok(WebAssembly.validate(outcome.bytes), Buffer.from(bytes).toString('hex'));
    }
  });
});
