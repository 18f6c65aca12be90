import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Task } from './contract.ts';
import { WORD } from './control.ts';
import { LoopScheduler } from './driver.ts';

const MS = 1e6;

/** A thread whose clocks and turns the test moves. */
class Bench {
  now = 0;
  cpu = 0;
  arms = 0;
  readonly words = new Int32Array(16);
  readonly laters: (() => void)[] = [];
  readonly soons: (() => void)[] = [];
  readonly alarms: { at: number; call: () => void }[] = [];
  readonly scheduler = new LoopScheduler({
    now: () => this.now,
    cpu: () => this.cpu,
    later: (call) => void this.laters.push(call),
    soon: (call) => void this.soons.push(call),
    at: (milliseconds, call) => {
      const alarm = { at: this.now + milliseconds * MS, call };
      this.alarms.push(alarm);
      return () => void this.alarms.splice(this.alarms.indexOf(alarm), 1);
    },
    words: this.words,
    arm: () => {
      this.arms++;
    },
  });

  use(nanos: number): void {
    this.now += nanos;
    this.cpu += nanos;
  }

  /** One turn of the event loop, and what is to come before the next. */
  turn(): void {
    this.drain();
    const due = this.alarms.filter(({ at }) => at <= this.now);
    for (const alarm of due) {
      this.alarms.splice(this.alarms.indexOf(alarm), 1);
      alarm.call();
      this.drain();
    }
    for (const call of this.laters.splice(0)) {
      call();
      this.drain();
    }
  }

  drain(): void {
    for (let call = this.soons.shift(); call !== undefined; call = this.soons.shift()) call();
  }
}

