import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assemble } from '../assemble.suite.ts';
import { Reader, SECTION, sectionsOf } from '../binary.ts';
import { rewrite } from './mod.ts';
import { OP } from './words.ts';

const LOOP = 'loop\nlocal.get 0\ni32.const -1\ni32.add\nlocal.tee 0\nbr_if 0\nend';

/** The instructions that the branch hints of the rewritten module name, by function. */
function hinted(bytes: Uint8Array<ArrayBuffer>): Map<number, number[]> {
  const sections = [...sectionsOf(bytes)];
  const bodies: { start: number }[] = [];
  const code = sections.find(({ id }) => id === SECTION.code);
  assert.ok(code);
  const reader = new Reader(bytes, { start: code.content, end: code.end });
  for (let left = reader.u32(); left > 0; left--) {
    const size = reader.u32();
    bodies.push({ start: reader.at });
    reader.skip(size);
  }
  const found = new Map<number, number[]>();
  for (const section of sections.filter(({ id }) => id === SECTION.custom)) {
    const at = new Reader(bytes, { start: section.content, end: section.end });
    if (at.name() !== 'metadata.code.branch_hint') continue;
    assert.ok(section.end <= code.start, 'hints stand in front of the code');
    for (let functions = at.u32(); functions > 0; functions--) {
      const index = at.u32();
      const opcodes = Array.from({ length: at.u32() }, () => {
        const offset = at.u32();
        assert.deepEqual([at.u32(), at.byte()], [1, 0]);
        return bytes[(bodies[index - 2]?.start ?? 0) + offset] ?? -1;
      });
      found.set(index, opcodes);
    }
  }
  return found;
}

describe('rewrite(): branch hints', () => {
  it('name the branch of each check', () => {
    const outcome = rewrite(
      assemble({
        functions: [
          { type: 'i32 -> ', code: 'local.get 0\ndrop' },
          { type: 'i32 -> ', code: `${LOOP}\n${LOOP}` },
          { type: 'i32 -> ', code: `local.get 0\ncall 1\n${LOOP}` },
        ],
      }),
    );
    assert.ok('bytes' in outcome);
    assert.deepEqual(
      [...hinted(outcome.bytes)],
      [
        [3, [OP.if, OP.if]],
        [4, [OP.if, OP.if]],
      ],
    );
  });
  it('are not there where nothing is checked', () => {
    const outcome = rewrite(assemble({ functions: [{ type: 'i32 -> ', code: 'local.get 0\ndrop' }] }));
    assert.ok('bytes' in outcome);
    assert.equal(hinted(outcome.bytes).size, 0);
  });
});
