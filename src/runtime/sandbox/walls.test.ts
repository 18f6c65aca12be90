import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { demandedByDefault, type Means, obstacle, TABLE, WALLS, wallsMarkdown } from './walls.ts';

const root: Means = { ffi: true, landlock: 7, users: true, cgroup: 2 };
const demanded = (means: Means) => [...demandedByDefault(means, { trusted: false })];

describe('walls', () => {
  it('are in the documentation as they are in the code', () => {
    const text = readFileSync(new URL('../../../docs/THREATS.md', import.meta.url), 'utf8');
    assert.ok(text.includes(wallsMarkdown()), `docs/THREATS.md needs this table:\n${wallsMarkdown()}`);
  });

  it('have a row each', () => {
    for (const wall of WALLS)
      assert.ok(
        TABLE.some((row) => row.wall.startsWith(wall)),
        wall,
      );
  });

  it('are demanded as the table says', () => {
    assert.deepEqual(demanded(root), ['no_new_privs', 'landlock', 'seccomp', 'uid']);
    assert.deepEqual(demanded({ ...root, users: false }), ['no_new_privs', 'landlock', 'seccomp']);
    assert.ok(demanded({ ...root, landlock: 0 }).includes('landlock'));
    assert.equal(demanded({ ...root, cgroup: 0 }).includes('cgroup'), false);
    assert.deepEqual(demandedByDefault(root, { trusted: true }), []);
  });

  it('say why they cannot stand', () => {
    for (const wall of WALLS) assert.equal(obstacle(wall, root), undefined);
    for (const wall of WALLS) assert.match(obstacle(wall, { ...root, ffi: false }) ?? '', /ffi/);
    assert.match(obstacle('landlock', { ...root, landlock: 0 }) ?? '', /Landlock/);
    assert.match(obstacle('uid', { ...root, users: false }) ?? '', /user/);
    assert.match(obstacle('cgroup', { ...root, cgroup: 0 }) ?? '', /control group/);
  });
});
