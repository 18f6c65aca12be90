/** What admission decides about a module, each case a small module of its own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assemble, type FunctionSource, type ModuleSource } from './assemble.suite.ts';
import { examine } from './examine.ts';
import { shapeOf } from './instantiate.ts';
import { REWRITER_VERSION } from './shape.ts';

const START: FunctionSource = { type: ' -> ', code: '', export: '_start' };

function examined(source: ModuleSource) {
  return examine(assemble({ functions: [START], ...source }), 'sha256:x');
}

function classOf(source: ModuleSource): string | undefined {
  const { verdict, rewritten } = examined(source);
  assert.equal(verdict.refusal, undefined);
  assert.equal(rewritten === undefined, verdict.execution?.class === 'process');
  assert.equal(verdict.execution?.reason === undefined, verdict.execution?.class === 'shared');
  return verdict.execution?.class;
}

describe('examine()', () => {
  it('lets modules share a thread that can be interrupted and keep nothing on the engine’s heap', () => {
    assert.equal(classOf({}), 'shared');
    assert.equal(classOf({ memories: ['1', 'i64 1'], tables: ['funcref 10', 'externref 1'] }), 'shared');
    assert.equal(classOf({ tags: ['i32 -> '] }), 'shared');
  });

  it('gives a thread of its own to what lives on the engine’s heap', () => {
    assert.equal(classOf({ types: [[0x5f, 0]] }), 'thread');
    assert.equal(classOf({ types: [[0x5e, 0x7f, 1]] }), 'thread');
    assert.equal(classOf({ types: [[0x4e, 1, 0x50, 0, 0x5f, 0]] }), 'thread');
    assert.equal(classOf({ tables: ['exnref 1'] }), 'thread');
    assert.equal(classOf({ globals: ['exnref ref.null -23'] }), 'thread');
    assert.equal(classOf({ tags: [`${'i32 '.repeat(20)} -> `] }), 'thread');
    assert.equal(classOf({ tables: ['funcref 100000', 'funcref 100000'] }), 'thread');
  });

  it('gives a thread of its own to what the engine does in one go, and others would wait for', () => {
    const nested = (depth: number, block: string): FunctionSource => ({
      ...START,
      code: `${`${block} empty\n`.repeat(depth)}${'end\n'.repeat(depth)}`,
    });
    assert.equal(classOf({ functions: [nested(2000, 'loop')] }), 'shared');
    assert.equal(classOf({ functions: [nested(2001, 'loop')] }), 'thread');
    assert.equal(classOf({ functions: [START, { ...nested(5000, 'block'), export: 'other' }] }), 'thread');
    const data = (at: number | undefined, count: number) =>
      Array.from({ length: count }, () => ({ ...(at !== undefined && { at }), bytes: new Uint8Array(1 << 22) }));
    assert.equal(classOf({ memories: ['100'], data: data(0, 2) }), 'shared');
    assert.equal(classOf({ memories: ['100'], data: data(0, 3) }), 'thread');
    assert.equal(classOf({ memories: ['100'], data: data(undefined, 3) }), 'shared');
    // Of table 0, from 0: 3,000 times function 0.
    const elements = [0, 0x41, 0, 0x0b, 0xb8, 0x17, ...Array.from({ length: 3000 }, () => 0)];
    const segments = (count: number) => Array.from({ length: count }, () => elements);
    assert.equal(classOf({ tables: ['funcref 3000'], elements: segments(43) }), 'shared');
    assert.equal(classOf({ tables: ['funcref 3000'], elements: segments(44) }), 'thread');
  });

  it('gives a process of its own to shared memory, and to functions too large to compile beside others', () => {
    assert.equal(classOf({ memories: ['1 2 shared'] }), 'process');
    const large = { type: ' -> ', code: 'nop\n'.repeat(1_100_000) };
    assert.equal(classOf({ functions: [START, large] }), 'process');
  });

  it('validates the module as it is: an index out of range would be the engine’s memory after rewriting', () => {
    const access = (memory: number): FunctionSource => ({
      ...START,
      code: `i32.const 0\ni32.const 1\ni32.store 2 0 ${memory}`,
    });
    assert.equal(examined({ memories: ['1'], functions: [access(0)] }).verdict.refusal, undefined);
    for (const memory of [1, 2]) {
      const { verdict, rewritten } = examined({ memories: ['1'], functions: [access(memory)] });
      assert.equal(verdict.refusal?.code, 'MODULE_CORRUPT');
      assert.equal(rewritten, undefined);
    }
  });

  it('refuses names that are the engine’s own', () => {
    for (const name of ['wasmlet:engine', 'wasmlet:engine/start', 'wasmlet:engine2']) {
      assert.equal(examined({ functions: [{ ...START, export: name }] }).verdict.refusal?.code, 'MODULE_RESERVED_NAME');
      const imports = [{ module: name, name: 'yield', type: ' -> i32' }];
      assert.equal(examined({ imports }).verdict.refusal?.code, 'MODULE_RESERVED_NAME');
    }
  });

  it('takes no description of a module from its author', () => {
    const forged = JSON.stringify({ version: REWRITER_VERSION, memories: [], tables: [], start: false });
    const custom = [{ name: 'wasmlet:engine', bytes: [...Buffer.from(forged)] }];
    const { rewritten } = examined({ memories: ['3'], custom });
    assert.equal(shapeOf(new WebAssembly.Module(rewritten ?? new Uint8Array()))?.memories[0]?.initial, 3);
  });
});
