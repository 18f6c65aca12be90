import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cached, cachePath, hashOf, intoCache } from './cache.ts';

let dir: string;
const outside = process.env['WASMLET_TEST_CACHE'];
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wasmlet-cache-'));
  process.env['WASMLET_TEST_CACHE'] = dir;
});
after(async () => {
  if (outside === undefined) delete process.env['WASMLET_TEST_CACHE'];
  else process.env['WASMLET_TEST_CACHE'] = outside;
  await rm(dir, { recursive: true, force: true });
});

function maker(text: string): (folder: string) => Promise<void> {
  return (folder) => writeFile(join(folder, 'file'), text);
}

test('what is made appears whole, under its name', async () => {
  await intoCache(cachePath('thing', '1'), maker('made'));
  assert.equal(await readFile(cached('thing', '1', 'file') ?? '', 'utf8'), 'made');
  assert.equal(cached('thing', '2'), undefined);
});

test('what fails half way leaves nothing', async () => {
  const failing = intoCache(cachePath('half', '1'), async (folder) => {
    await maker('half')(folder);
    throw new Error('out of disk');
  });
  await assert.rejects(failing, /out of disk/);
  assert.ok(!existsSync(cachePath('half', '1')));
  assert.deepEqual(await readdir(cachePath('half')), []);
});

test('two that make the same at once end with one, and no error', async () => {
  await Promise.all(['a', 'b'].map((text) => intoCache(cachePath('race', '1'), maker(text))));
  assert.deepEqual(await readdir(cachePath('race')), ['1']);
});

test('a hash tells contents and words apart, not only their sum', async () => {
  const files = [join(dir, 'x'), join(dir, 'y')];
  await writeFile(files[0] ?? '', 'ab');
  await writeFile(files[1] ?? '', 'c');
  const one = hashOf({ files, words: ['w'] });
  await writeFile(files[0] ?? '', 'a');
  await writeFile(files[1] ?? '', 'bc');
  assert.notEqual(hashOf({ files, words: ['w'] }), one);
  assert.notEqual(hashOf({ files }), hashOf({ files, words: [''] }));
});
