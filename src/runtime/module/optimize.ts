/**
 * Which functions of a module are compiled with all optimization before it starts, and how modules are compiled.
 *
 * V8 compiles a function quickly at its first call and again, well, when it has turned out to be hot; but the better code is taken
 * only at the next call. A program that lives in one loop makes no next call, and would stay in the quick code for ever: two times as slow.
 * Nor is it a help to compile everything well from the start: calls are then not inlined, since nothing is known about them yet (a
 * regular expression engine becomes two times as slow), and a large program starts seconds later.
 *
 * So admission chooses functions by their shape and names them to V8 in a custom section (`metadata.code.compilation_priority` of the
 * compilation hints proposal); all others take their usual way. The section is the rewriter's: what guests bring of it is left out.
 */
import { setFlagsFromString } from 'node:v8';
import type { Execution } from '../contract.ts';
import { BinaryError, Reader, SECTION, sectionsOf } from './binary.ts';
import type { FunctionFacts, ModuleFacts } from './facts.ts';

/** Bytes of one function, and of all chosen: V8's optimizing compiler takes about a second a megabyte. */
const LARGEST = 1 << 16;
const MOST_BYTES = 1 << 18;
const SECTION_NAME = 'metadata.code.compilation_priority';
/** Of the proposal: compiled first, optimized first. */
const FIRST = [0, 0] as const;
/** Compiled before the start, optimized when they turn out to be hot. */
const SOON = [0] as const;

/** Indexes, in the guest's own numbering and order, of the functions to compile well before the start. */
export function chooseEager({ looping }: Pick<ModuleFacts, 'looping'>): number[] {
  const chosen: number[] = [];
  let left = MOST_BYTES;
  for (const one of looping.filter(isWorthIt).sort((a, b) => weight(b) - weight(a))) {
    if (one.bodyBytes > left) continue;
    left -= one.bodyBytes;
    chosen.push(one.index);
  }
  return chosen.sort((a, b) => a - b);
}

export function chooseOptimization(facts: Pick<ModuleFacts, 'looping'>): Execution['optimize'] {
  return chooseEager(facts).length > 0 ? 'eager' : 'lazy';
}

/**
 * Either the function is entered rarely, so that its loops would run in quick code; or it may be, and has loops within loops that call
 * nothing, so that nothing is lost by compiling it before calls were seen.
 */
function isWorthIt({ bodyBytes, loops, enteredRarely, ...shape }: FunctionFacts): boolean {
  if (loops === 0 || bodyBytes > LARGEST) return false;
  const mayBeRare = shape.calledFromLoops === 0 && shape.calledFrom <= 1;
  return enteredRarely || (mayBeRare && shape.loopDepth > 1 && shape.callsInLoops === 0);
}

function weight({ loopBytes, innerLoopBytes, enteredRarely }: FunctionFacts): number {
  return loopBytes + innerLoopBytes + (enteredRarely ? LARGEST : 0);
}

/**
 * The module with the functions named to V8: those of `indexes` are compiled well before the start, those of `quickly` quickly, but
 * before the start too, since their first call would hold up others on the thread. All are of this module's own index space.
 */
export function withEager(
  bytes: Uint8Array<ArrayBuffer>,
  indexes: readonly number[],
  quickly: readonly number[] = [],
): Uint8Array<ArrayBuffer> {
  const named = new Map<number, readonly number[]>(quickly.map((index) => [index, SOON]));
  for (const index of indexes) named.set(index, FIRST);
  if (named.size === 0) return bytes;
  const code = [...sectionsOf(bytes)].find(({ id }) => id === SECTION.code);
  if (code === undefined) return bytes;
  const name = new TextEncoder().encode(SECTION_NAME);
  // A function, offset 0 for the function itself, and the bytes of the hint.
  const ascending = [...named].sort(([a], [b]) => a - b);
  const hints = ascending.flatMap(([index, hint]) => [...leb(index), 0, hint.length, ...hint]);
  const content = [...leb(name.byteLength), ...name, ...leb(named.size), ...hints];
  const section = [SECTION.custom, ...leb(content.length), ...content];
  const result = new Uint8Array(bytes.byteLength + section.length);
  result.set(bytes.subarray(0, code.start));
  result.set(section, code.start);
  result.set(bytes.subarray(code.start), code.start + section.length);
  return result;
}

/** The functions that a module names to V8 to be compiled well. */
export function eagerOf(bytes: Uint8Array): number[] {
  for (const { id, content, end } of sectionsOf(bytes)) {
    if (id !== SECTION.custom) continue;
    const reader = new Reader(bytes, { start: content, end });
    if (reader.name() !== SECTION_NAME) continue;
    const hints = Array.from({ length: reader.u32() }, () => {
      const index = reader.u32();
      if (reader.u32() !== 0) throw new BinaryError('a compilation hint is not of a function');
      const length = reader.u32();
      reader.skip(length);
      return { index, isOptimized: length === FIRST.length };
    });
    return hints.filter(({ isOptimized }) => isOptimized).map(({ index }) => index);
  }
  return [];
}

let hinted = false;

/** Compiles on V8's own threads; the module's eager functions are ready when it resolves, all others at their first call. */
export async function compileModule(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  if (!hinted) setFlagsFromString('--experimental-wasm-compilation-hints');
  hinted = true;
  // Node does not count a compilation with eager functions as something that is still to come, and would end.
  const waiting = setInterval(() => {}, 60_000);
  try {
    return await WebAssembly.compile(bytes);
  } finally {
    clearInterval(waiting);
  }
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
