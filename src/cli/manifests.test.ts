import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readManifests } from './manifests.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmlet-manifests-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('readManifests()', () => {
  it('reads every document of a file and every item of a List', async () => {
    const path = file(
      'two.yaml',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n',
    );
    const manifests = await readManifests([path]);
    assert.deepEqual(
      manifests.map(({ object }) => object.metadata?.name),
      ['a', 'b'],
    );
  });

  it('names file, line and column of a YAML mistake', async () => {
    const path = file('bad.yaml', 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n   labels: {}\n');
    await assert.rejects(readManifests([path]), /bad\.yaml:\d+:\d+: /);
  });

  const refused: [string, string, RegExp][] = [
    ['a duplicate key', 'apiVersion: v1\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n', /unique/],
    ['an object without a kind', 'apiVersion: v1\nmetadata: {name: a}\n', /apiVersion or kind is missing/],
    ['an object without a name', 'apiVersion: v1\nkind: Pod\n', /metadata.name of the Pod is missing/],
    ['a scalar', 'hello\n', /not an object/],
    ['an empty file', '', /no object in it/],
    [
      'aliases that grow without end',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
        .split('')
        .map((key, at) => `${key}: &${key} [${Array(9).fill(`*${'abcdefgh'[at]}`).join(',')}]\n`)
        .join('')}`,
      /cannot be read/,
    ],
  ];
  for (const [what, text, message] of refused) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(readManifests([file('refused.yaml', text)]), message);
    });
  }

  it('says which file is missing', async () => {
    await assert.rejects(readManifests([join(folder, 'nosuch.yaml')]), /nosuch\.yaml/);
  });
});
