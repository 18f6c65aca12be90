import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assemble, type ModuleSource } from './assemble.suite.ts';
import type { FunctionFacts } from './facts.ts';
import { chooseEager, chooseOptimization, compileModule, eagerOf, withEager } from './optimize.ts';
import { rewrite } from './rewrite/mod.ts';

const PLAIN: FunctionFacts = {
  index: 0,
  bodyBytes: 100,
  loops: 1,
  loopDepth: 1,
  loopBytes: 50,
  innerLoopBytes: 0,
  calls: 0,
  callsInLoops: 0,
  calledFrom: 1,
  calledFromLoops: 0,
  escapes: false,
  enteredRarely: false,
};

function chosen(...functions: Partial<FunctionFacts>[]): number[] {
  return chooseEager({ looping: functions.map((one, index) => ({ ...PLAIN, index, ...one })) });
}

const LOOP = 'loop\nlocal.get 0\ni32.const -1\ni32.add\nlocal.tee 0\nbr_if 0\nend';
const CALLS_THREE = 'i32.const 9\ncall 3';

/** The functions that the rewriter names to V8, in the guest's numbering. */
function namedIn(functions: NonNullable<ModuleSource['functions']>): number[] {
  const outcome = rewrite(assemble({ functions }));
  assert.ok('bytes' in outcome);
  return eagerOf(outcome.bytes).map((index) => index - 2);
}

describe('chooseEager()', () => {
  it('takes loops that are entered rarely, whatever they call', () => {
    assert.deepEqual(chosen({ enteredRarely: true, callsInLoops: 3 }, {}), [0]);
  });
  it('takes loops within loops that call nothing, where one place at most calls them', () => {
    const [calling, called] = [{ callsInLoops: 1 }, { calledFrom: 2 }];
    assert.deepEqual(
      chosen(...[{}, calling, called, { calledFromLoops: 1 }].map((one) => ({ loopDepth: 2, ...one }))),
      [0],
    );
  });
  it('leaves what is too large, and takes no more than fits, the heaviest first', () => {
    assert.deepEqual(chosen({ enteredRarely: true, bodyBytes: 70_000 }), []);
    const many = Array.from({ length: 6 }, (_, at) => ({ loopDepth: 2, bodyBytes: 60_000, loopBytes: at }));
    assert.deepEqual(chosen(...many), [2, 3, 4, 5]);
  });
  it('calls a module eager that has such a function', () => {
    assert.equal(chooseOptimization({ looping: [PLAIN] }), 'lazy');
    assert.equal(chooseOptimization({ looping: [{ ...PLAIN, enteredRarely: true }] }), 'eager');
  });
});

describe('rewrite(): functions for V8 to compile first', () => {
  const work = { type: 'i32 -> ', code: LOOP };
  it('are those with loops that the start leads to once', () => {
    const start = { type: ' -> ', export: '_start', code: 'i32.const 9\ncall 2' };
    assert.deepEqual(namedIn([start, work, { type: 'i32 -> ', code: `${LOOP}\n${CALLS_THREE}` }, work]), [2, 3]);
  });
  it('are none that is called in a loop, often, by itself, or from far', () => {
    const inLoop = { type: ' -> ', export: '_start', code: `loop\n${CALLS_THREE}\nend` };
    assert.deepEqual(namedIn([inLoop, work, work, work]), [0]);
    const often = { type: ' -> ', export: '_start', code: Array(5).fill(CALLS_THREE).join('\n') };
    assert.deepEqual(namedIn([often, work, work, work]), []);
    const start = { type: ' -> ', export: '_start', code: CALLS_THREE };
    assert.deepEqual(namedIn([start, work, work, { type: 'i32 -> ', code: `${LOOP}\n${CALLS_THREE}` }]), []);
    const next = (index: number) => ({ type: 'i32 -> ', code: `local.get 0\ncall ${index}` });
    const first = { type: ' -> ', export: '_start', code: 'i32.const 1\ncall 1' };
    assert.deepEqual(namedIn([first, next(2), work]), [2]);
    assert.deepEqual(namedIn([first, next(2), next(3), work]), []);
  });
  it('are none where the host calls what it likes', () => {
    assert.deepEqual(namedIn([{ ...work, export: 'handle' }]), []);
  });
});

describe('withEager()', () => {
  const bytes = assemble({ functions: [{ type: 'i32 -> ', export: 'count', code: LOOP }] });
  it('names functions in a section in front of the code, and eagerOf() reads them', () => {
    const named = withEager(bytes, [0]);
    assert.deepEqual(eagerOf(named), [0]);
    assert.deepEqual(eagerOf(bytes), []);
    assert.ok(WebAssembly.validate(named));
  });
  it('changes nothing where there is nothing to name', () => {
    assert.equal(withEager(bytes, []), bytes);
  });
  it('is taken by V8 with any indexes', async () => {
    for (const indexes of [[0], [0, 0], [7], [0xffffffff], [1, 0]]) {
      const module = await compileModule(withEager(bytes, indexes));
      const { exports } = new WebAssembly.Instance(module);
      (exports['count'] as WebAssembly.AnyFunction)(10);
    }
  });
});

describe('compileModule()', () => {
  it('rejects what is no module', async () => {
    await assert.rejects(compileModule(new Uint8Array([0, 97, 115, 109])), WebAssembly.CompileError);
  });
});
