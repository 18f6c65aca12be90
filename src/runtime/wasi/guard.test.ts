import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { assemble } from '../module/assemble.suite.ts';
import { rewrite } from '../module/rewrite/mod.ts';
import { controlMemory, LoopScheduler, systemThread, wordsOf } from '../scheduler/mod.ts';
import { createWasi } from './host.ts';

const SPIN = 'loop\nbr 0\nend';

/** What the control thread's timer does, without looking whether anybody has the thread. */
const TIMER = `
  const { workerData } = require('node:worker_threads');
  const words = new Int32Array(workerData.buffer);
  for (;;) {
    Atomics.wait(words, 8, 0, 2);
    Atomics.store(words, 0, 1);
  }
`;

describe('a call from the host into a guest', { timeout: 30_000 }, () => {
  const control = controlMemory();
  const scheduler = new LoopScheduler({ ...systemThread, words: wordsOf(control), arm: () => {} });
  let timer: Worker;
  before(() => {
    timer = new Worker(TIMER, { eval: true, workerData: control });
  });
  after(() => timer.terminate());

  /** A guest whose `_start` calls the host, which calls the guest's `called`: as a host that allocates in the guest does. */
  async function run(called: string) {
    const rewritten = rewrite(
      assemble({
        imports: [{ module: 'host', name: 'call', type: 'funcref ->' }],
        functions: [
          { type: '', code: 'ref.func 2\ncall 0', export: '_start' },
          { type: '', locals: 'i32', code: called, export: 'called' },
        ],
      }),
    );
    assert.ok('bytes' in rewritten);
    const task = scheduler.add();
    await using wasi = await createWasi({
      task,
      control,
      imports: { host: { call: (guest: () => void) => task.unsuspendable(guest) } },
    });
    return await wasi.run(new WebAssembly.Module(rewritten.bytes));
  }

  it('is not suspended when its turn is over, and returns', async () => {
    const counts = 'loop\nlocal.get 0\ni32.const 1\ni32.add\nlocal.tee 0\ni32.const 3000000\ni32.lt_u\nbr_if 0\nend';
    assert.deepEqual(await run(counts), { code: 0, reason: 'Completed' });
  });

  it('that never returns is trapped, and the guest ends', async () => {
    const exit = await run(SPIN);
    assert.equal(exit.code, 134);
    assert.match(exit.message ?? '', /computed for too long in a function that the host had called/);
  });
});
