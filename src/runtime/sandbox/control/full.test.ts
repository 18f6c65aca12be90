/** What a sandbox answers when it is full, by each of its caps: an error that names the cap, no end of anything, and room again later. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rewrite } from '../../module/rewrite/mod.ts';
import type { WireSpec } from '../protocol/messages.ts';
import { hogSpec } from './hog.suite.ts';
import { Workloads, type WorkloadsOptions } from './workloads.ts';

describe('a full sandbox', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-full-'));
  const path = join(folder, 'hog.wasm');
  let names = 0;
  before(() => {
    const rewritten = rewrite(
      new Uint8Array(readFileSync(join(import.meta.dirname, '../../../../guests/hog/hog.wasm'))),
    );
    assert.ok('bytes' in rewritten);
    writeFileSync(path, rewritten.bytes);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  function spec(kind: 'shared' | 'thread' = 'shared'): WireSpec {
    return hogSpec({ folder, path, kind, number: names++ });
  }

  /** Two have room; a third is refused, and has room when one is gone. */
  async function fills(
    caps: Pick<WorkloadsOptions, 'most' | 'mostGuests'>,
    { kind, words }: { readonly kind: 'shared' | 'thread'; readonly words: RegExp },
  ): Promise<void> {
    await using workloads = new Workloads({
      exitsDirectory: folder,
      inbox: undefined,
      insecureTrustedGuests: true,
      changed: () => {},
      ...caps,
    });
    const [first, second, third] = [spec(kind), spec(kind), spec(kind)];
    await workloads.create(first);
    await workloads.create(second);
    await assert.rejects(workloads.create(third), { code: 'RUNTIME_FULL', message: words });
    assert.deepEqual(
      workloads.page(undefined).workloads.map(({ workload }) => workload),
      [first.key, second.key],
    );
    await workloads.delete(first.key);
    await workloads.create(third);
    assert.equal(workloads.alive, 2);
    for (const { key } of [second, third]) {
      await workloads.kill(key, 'SIGKILL');
      await workloads.delete(key);
    }
  }

  it('has a number of guests, by the mappings of a process', () =>
    fills({ mostGuests: 2 }, { kind: 'shared', words: /has 2 already/ }));

  it('has a number of memories, by its address space', () =>
    fills({ most: { memories: 2 } }, { kind: 'shared', words: /no address space for more memories/ }));

  it("has a number of guests' own threads", () =>
    fills({ most: { own: 2 } }, { kind: 'thread', words: /has 2 threads of guests' own/ }));
});
