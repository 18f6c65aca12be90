import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PERIOD_NANOS, type Place, RunQueue, SLICE_NANOS } from './run-queue.ts';

const MS = 1e6;

/** A thread in simulated time: who is next runs a slice, or as long as it wants before it sleeps. */
class Simulation {
  readonly queue = new RunQueue<string>();
  readonly used = new Map<string, number>();
  readonly #sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  now = 0;

  usedBy(name: string): number {
    return this.used.get(name) ?? 0;
  }

  spin(name: string, limits = {}): Place<string> {
    const place = this.queue.add(name, limits);
    this.queue.enqueue(place, this.now);
    return place;
  }

  sleep(at: number, wake: () => void): void {
    this.#sleepers.push({ at, wake });
    this.#sleepers.sort((a, b) => a.at - b.at);
  }

  /** `runs` answers how long a turn lasts and whether the task is ready again after it. */
  run(until: number, runs = (_name: string) => ({ nanos: SLICE_NANOS, again: true })): void {
    while (this.now < until) {
      while ((this.#sleepers[0]?.at ?? Number.POSITIVE_INFINITY) <= this.now) this.#sleepers.shift()?.wake();
      const place = this.queue.next(this.now);
      if (place === undefined) {
        this.now = Math.min(this.queue.soonest ?? until, this.#sleepers[0]?.at ?? until, until);
        continue;
      }
      const { nanos, again } = runs(place.owner);
      this.now += nanos;
      this.used.set(place.owner, this.usedBy(place.owner) + nanos);
      this.queue.charge(place, nanos, this.now);
      if (again) this.queue.enqueue(place, this.now);
    }
  }
}

function jain(values: readonly number[]): number {
  const sum = values.reduce((a, b) => a + b, 0);
  return sum ** 2 / (values.length * values.reduce((a, b) => a + b * b, 0));
}

function near(actual: number, wanted: number, part: number): void {
  assert.ok(Math.abs(actual - wanted) <= wanted * part, `${actual} is not within ${part * 100} % of ${wanted}`);
}

describe('RunQueue', () => {
  it('gives equal shares to a hundred equal ones, whatever the length of their turns', () => {
    const simulation = new Simulation();
    const names = Array.from({ length: 100 }, (_, at) => `guest ${at}`);
    for (const name of names) simulation.spin(name);
    simulation.run(20_000 * MS, (name) => ({ nanos: (1 + (Number(name.slice(6)) % 7)) * MS, again: true }));
    assert.ok(jain(names.map((name) => simulation.usedBy(name))) > 0.995);
  });

  it('divides by weight', () => {
    const simulation = new Simulation();
    for (const cpuShares of [256, 1024, 2048]) simulation.spin(String(cpuShares), { cpuShares });
    simulation.run(10_000 * MS);
    near(simulation.usedBy('1024'), 4 * simulation.usedBy('256'), 0.01);
    near(simulation.usedBy('2048'), 2 * simulation.usedBy('1024'), 0.01);
  });

  for (const cpuMillis of [10, 100, 250, 900]) {
    it(`keeps a quota of ${cpuMillis} thousandths within 1 %, alone and in company`, () => {
      for (const others of [0, 1]) {
        const simulation = new Simulation();
        simulation.spin('limited', { cpuMillis, cpuShares: 1_000_000 });
        for (let at = 0; at < others; at++) simulation.spin('other');
        simulation.run(60_000 * MS, () => ({ nanos: 3.3 * MS, again: true }));
        near(simulation.usedBy('limited'), (60_000 * MS * cpuMillis) / 1000, 0.01);
      }
    });
  }

  it('lets nothing be saved up under a quota', () => {
    const simulation = new Simulation();
    const place = simulation.queue.add('limited', { cpuMillis: 100 });
    simulation.run(10_000 * MS);
    simulation.queue.enqueue(place, simulation.now);
    simulation.run(11_000 * MS);
    near(simulation.usedBy('limited'), 100 * MS, 0.13);
  });

  it('throttles, and releases at a period', () => {
    const { queue } = new Simulation();
    const place = queue.add('limited', { cpuMillis: 100 });
    queue.charge(place, 25 * MS, 5 * MS);
    queue.enqueue(place, 5 * MS);
    assert.equal(queue.next(5 * MS), undefined);
    assert.equal(queue.soonest, 2 * PERIOD_NANOS);
    assert.equal(queue.next(2 * PERIOD_NANOS - 1), undefined);
    assert.equal(queue.next(2 * PERIOD_NANOS), place);
  });

  it('takes new limits at once, also of one that is throttled', () => {
    const { queue } = new Simulation();
    const place = queue.add('limited', { cpuMillis: 1 });
    queue.charge(place, 50 * MS, MS);
    queue.enqueue(place, MS);
    queue.limit(place, { cpuMillis: 500 }, MS);
    assert.equal(queue.next(MS), place);
    queue.charge(place, 60 * MS, 62 * MS);
    queue.limit(place, {}, 62 * MS);
    queue.enqueue(place, 62 * MS);
    assert.equal(queue.next(62 * MS), place);
    queue.limit(place, { cpuMillis: 100 }, 63 * MS);
    queue.charge(place, 1000 * MS, 1063 * MS);
    queue.limit(place, { cpuMillis: 200 }, 1063 * MS);
    queue.enqueue(place, 1063 * MS);
    assert.ok((queue.soonest ?? 0) <= 1200 * MS);
  });

  it('changes shares while all run', () => {
    const simulation = new Simulation();
    const a = simulation.spin('a');
    simulation.spin('b');
    simulation.run(1000 * MS);
    simulation.queue.limit(a, { cpuShares: 3072 }, simulation.now);
    const before = { a: simulation.usedBy('a'), b: simulation.usedBy('b') };
    simulation.run(5000 * MS);
    near(simulation.usedBy('a') - before.a, 3 * (simulation.usedBy('b') - before.b), 0.01);
  });

  it('lets one that waits for input be next among twenty that spin', () => {
    const simulation = new Simulation();
    for (let at = 0; at < 20; at++) simulation.spin(`spinner ${at}`);
    const place = simulation.queue.add('waiter');
    const delays: number[] = [];
    let ready = 0;
    const wake = (): void => {
      ready = simulation.now;
      simulation.queue.enqueue(place, simulation.now);
    };
    simulation.sleep(0, wake);
    simulation.run(10_000 * MS, (name) => {
      if (name !== 'waiter') return { nanos: SLICE_NANOS, again: true };
      // All begin at the same time; from then on it is the one that waits.
      if (ready > 100 * MS) delays.push(simulation.now - ready);
      simulation.sleep(simulation.now + 7 * MS, wake);
      return { nanos: 0.05 * MS, again: false };
    });
    assert.ok(delays.length > 800);
    assert.ok(Math.max(...delays) <= SLICE_NANOS);
  });

  it('starves nobody: one with the least share has its turn', () => {
    const simulation = new Simulation();
    simulation.spin('small', { cpuShares: 2 });
    for (let at = 0; at < 10; at++) simulation.spin(`large ${at}`, { cpuShares: 1024 });
    simulation.run(60_000 * MS);
    near(simulation.usedBy('small'), (60_000 * MS * 2) / 10_242, 0.35);
  });

  it('gives one that slept for long no claim to the time that it slept through', () => {
    const simulation = new Simulation();
    simulation.spin('a');
    const place = simulation.queue.add('sleeper');
    simulation.run(10_000 * MS);
    simulation.queue.enqueue(place, simulation.now);
    simulation.run(11_000 * MS);
    near(simulation.usedBy('sleeper'), 500 * MS, 0.02);
  });

  it('forgets what is removed, from its middle', () => {
    const simulation = new Simulation();
    const places = Array.from({ length: 1000 }, (_, at) => simulation.spin(`guest ${at}`));
    for (const [at, place] of places.entries()) if (at % 3 !== 0) simulation.queue.remove(place);
    assert.equal(simulation.queue.size, 334);
    simulation.run(1000 * MS);
    assert.equal(simulation.used.size, 334);
    assert.ok([...simulation.used.keys()].every((name) => Number(name.slice(6)) % 3 === 0));
  });

  it('is cheap with thousands: comparisons grow with the logarithm', () => {
    let asked = 0;
    const { queue } = new Simulation();
    const places = Array.from({ length: 8192 }, () => queue.add(''));
    for (const place of places) {
      let key = 0;
      Object.defineProperty(place, 'key', {
        get: () => {
          asked++;
          return key;
        },
        set: (value: number) => {
          key = value;
        },
      });
      queue.enqueue(place, 0);
    }
    asked = 0;
    for (let turn = 0; turn < 1000; turn++) {
      const place = queue.next(turn);
      assert.ok(place !== undefined);
      queue.charge(place, 2 * MS, turn);
      queue.enqueue(place, turn);
    }
    assert.ok(asked / 1000 < 13 * 6 * 2, `${asked / 1000} looks a turn`);
  });
});
