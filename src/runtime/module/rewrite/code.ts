/**
 * Walks instructions and writes them again with what is put into them: checks, moved function indexes, calls of helpers in place of
 * growth and bulk instructions. What does not change is copied in runs. The bytes have been validated by the engine before.
 *
 * Where checks stand, so that no code runs long without one: at each loop head; at the entry of a function that calls outside of loops, or
 * is not small; and in code without loops after each `STRETCH` bytes. A check within a block counts in that block alone, since a branch may
 * pass it by; that of a loop's head counts behind the loop too, since there is no other way in. A small function that
 * calls nothing outside of loops has none at its entry: its caller's is near.
 */
import { BinaryError, type Reader } from '../binary.ts';
import type { Helpers } from './added.ts';
import { SMALL_SEGMENT } from './added.ts';
import { IMMEDIATES, type Immediates, tableOf, UNKNOWN } from './opcodes.ts';
import type { Output } from './output.ts';
import { Unsupported } from './unsupported.ts';
import { OP } from './words.ts';

/** Bytes of code in a row, all of them executed, that pass without a check. */
const STRETCH = 1 << 14;
/** Bytes of a function that calls nothing outside of loops and needs no check of its own. */
const SMALL_FUNCTION = 1024;
/** Blocks within each other. */
const DEEPEST = 100_000;
const MEMORY_INDEX_FOLLOWS = 0x40;

/** What the code is rewritten with. */
export interface CodePlan {
  /** Function indexes from this on move by two. */
  readonly importedFunctions: number;
  /** Absent for constant expressions, which need none. */
  readonly helpers: Helpers | undefined;
  /** Sizes of data segments in bytes, of element segments in elements. */
  readonly dataBytes: readonly number[];
  readonly elementCounts: readonly number[];
  /** Told of each direct call and each reference that is taken. */
  readonly called: (callee: number, inLoop: boolean) => void;
  readonly referred: (callee: number) => void;
}

/** Of one function's code. */
export interface Counted {
  loops: number;
  loopDepth: number;
  loopBytes: number;
  innerLoopBytes: number;
  calls: number;
  callsInLoops: number;
  /** Blocks within each other, of any kind. */
  blockDepth: number;
}

const kind = (immediates: Immediates) => IMMEDIATES.indexOf(immediates);
const K = Object.fromEntries(IMMEDIATES.map((it) => [it, kind(it)])) as Record<Immediates, number>;
/** From this on, instructions become calls of added functions. */
const FIRST_REPLACED = K['memory.grow'];
const PLAIN = tableOf(0) ?? new Uint8Array();
/** `else`, `catch`, `catch_all`: what follows is not behind what stands above it in the block. */
const BEGINS_AGAIN = new Set([0x05, 0x07, 0x19]);
const LOOP = 1;
const BLOCK = 0;

export class CodeRewriter {
  readonly #bytes: Uint8Array;
  readonly #plan: CodePlan;
  readonly #body: Output;
  /** Where in the body the branches of its checks stand. */
  readonly #branches: number[] = [];
  /** What is open around the current instruction: loops and other blocks. */
  readonly #open: number[] = [];

  constructor(bytes: Uint8Array, { plan, scratch }: { readonly plan: CodePlan; readonly scratch: Output }) {
    this.#bytes = bytes;
    this.#plan = plan;
    this.#body = scratch;
  }

