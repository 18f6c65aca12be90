import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rewrite } from '../../module/rewrite/mod.ts';
import type { WireSpec } from '../protocol/messages.ts';
import { hogSpec } from './hog.suite.ts';
import type { LoopThread } from './loop-thread.ts';
import { Loops } from './loops.ts';

describe('Loops', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmlet-loops-'));
  const path = join(folder, 'hog.wasm');
  const placed = new Set<LoopThread>();
  const events = { started: () => {}, exited: () => {}, ended: () => {} };
  const loops = new Loops({ insecureTrustedGuests: true, events: () => events, cores: 2 });
  let names = 0;
  before(() => {
    const rewritten = rewrite(
      new Uint8Array(readFileSync(join(import.meta.dirname, '../../../../guests/hog/hog.wasm'))),
    );
    assert.ok('bytes' in rewritten);
    writeFileSync(path, rewritten.bytes);
  });
  after(async () => {
    for (const loop of placed) await loop.stop();
    rmSync(folder, { recursive: true });
  });

  function spec(kind: 'shared' | 'thread'): WireSpec {
    return hogSpec({ folder, path, kind, number: names++ });
  }

  function place(one: WireSpec): LoopThread {
    const loop = loops.place(one);
    placed.add(loop);
    return loop;
  }

  async function spin(loop: LoopThread, one: WireSpec): Promise<void> {
    await loop.ask({ do: 'create', create: { spec: one, moduleFd: undefined, listenerFds: [] } });
    await loop.ask({ do: 'start', key: one.key });
  }

  it('keep idle guests on one thread, start another where that is busy, and no more than cores', async () => {
    const idle = place(spec('shared'));
    const spinner = spec('shared');
    const first = place(spinner);
    assert.equal(first, idle);
    await spin(first, spinner);
    while (first.interrupter.busy <= 0.5) await new Promise((resolve) => setTimeout(resolve, 5));
    const other = spec('shared');
    const second = place(other);
    assert.notEqual(second, first);
    await spin(second, other);
    while (second.interrupter.busy <= 0.5) await new Promise((resolve) => setTimeout(resolve, 5));
    const third = place(spec('shared'));
    assert.ok(third === first || third === second);
  });

  it('give a guest of the class `thread` a thread of its own, and end that with it', async () => {
    const own = place(spec('thread'));
    assert.equal(own.isOwn, true);
    assert.notEqual(place(spec('thread')), own);
    loops.left(own);
    await assert.rejects(own.ask({ do: 'stats', key: 'x' }), { code: 'RUNTIME_SANDBOX_GONE' });
  });
});
