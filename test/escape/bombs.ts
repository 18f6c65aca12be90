/** Modules that cost those who look at them: large, deep, many of everything, and lengths that lie. */
import { type Attempt, breach, type Outcome, refused } from './attempt.ts';
import {
  body,
  EMPTY_BODY,
  EXPORT_START,
  entries,
  leb,
  module,
  named,
  program,
  repeatedEntry,
  section,
  TYPE_NOTHING,
} from './bytes.ts';
import { forEver } from './calls.ts';
import type { Ground } from './ground.ts';

const bytesOf = (...parts: readonly (Uint8Array | readonly number[])[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)));
const many = (count: number, ...bytes: number[]) => Buffer.alloc(bytes.length * count, Buffer.from(bytes));

function exportsOf(count: number, nameOf: (at: number) => string): Buffer {
  const list = Array.from({ length: count }, (_, at) => bytesOf(named(nameOf(at)), [0, 0]));
  return entries(7, bytesOf(named('_start'), [0, 0]), ...list);
}

function functions(count: number, one: Buffer): Buffer {
  return module(TYPE_NOTHING, repeatedEntry(3, count, [0]), EXPORT_START, repeatedEntry(10, count, one));
}

/** `count` groups of locals of one type, together 50,000. */
const LOCALS = bytesOf([1], leb(50_000), [0x7e]);

const brTable = (targets: number) => bytesOf([0x02, 0x40, 0x41, 0, 0x0e], leb(targets), many(targets, 0), [0, 0x0b]);

const BOMBS: Readonly<Record<string, () => Buffer>> = {
  'a function of 7 MB': () => program([[0], many(2_500_000, 0x41, 0), many(2_500_000, 0x1a)]),
  'a function of 20 MB': () => program([[0], many(10_000_000, 0x01, 0x01)]),
  '100,000 exports': () =>
    module(
      TYPE_NOTHING,
      entries(3, [0]),
      exportsOf(100_000, (at) => `export${at}`),
      entries(10, EMPTY_BODY),
    ),
  '200 exports with names of 100 KB': () =>
    module(
      TYPE_NOTHING,
      entries(3, [0]),
      exportsOf(200, (at) => `${at}`.padEnd(99_000, 'x')),
      entries(10, EMPTY_BODY),
    ),
  'names that forge lines and terminals': () =>
    module(
      TYPE_NOTHING,
      entries(2, bytesOf(named('\u001b[2J\nforged'), named('x\r\n'), [0, 0])),
      entries(3, [0]),
      exportsOf(1, () => '\u001b]0;x\u0007\nforged'),
      entries(10, EMPTY_BODY),
    ),
  'half a million functions': () => functions(500_000, EMPTY_BODY),
  '5,000 functions with 50,000 locals each': () => functions(5000, body(LOCALS)),
  '100 functions with 50,000 locals that call each other': () => functions(100, body(LOCALS, [0x10, 0])),
  'blocks 100,000 deep': () => program([[0], many(100_000, 0x02, 0x40), many(100_000, 0x0b)]),
  'blocks a million deep': () => program([[0], many(1_000_000, 0x02, 0x40), many(1_000_000, 0x0b)]),
  'loops 100,000 deep': () => program([[0], many(100_000, 0x03, 0x40), many(100_000, 0x0b)]),
  '100 branch tables of 65,000': () => program([[0], ...Array.from({ length: 100 }, () => brTable(65_000))]),
  '1,000 parameters and results, 1,000 times': () => {
    const type = bytesOf([0x60], leb(1000), many(1000, 0x7e), leb(1000), many(1000, 0x7e));
    const sections = [entries(1, [0x60, 0, 0], ...Array.from({ length: 1000 }, () => type)), entries(3, [0])];
    return module(...sections, EXPORT_START, entries(10, EMPTY_BODY));
  },
  'a million types': () =>
    module(repeatedEntry(1, 1_000_000, [0x60, 0, 0]), entries(3, [0]), EXPORT_START, entries(10, EMPTY_BODY)),
  'a million globals': () =>
    module(
      TYPE_NOTHING,
      entries(3, [0]),
      repeatedEntry(6, 1_000_000, [0x7f, 1, 0x41, 0, 0x0b]),
      EXPORT_START,
      entries(10, EMPTY_BODY),
    ),
  '100,000 imports': () =>
    module(
      TYPE_NOTHING,
      repeatedEntry(2, 100_000, bytesOf(named('wasi_snapshot_preview1'), named('sched_yield'), [0, 0])),
      entries(3, [0]),
      entries(7, bytesOf(named('_start'), [0], leb(100_000))),
      entries(10, EMPTY_BODY),
    ),
  '100,000 data segments': () =>
    module(
      ...[TYPE_NOTHING, entries(3, [0]), entries(5, [0, 1]), EXPORT_START, entries(10, EMPTY_BODY)],
      repeatedEntry(11, 100_000, [0, 0x41, 0, 0x0b, 1, 0]),
    ),
  'data that overlaps 30 MiB a hundred times': () =>
    module(
      ...[TYPE_NOTHING, entries(3, [0]), entries(5, bytesOf([0], leb(512))), EXPORT_START, entries(10, EMPTY_BODY)],
      entries(
        11,
        ...Array.from({ length: 4 }, () => bytesOf([0, 0x41, 0, 0x0b], leb(30 << 20), Buffer.alloc(30 << 20))),
      ),
    ),
  'a custom section of 100 MB': () => program([[0]], section(0, named('x'), Buffer.alloc(100 << 20))),
  'a length that lies': () => module([1, 0xff, 0xff, 0xff, 0xff, 0x0f]),
  'a count of four billion': () => module(bytesOf([1, 5], [0xff, 0xff, 0xff, 0xff, 0x0f])),
  'a type that contains itself': () => module(entries(1, [0x4e, 1, 0x5f, 1, 0x64, 0, 0]), entries(3)),
  nothing: () => Buffer.alloc(0),
  'a preamble': () => module(),
  'a program of Linux': () => Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(4096)]),
  'another version': () => Buffer.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]),
};

async function bomb(ground: Ground, bytes: Buffer): Promise<Outcome> {
  const from = performance.now();
  const outcome = await forEver(ground, bytes, { seconds: 8, wall: 'limit' });
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  if (outcome.wall === undefined) return outcome.happened === '' ? breach('?') : outcome;
  return refused(outcome.wall, `${outcome.happened}, ${seconds} s`);
}

export const bombs: readonly Attempt<Ground>[] = Object.entries(BOMBS).map(([name, make]) => ({
  area: 'module',
  name,
  run: (ground: Ground) => bomb(ground, make()),
}));