  /**
   * One function's body, from its locals to its end, with its size in front. `branches` are those of its checks: offsets from the start of
   * the new body.
   */
  body(reader: Reader, output: Output): Counted & { readonly bodyBytes: number; readonly branches: readonly number[] } {
    const bodyBytes = reader.u32();
    const start = reader.at;
    for (let left = reader.u32(); left > 0; left--) {
      reader.u32();
      reader.valueType();
    }
    const code = reader.at;
    const end = start + bodyBytes;
    this.#body.clear();
    this.#branches.length = 0;
    const counted = this.#walk(reader, { output: this.#body, checked: true });
    if (reader.at !== end) throw new BinaryError(`a function's code does not end with its body, at byte ${reader.at}`);
    const guarded = counted.calls > counted.callsInLoops || bodyBytes > SMALL_FUNCTION;
    const check = guarded ? (this.#plan.helpers?.check ?? []) : [];
    output.u32(code - start + check.length + this.#body.length);
    output.copy(this.#bytes, { from: start, to: code });
    output.all(check);
    output.all(this.#body.bytes);
    const before = code - start + check.length;
    const branches = this.#branches.map((offset) => before + offset);
    if (guarded) branches.unshift(code - start + (this.#plan.helpers?.branch ?? 0));
    return { ...counted, bodyBytes, branches };
  }

  /** A constant expression. */
  expression(reader: Reader, output: Output): void {
    this.#walk(reader, { output, checked: false });
  }

  /** Until the `end` that closes what the caller opened. */
  #walk(reader: Reader, { output, checked }: { readonly output: Output; readonly checked: boolean }): Counted {
    const bytes = this.#bytes;
    // Absent only where nothing is checked or replaced.
    const helpers = this.#plan.helpers as Helpers;
    const { importedFunctions, dataBytes, elementCounts, called, referred } = this.#plan;
    const open = this.#open;
    const counted: Counted = {
      loops: 0,
      loopDepth: 0,
      loopBytes: 0,
      innerLoopBytes: 0,
      calls: 0,
      callsInLoops: 0,
      blockDepth: 0,
    };
    let depth = 0;
    let copied = reader.at;
    let lastCheck = reader.at;
    let loopStart = 0;
    let innerStart = 0;
    open.length = 0;
    // For each open block, where the last check stood that was passed before it.
    const checks: number[] = [];

    const check = (at: number) => {
      output.copy(bytes, { from: copied, to: at });
      this.#branches.push(output.length + helpers.branch);
      output.all(helpers.check);
      copied = reader.at;
    };
    const call = (at: number, index: number) => {
      output.copy(bytes, { from: copied, to: at });
      output.byte(OP.call);
      output.u32(index);
      copied = reader.at;
    };
    const count = () => {
      counted.calls++;
      if (depth > 0) counted.callsInLoops++;
    };

    for (;;) {
      const at = reader.at;
      if (checked && at - lastCheck > STRETCH) {
        check(at);
        lastCheck = at;
      }
      const opcode = reader.byte();
      let immediates = PLAIN[opcode] ?? UNKNOWN;
      if (immediates === UNKNOWN) {
        const table = opcode === 0 ? undefined : tableOf(opcode);
        if (table === undefined) throw unknown(at, opcode);
        const code = reader.u32();
        immediates = table[code] ?? UNKNOWN;
        if (immediates === UNKNOWN) throw unknown(at, opcode, code);
      }
      if (open.length > counted.blockDepth) counted.blockDepth = open.length;
      if (!checked && immediates >= FIRST_REPLACED) throw new Unsupported('it has a constant expression that is none');
      switch (immediates) {
        case K.none:
          if (BEGINS_AGAIN.has(opcode)) lastCheck = checks.at(-1) ?? lastCheck;
          break;
        case K.leb:
          reader.skipLeb();
          if (BEGINS_AGAIN.has(opcode)) lastCheck = checks.at(-1) ?? lastCheck;
          break;
        case K['leb leb']:
          reader.skipLeb();
          reader.skipLeb();
          break;
        case K.memarg:
        case K['memarg byte']:
          if ((reader.u32() & MEMORY_INDEX_FOLLOWS) !== 0) reader.skipLeb();
          reader.skipLeb();
          if (immediates === K['memarg byte']) reader.byte();
          break;
        case K.block:
          reader.skipLeb();
          open.push(BLOCK);
          checks.push(lastCheck);
          if (open.length > DEEPEST)
            throw new Unsupported(`its code has more than ${DEEPEST} blocks within each other`);
          break;
        case K.loop:
          reader.skipLeb();
          open.push(LOOP);
          if (open.length > DEEPEST)
            throw new Unsupported(`its code has more than ${DEEPEST} blocks within each other`);
          depth++;
          counted.loops++;
          if (depth > counted.loopDepth) counted.loopDepth = depth;
          if (depth === 1) loopStart = at;
          if (depth === 2) innerStart = at;
          if (checked) check(reader.at);
          lastCheck = reader.at;
          checks.push(lastCheck);
          break;
        case K.end:
          if (open.length === 0) {
            output.copy(bytes, { from: copied, to: reader.at });
            return counted;
          }
          lastCheck = checks.pop() ?? lastCheck;
          if (open.pop() === LOOP) {
            if (depth === 1) counted.loopBytes += reader.at - loopStart;
            if (depth === 2) counted.innerLoopBytes += reader.at - innerStart;
            depth--;
          }
          break;
        case K.delegate:
          reader.skipLeb();
          open.pop();
          lastCheck = checks.pop() ?? lastCheck;
          break;
        case K.call:
        case K.function: {
          const from = reader.at;
          const index = reader.u32();
          if (immediates === K.call) {
            count();
            called(index, depth > 0);
          } else referred(index);
          if (index >= importedFunctions) {
            output.copy(bytes, { from: copied, to: from });
            output.u32(index + 2);
            copied = reader.at;
          }
          break;
        }
        case K['call leb']:
          reader.skipLeb();
          count();
          break;
        case K['call leb leb']:
          reader.skipLeb();
          reader.skipLeb();
          count();
          break;
        case K.labels:
          for (let left = reader.u32(); left >= 0; left--) reader.skipLeb();
          break;
        case K.types:
          for (let left = reader.u32(); left > 0; left--) reader.valueType();
          break;
        case K.try_table:
          reader.skipLeb();
          skipCatches(reader);
          open.push(BLOCK);
          checks.push(lastCheck);
          if (open.length > DEEPEST)
            throw new Unsupported(`its code has more than ${DEEPEST} blocks within each other`);
          break;
        case K.byte:
          reader.byte();
          break;
        case K.bytes4:
          reader.skip(4);
          break;
        case K.bytes8:
          reader.skip(8);
          break;
        case K.bytes16:
          reader.skip(16);
          break;
        case K.cast:
          reader.byte();
          for (let left = 3; left > 0; left--) reader.skipLeb();
          break;
        case K['memory.grow']:
          call(at, helpers.memoryGrow(reader.u32()));
          break;
        case K['memory.fill']:
          call(at, helpers.memoryFill(reader.u32()));
          break;
        case K['memory.copy']:
          call(at, helpers.memoryCopy(reader.u32(), reader.u32()));
          break;
        case K['memory.init']: {
          const segment = reader.u32();
          const memory = reader.u32();
          if ((dataBytes[segment] ?? Infinity) > SMALL_SEGMENT.bytes) call(at, helpers.memoryInit(segment, memory));
          break;
        }
        case K['table.grow']:
          call(at, helpers.tableGrow(reader.u32()));
          break;
        case K['table.fill']:
          call(at, helpers.tableFill(reader.u32()));
          break;
        case K['table.copy']:
          call(at, helpers.tableCopy(reader.u32(), reader.u32()));
          break;
        case K['table.init']: {
          const segment = reader.u32();
          const table = reader.u32();
          if ((elementCounts[segment] ?? Infinity) > SMALL_SEGMENT.elements)
            call(at, helpers.tableInit(segment, table));
          break;
        }
        default:
          throw unknown(at, opcode);
      }
    }
  }
}

function skipCatches(reader: Reader): void {
  for (let left = reader.u32(); left > 0; left--) {
    const clause = reader.byte();
    if (clause > 3) throw new Unsupported(`its code has an unknown catch clause ${clause}, at byte ${reader.at - 1}`);
    if (clause < 2) reader.skipLeb();
    reader.skipLeb();
  }
}

function unknown(at: number, opcode: number, code?: number): Unsupported {
  const hex = (value: number) => `0x${value.toString(16)}`;
  return new Unsupported(
    `its code has an unknown instruction ${hex(opcode)}${code === undefined ? '' : ` ${hex(code)}`}, at byte ${at}`,
  );
}
