import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assemble, unsigned } from '../assemble.suite.ts';
import { INSTRUCTIONS } from './opcodes.ts';

const PREFIXES = [0, 0xfb, 0xfc, 0xfd, 0xfe];
/** Of the proposal of custom descriptors: the engine looks at their type first, and without the proposal there is none that fits. */
const NEVER_VALID = new Set(['251 32', '251 33']);

/** What the engine says of an opcode in code that is not reached, with as many zeros behind it as it may want. */
function opinion(opcode: readonly number[]): string {
  const bytes = [...opcode, ...new Array<number>(30).fill(0)].map((byte) => byte.toString(16)).join(' ');
  const module = assemble({
    functions: [{ type: ' -> ', code: `unreachable\nbytes ${bytes}` }],
    memories: ['1'],
    tables: ['funcref 1'],
    globals: ['mut i32 i32.const 0'],
    tags: [' -> '],
    data: [{ bytes: [1] }],
    elements: [[3, 0, 1, 0]],
  });
  try {
    return new WebAssembly.Module(module) && 'valid';
  } catch (error) {
    return String(error);
  }
}

describe('INSTRUCTIONS', () => {
  it('are those that the engine takes, no more and no less', () => {
    const known = new Set([...INSTRUCTIONS.values()].map(({ prefix, code }) => `${prefix} ${code}`));
    for (const prefix of PREFIXES) {
      for (let code = 0; code < (prefix === 0 ? 0x100 : 0x200); code++) {
        if (prefix === 0 && PREFIXES.includes(code) && code !== 0) continue;
        if (NEVER_VALID.has(`${prefix} ${code}`)) continue;
        const said = opinion(prefix === 0 ? [code] : [prefix, ...unsigned(code)]);
        const isKnown = !/invalid (gc |numeric |simd |atomic )?opcode/i.test(said);
        assert.equal(
          known.has(`${prefix} ${code}`),
          isKnown,
          `0x${prefix.toString(16)} 0x${code.toString(16)}: ${said}`,
        );
      }
    }
  });
});
