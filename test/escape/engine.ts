/** Ways out by code: never giving the thread back, filling what the engine holds, and pretending to be the engine. */
import { type Attempt, breach, type Outcome } from './attempt.ts';
import { forEver } from './calls.ts';
import type { Ground, Run } from './ground.ts';

const MIB = 1024 * 1024;

let binaryen: typeof import('binaryen').default | undefined;

export async function assembled(text: string): Promise<Uint8Array> {
  binaryen ??= (await import('binaryen')).default;
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  try {
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

const start = (code: string, more = '') => `(module ${more} (func $start (export "_start") ${code}))`;

/** What never ends, in each way that code can go on. */
const ENDLESS: Readonly<Record<string, string>> = {
  'a loop': start('(loop $l (br $l))'),
  'a loop by br_table': start('(loop $l (br_table $l $l $l (i32.const 1)))'),
  'a loop that leaves by a block': start('(loop $l (block $b (br_if $b (i32.const 1)) (unreachable)) (br $l))'),
  'a loop in the start function': '(module (func $s (loop $l (br $l))) (start $s) (func (export "_start")))',
  'a start function that calls itself by tail calls': `(module (func $s (return_call $s)) (start $s) (func (export "_start")))`,
  'tail calls': '(module (func $f (export "_start") (return_call $f)))',
  'tail calls between two': '(module (func $f (export "_start") (return_call $g)) (func $g (return_call $f)))',
  'tail calls through a table': `(module (type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
    (func $f (export "_start") (return_call_indirect (type $t) (i32.const 0))))`,
  'tail calls by reference': `(module (type $t (func)) (elem declare func $f)
    (func $f (export "_start") (return_call_ref $t (ref.func $f))))`,
  '2^60 calls without a loop': `(module ${Array.from({ length: 60 }, (_, i) => `(func $f${i} (call $f${i + 1}) (call $f${i + 1}))`).join('')}
    (func $f60) (func (export "_start") (call $f0)))`,
  'an exception thrown for ever': start('(loop $l (try (do (throw $e)) (catch_all)) (br $l))', '(tag $e)'),
  'an exception thrown for ever, by try_table': start(
    '(loop $l (block $b (try_table (catch_all $b) (throw $e))) (br $l))',
    '(tag $e)',
  ),
  'a loop in a handler': start('(try (do (throw $e)) (catch_all (loop $l (br $l))))', '(tag $e)'),
  'everything caught, for ever': `(module (tag $e) (func $f (loop $l (br $l)))
    (func $g (try (do (call $f)) (catch_all))) (func (export "_start") (loop $l (call $g) (br $l))))`,
  'everything caught at each depth': `(module (func $f (export "_start")
    (try (do (call $f)) (catch_all)) (try (do (call $f)) (catch_all))))`,
  'memory.fill of 32 MiB for ever': start(
    '(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 33554432)) (br $l))',
    '(memory 512)',
  ),
  'memory.copy of 16 MiB for ever': start(
    '(loop $l (memory.copy (i32.const 1) (i32.const 0) (i32.const 16777216)) (br $l))',
    '(memory 512)',
  ),
  'table.fill of a million for ever': start(
    '(loop $l (table.fill $t (i32.const 0) (ref.null func) (i32.const 1000000)) (br $l))',
    '(table $t 1000000 funcref)',
  ),
  'memory.size and memory.grow of nothing for ever': start(
    '(loop $l (drop (memory.grow (i32.const 0))) (br $l))',
    '(memory 1)',
  ),
  'growth that is refused, for ever': start('(loop $l (drop (memory.grow (i32.const 65000))) (br $l))', '(memory 1)'),
};

/** What ends by a trap or by a limit. */
const GREEDY: Readonly<Record<string, string>> = {
  'calls itself without end': '(module (func $f (export "_start") (call $f)))',
  'two that call each other without end':
    '(module (func $f (export "_start") (call $g) (nop)) (func $g (call $f) (nop)))',
  'calls itself in the start function': '(module (func $f (call $f)) (start $f) (func (export "_start")))',
  'calls itself with a hundred locals': `(module (func $f (export "_start") (local ${'i64 '.repeat(100)}) (call $f) (local.set 0 (i64.const 1))))`,
  'grows its memory by pages to the end': start(
    '(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)',
    '(memory 1)',
  ),
  'grows its memory at once to 4 GiB': start('(drop (memory.grow (i32.const 65535))) (unreachable)', '(memory 1)'),
  'touches what it could not grow to': start(
    '(drop (memory.grow (i32.const 32768))) (i32.store (i32.const 2000000000) (i32.const 1))',
    '(memory 1)',
  ),
  'declares 4 GiB': start('', '(memory 65536)'),
  'declares 16 memories of 4 GiB': start('', Array.from({ length: 16 }, (_, i) => `(memory $m${i} 65536)`).join('')),
  'declares 90 memories of 1 MiB': start('', Array.from({ length: 90 }, (_, i) => `(memory $m${i} 16)`).join('')),
  'a 64-bit memory of 2^44 bytes': start('', '(memory i64 268435456)'),
  'grows a 64-bit memory by 2^40 pages': start(
    '(drop (memory.grow (i64.const 1099511627776))) (unreachable)',
    '(memory i64 1)',
  ),
  'ten tables of ten million': start(
    '',
    Array.from({ length: 10 }, (_, i) => `(table $t${i} 10000000 funcref)`).join(''),
  ),
  'grows a table to ten million, ten times over': start(
    Array.from({ length: 10 }, (_, i) => `(drop (table.grow $t${i} (ref.null func) (i32.const 9999999)))`)
      .join('')
      .concat('(unreachable)'),
    Array.from({ length: 10 }, (_, i) => `(table $t${i} 1 funcref)`).join(''),
  ),
  'an array of a gigabyte': start(
    '(drop (array.len (array.new_default $a (i32.const 268435456))))',
    '(type $a (array (mut i32)))',
  ),
  'arrays of a megabyte, kept for ever': start(
    `(local $n (ref null $n)) (loop $l (local.set $n (struct.new $n (local.get $n) (array.new_default $a (i32.const 262144)))) (br $l))`,
    '(rec (type $a (array (mut i32))) (type $n (struct (field (ref null $n)) (field (ref null $a)))))',
  ),
  'a chain of structures without end': start(
    '(local $n (ref null $n)) (loop $l (local.set $n (struct.new $n (local.get $n))) (br $l))',
    '(type $n (struct (field (ref null $n))))',
  ),
  'waits for a shared memory for ever': start(
    '(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))',
    '(memory 1 1 shared)',
  ),
};

/** Names that are the engine's own. */
const IMPOSTORS: Readonly<Record<string, string>> = {
  "imports the engine's yield": `(module (import "wasmlet:engine" "yield" (func $y (result i32))) (func (export "_start") (drop (call $y))))`,
  'imports the control memory': `(module (import "wasmlet:engine" "control" (memory 1 1 shared)) (func (export "_start") (i32.store (i32.const 0) (i32.const 0))))`,
  "imports the engine's grow": `(module (import "wasmlet:engine" "grow" (func $g (param i32 i64) (result i32))) (func (export "_start") (drop (call $g (i32.const 0) (i64.const 1)))))`,
  "imports from a module named after the engine's": `(module (import "wasmlet:engine/x" "y" (func $y)) (func (export "_start") (call $y)))`,
  "exports the engine's start": `(module (func (export "wasmlet:engine/start") (loop $l (br $l))) (func (export "_start")))`,
  "exports a memory under the engine's name": `(module (memory (export "wasmlet:engine/control") 1) (func (export "_start")))`,
  'imports a memory of the host': `(module (import "env" "memory" (memory 1)) (func (export "_start")))`,
  'imports a socket call that is not there': `(module (import "wasi_snapshot_preview1" "sock_connect" (func $c (param i32) (result i32))) (func (export "_start") (drop (call $c (i32.const 0)))))`,
  'imports __proto__': `(module (import "__proto__" "constructor" (func $c)) (func (export "_start") (call $c)))`,
  'imports toString of WASI': `(module (import "wasi_snapshot_preview1" "toString" (func $c)) (func (export "_start") (call $c)))`,
};

async function greedy(ground: Ground, text: string, run: Run): Promise<Outcome> {
  return await forEver(ground, await assembled(text), { seconds: 8, wall: 'limit', ...run });
}

async function impostor(ground: Ground, text: string): Promise<Outcome> {
  const { exit } = await ground.run(await assembled(text));
  return breach(`it was admitted: exit ${exit.code} ${exit.message ?? ''}`);
}

/** A guest that says of itself what only the rewriter says. */
async function forgedSection(ground: Ground): Promise<Outcome> {
  const shape = { version: 1, memories: [], tables: [], start: true };
  const text = Buffer.from(JSON.stringify(shape));
  const name = Buffer.from('wasmlet:engine');
  const plain = await assembled(ENDLESS['a loop'] ?? '');
  const custom = Buffer.concat([Buffer.from([name.byteLength]), name, text]);
  const bytes = Buffer.concat([plain, Buffer.from([0, custom.byteLength]), custom]);
  return await forEver(ground, bytes);
}

/** Limits are what the pod has; without any the machine's bounds are all there is. */
const LIMITED: Run = { limits: { memoryBytes: 64 * MIB } };

/** With a neighbour's memory beside it, the code of another: the guest's own index spaces end before the engine's. */
async function beyondItsIndexes(ground: Ground): Promise<Outcome> {
  const { module, entries, body, TYPE_NOTHING, EXPORT_START } = await import('./bytes.ts');
  // i32.const 0; i32.const 0; i32.store of memory 1, where there is one memory.
  const code = body([0], [0x41, 0, 0x41, 0, 0x36, 0x42, 1, 0]);
  const bytes = module(TYPE_NOTHING, entries(3, [0]), entries(5, [0, 1]), EXPORT_START, entries(10, code));
  const { exit } = await ground.run(bytes);
  return breach(`it was admitted: exit ${exit.code}`);
}

async function engineEntrypoint(ground: Ground): Promise<Outcome> {
  const bytes = await assembled('(module (func $s) (start $s) (func (export "_start")))');
  const { exit } = await ground.run(bytes, { entrypoint: 'wasmlet:engine/start' });
  return breach(`it was started there: exit ${exit.code}`);
}

export const engine: readonly Attempt<Ground>[] = [
  ...Object.entries(ENDLESS).map(([name, text]) => ({
    area: 'the thread',
    name,
    run: async (ground: Ground) => forEver(ground, await assembled(text)),
  })),
  ...Object.entries(GREEDY).map(([name, text]) => ({
    area: 'memory',
    name,
    run: (ground: Ground) => greedy(ground, text, LIMITED),
  })),
  ...Object.entries(IMPOSTORS).map(([name, text]) => ({
    area: 'names of the engine',
    name,
    run: (ground: Ground) => impostor(ground, text),
  })),
  { area: 'names of the engine', name: "a custom section that is the engine's", run: forgedSection },
  { area: 'names of the engine', name: 'a memory beyond its own', run: beyondItsIndexes },
  { area: 'names of the engine', name: "the engine's start as its entrypoint", run: engineEntrypoint },
];
