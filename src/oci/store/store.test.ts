import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FakeClock } from '#kit';
import { sha256Of } from '../digest.ts';
import { makeBench, moduleOf, sample } from '../fake/bench.ts';
import { importModule, localImage } from '../local.ts';
import { parseReference } from '../reference.ts';
import { ContentStore } from './store.ts';

async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'wasmlet-store-'));
  try {
    await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function child(directory: string, size: number, mode = 'whole') {
  const file = fileURLToPath(new URL('./child.ts', import.meta.url));
  return spawn(process.execPath, [file, directory, String(size), mode], { stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('ContentStore', () => {
  it('keeps nothing of a writer that was killed half way, and lets the next one go on from there', async () => {
    await withDirectory(async (directory) => {
      const size = 200_000;
      const writer = child(directory, size, 'half');
      await once(writer.stdout, 'data');
      writer.kill('SIGKILL');
      await once(writer, 'exit');
      const store = await ContentStore.open(directory);
      const bytes = Buffer.alloc(size, 5);
      const blob = { digest: sha256Of(bytes), size };
      assert.equal(await store.has(blob), false);
      assert.deepEqual(await store.list(), []);
      let found = 0;
      await store.fill(blob, async (ingest) => {
        found = ingest.length;
        await ingest.write(bytes.subarray(found));
      });
      assert.ok(found >= size / 2);
      assert.deepEqual(await readFile(store.pathOf(blob.digest)), bytes);
      assert.deepEqual(await readdir(join(directory, 'ingest')), []);
    });
  });

  it('is shared by processes that write the same', async () => {
    await withDirectory(async (directory) => {
      const writers = [child(directory, 300_000), child(directory, 300_000)];
      const codes = await Promise.all(writers.map(async (writer) => (await once(writer, 'exit'))[0]));
      assert.deepEqual(codes, [0, 0]);
      const store = await ContentStore.open(directory);
      assert.deepEqual(await store.list(), [sha256Of(Buffer.alloc(300_000, 5))]);
      assert.deepEqual(await readdir(join(directory, 'ingest')), []);
    });
  });

  it('does not take over from a writer that lives', async () => {
    await withDirectory(async (directory) => {
      const [one, two] = [await ContentStore.open(directory), await ContentStore.open(directory)];
      const bytes = Buffer.from('some content');
      const blob = { digest: sha256Of(bytes), size: bytes.length };
      await one.fill(blob, async (outer) => {
        await outer.write(bytes.subarray(0, 4));
        await two.fill(blob, async (inner) => {
          assert.equal(inner.length, 0);
          await inner.write(bytes);
        });
        await outer.write(bytes.subarray(4));
      });
      assert.equal(await one.has(blob), true);
    });
  });

  it('drops what a dead writer left when it is of no use', async () => {
    await using bench = await makeBench();
    const artifact = sample(moduleOf(9000));
    const hex = artifact.module.digest.slice(7);
    await writeFile(join(bench.directory, 'ingest', `${hex}.999999999-1.ab`), 'rubbish that is not its beginning');
    const image = await bench.pull(bench.registry.offer(artifact));
    assert.equal(sha256Of(await readFile(image.modulePath)), artifact.module.digest);
  });

  it('does not believe files that were tampered with', async () => {
    await withDirectory(async (directory) => {
      const store = await ContentStore.open(directory);
      const digest = await store.put(Buffer.from('{"a":1}'));
      await writeFile(store.pathOf(digest), '{"a":2}');
      assert.equal(await store.read(digest, 100), undefined);
      for (const text of ['', '{', '[]', '{"reference":7}', '{"reference":"x","digest":"../x"}', 'x'.repeat(70_000)]) {
        await writeFile(join(directory, 'refs', 'x.json'), text);
        assert.deepEqual(await store.refs.list(), []);
        assert.equal(await store.refs.get('x'), undefined);
      }
    });
  });

  it('collects what nothing names and leaves what is young, named or kept', async () => {
    await withDirectory(async (directory) => {
      const clock = new FakeClock(Date.now() + 3_600_000);
      const store = await ContentStore.open(directory, { clock });
      const image = await importModule(store, moduleOf(100), { reference: 'r.example/a:1' });
      const [old, kept] = [await store.put(Buffer.from('old')), await store.put(Buffer.from('kept'))];
      await writeFile(join(directory, 'ingest', `${'0'.repeat(64)}.999999999-1.ab`), 'left over');
      const young = await store.put(Buffer.from('young'));
      await utimes(store.pathOf(young), new Date(clock.now()), new Date(clock.now()));
      assert.equal(await store.gc({ keep: new Set([kept]) }), 3 + 9);
      const left = await store.list();
      assert.ok(
        !left.includes(old) && left.includes(kept) && left.includes(young) && left.includes(image.moduleDigest),
      );
      for (const { reference } of await store.refs.list()) await store.refs.delete(reference);
      await clock.advance(3_600_000);
      await store.gc();
      assert.deepEqual(await store.list(), []);
      assert.deepEqual(await readdir(join(directory, 'ingest')), []);
    });
  });

  it('treats an image as not there when a part of it is gone', async () => {
    await withDirectory(async (directory) => {
      const store = await ContentStore.open(directory);
      const reference = `r.example/${'long-name/'.repeat(20)}a:${'t'.repeat(100)}`;
      const image = await importModule(store, moduleOf(), { reference });
      assert.equal((await localImage(store, parseReference(reference)))?.digest, image.digest);
      assert.equal((await localImage(store, parseReference(image.id)))?.digest, image.digest);
      await rm(image.modulePath);
      assert.equal(await localImage(store, parseReference(reference)), undefined);
    });
  });

  it('refuses to import what is no module', async () => {
    await withDirectory(async (directory) => {
      const store = await ContentStore.open(directory);
      const component = Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
      for (const [bytes, message] of [
        [Buffer.from('#!/bin/sh'), /not a WebAssembly module/],
        [new Uint8Array(), /not a WebAssembly module/],
        [component, /a component/],
      ] as const) {
        await assert.rejects(importModule(store, bytes, { reference: 'a' }), { code: 'OCI_BAD_MODULE', message });
      }
    });
  });
});
