import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WORD } from '../../scheduler/mod.ts';
import { Interrupter } from './interrupter.ts';

class Bench {
  readonly words = new Int32Array(new SharedArrayBuffer(64));
  now = 0;
  readonly timers: (() => void)[] = [];
  readonly interrupter = new Interrupter(this.words, {
    now: () => this.now,
    after: (_milliseconds, call) => void this.timers.push(call),
  });

  /** As the driver does. */
  turn(begins: boolean): void {
    assert.equal((this.words[WORD.turn] ?? 0) % 2, begins ? 0 : 1);
    this.words[WORD.turn] = (this.words[WORD.turn] ?? 0) + 1;
    if (begins) this.words[WORD.interrupt] = 0;
    if (begins && this.words[WORD.armed] === 0) {
      this.words[WORD.armed] = 1;
      this.interrupter.arm();
    }
  }

  tick(): void {
    this.now += 2;
    for (const call of this.timers.splice(0)) call();
  }

  get interrupted(): boolean {
    return this.words[WORD.interrupt] === 1;
  }
}

describe('Interrupter', () => {
  it('takes the thread back from one that holds it while others are ready', () => {
    const bench = new Bench();
    bench.words[WORD.ready] = 3;
    bench.turn(true);
    bench.tick();
    assert.equal(bench.interrupted, true);
  });

  it('lets one that is alone go on for longer', () => {
    const bench = new Bench();
    bench.turn(true);
    bench.tick();
    assert.equal(bench.interrupted, false);
    bench.tick();
    assert.equal(bench.interrupted, true);
  });

  it('leaves those alone that give it back', () => {
    const bench = new Bench();
    bench.words[WORD.ready] = 1;
    bench.turn(true);
    for (let at = 0; at < 20; at++) {
      bench.turn(false);
      bench.turn(true);
      bench.tick();
      assert.equal(bench.interrupted, false);
    }
  });

  it('runs no timer when nobody has turns, and one again with the next', () => {
    const bench = new Bench();
    bench.turn(true);
    assert.equal(bench.timers.length, 1);
    bench.turn(false);
    bench.tick();
    assert.equal(bench.timers.length, 0);
    assert.equal(bench.words[WORD.armed], 0);
    bench.turn(true);
    assert.equal(bench.timers.length, 1);
  });

  it('runs on where turns are many, without being asked again for each', () => {
    const bench = new Bench();
    for (let at = 0; at < 10; at++) {
      for (let turn = 0; turn < 10; turn++) {
        bench.turn(true);
        bench.turn(false);
      }
      bench.tick();
      assert.equal(bench.words[WORD.armed], 1);
    }
  });

  it('knows how busy guests keep the thread', () => {
    const bench = new Bench();
    bench.turn(true);
    for (let at = 0; at < 1000; at++) {
      bench.words[WORD.busy] = (bench.words[WORD.busy] ?? 0) + 1500;
      bench.tick();
    }
    assert.ok(Math.abs(bench.interrupter.busy - 0.75) < 0.01);
    bench.now += 2000;
    assert.ok(bench.interrupter.busy < 0.01);
  });

  it('knows a thread as busy whose turns are long and counted at their ends', () => {
    const bench = new Bench();
    bench.turn(true);
    let sum = 0;
    for (let at = 0; at < 3000; at++) {
      // Turns of 30 ms with 5 ms between them, looked at every 2 ms.
      if (bench.now % 35 < 2) bench.words[WORD.busy] = (bench.words[WORD.busy] ?? 0) + 30_000;
      bench.tick();
      if (at >= 1000) sum += bench.interrupter.busy;
    }
    assert.ok(Math.abs(sum / 2000 - 30 / 35) < 0.05);
  });
});