describe('LoopScheduler', () => {
  it('runs a step at once where nobody has the thread, and counts its time', () => {
    const bench = new Bench();
    const task = bench.scheduler.add();
    let ran = false;
    task.ready(() => {
      ran = true;
    });
    assert.equal(ran, true);
    bench.use(0.3 * MS);
    assert.equal(task.cpuNanos, 0.3 * MS);
    task.pause();
    bench.use(1 * MS);
    task.pause();
    assert.equal(task.cpuNanos, 0.3 * MS);
  });

  it('lets others wait for the thread, soon after a short turn and after the event loop after a long one', () => {
    const bench = new Bench();
    const order: string[] = [];
    const [a, b, c] = [bench.scheduler.add(), bench.scheduler.add(), bench.scheduler.add()];
    a.ready(() => order.push('a'));
    b.ready(() => order.push('b'));
    c.ready(() => order.push('c'));
    assert.equal(bench.words[WORD.ready], 2);
    bench.use(0.01 * MS);
    a.pause();
    assert.deepEqual(order, ['a']);
    bench.drain();
    assert.deepEqual(order, ['a', 'b']);
    bench.use(2 * MS);
    b.pause();
    bench.drain();
    assert.deepEqual(order, ['a', 'b']);
    bench.turn();
    assert.deepEqual(order, ['a', 'b', 'c']);
  });

  it('looks at the event loop also when one task alone is ready again and again', () => {
    const bench = new Bench();
    const task = bench.scheduler.add();
    let turns = 0;
    const step = (): void => {
      turns++;
      bench.use(0.2 * MS);
      task.pause();
      task.ready(step);
    };
    task.ready(step);
    bench.drain();
    const before = turns;
    assert.ok(before >= 1 && before <= 4);
    bench.turn();
    assert.ok(turns > before);
  });

  it('tells the timer of turns, and asks for it where it does not run', () => {
    const bench = new Bench();
    const task = bench.scheduler.add();
    task.ready(() => {});
    assert.equal(bench.arms, 1);
    assert.equal((bench.words[WORD.turn] ?? 0) % 2, 1);
    task.pause();
    assert.equal((bench.words[WORD.turn] ?? 0) % 2, 0);
    task.ready(() => {});
    assert.equal(bench.arms, 1);
    task.pause();
    bench.words[WORD.armed] = 0;
    task.ready(() => {});
    assert.equal(bench.arms, 2);
  });

  it('takes an interrupt back with the turn that it was for', () => {
    const bench = new Bench();
    const [a, b] = [bench.scheduler.add(), bench.scheduler.add()];
    a.ready(() => {});
    bench.words[WORD.interrupt] = 1;
    assert.equal(a.isDue(), true);
    b.ready(() => {});
    bench.use(2 * MS);
    a.pause();
    bench.turn();
    assert.equal(b.isDue(), false);
  });

  it('holds a call that cannot be suspended to its budget, and remembers that its turn is over', () => {
    const bench = new Bench();
    const task = bench.scheduler.add();
    task.ready(() => {});
    task.unsuspendable(() => {
      bench.words[WORD.interrupt] = 1;
      assert.equal(task.isDue(), false);
      assert.equal(bench.words[WORD.interrupt], 0);
      assert.equal(task.isOverdue, false);
      task.unsuspendable(() => bench.use(60 * MS));
      assert.equal(task.isOverdue, true);
    });
    assert.equal(task.isOverdue, false);
    assert.equal(task.isDue(), true);
  });

  it('lets a throttled task rest until its period, and wakes itself for it', () => {
    const bench = new Bench();
    const task = bench.scheduler.add({ cpuMillis: 100 });
    let turns = 0;
    task.ready(() => {});
    bench.use(10 * MS);
    task.pause();
    task.ready(() => turns++);
    bench.turn();
    assert.equal(turns, 0);
    assert.equal(bench.alarms.length, 1);
    bench.now = 100 * MS;
    bench.turn();
    assert.equal(turns, 1);
  });

  it('goes on at once when the limit is taken away', () => {
    const bench = new Bench();
    const task = bench.scheduler.add({ cpuMillis: 1 });
    let turns = 0;
    task.ready(() => {});
    bench.use(10 * MS);
    task.pause();
    task.ready(() => turns++);
    bench.turn();
    task.limit({});
    bench.turn();
    assert.equal(turns, 1);
  });

  it('gives the thread to the next when a task ends, and drops what the ended one waited for', () => {
    const bench = new Bench();
    const [a, b, c] = [bench.scheduler.add(), bench.scheduler.add(), bench.scheduler.add()];
    const order: string[] = [];
    a.ready(() => order.push('a'));
    b.ready(() => order.push('b'));
    c.ready(() => order.push('c'));
    b.end();
    b.ready(() => order.push('b again'));
    bench.use(1 * MS);
    a.end();
    bench.turn();
    assert.deepEqual(order, ['a', 'c']);
  });

  it('does not charge what the kernel gave to others, nor what the thread itself did between', () => {
    const bench = new Bench();
    const task = bench.scheduler.add();
    task.ready(() => bench.use(0.1 * MS));
    task.pause();
    bench.turn();
    task.ready(() => {
      bench.use(2 * MS);
      bench.now += 6 * MS;
    });
    task.pause();
    assert.equal(Math.round(task.cpuNanos), 2.1 * MS);
    bench.turn();
    bench.use(30 * MS);
    task.ready(() => {
      bench.use(1 * MS);
      bench.now += 20 * MS;
    });
    task.pause();
    assert.equal(Math.round(task.cpuNanos), 3.1 * MS);
  });

  it('knows how busy the last second was', () => {
    const bench = new Bench();
    const task = bench.scheduler.add();
    for (let at = 0; at < 400; at++) {
      task.ready(() => bench.use(3 * MS));
      task.pause();
      bench.turn();
      bench.now += 7 * MS;
      assert.ok(bench.scheduler.busy <= 1);
    }
    assert.ok(Math.abs(bench.scheduler.busy - 0.3) < 0.02);
    bench.now += 5000 * MS;
    assert.ok(bench.scheduler.busy < 0.02);
  });

  it('keeps hundreds that spin fair by CPU time, and one that sleeps awake', () => {
    const bench = new Bench();
    const tasks: Task[] = Array.from({ length: 300 }, () => bench.scheduler.add());
    for (const task of tasks) {
      const step = (): void => {
        bench.use(2 * MS);
        task.pause();
        task.ready(step);
      };
      task.ready(step);
    }
    for (let turn = 0; turn < 30_000; turn++) bench.turn();
    const used = tasks.map(({ cpuNanos }) => cpuNanos);
    assert.ok(Math.max(...used) - Math.min(...used) <= 4 * MS);
  });
});
