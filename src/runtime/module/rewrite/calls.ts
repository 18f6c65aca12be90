/** Who calls whom, counted while code is rewritten; becomes the facts about functions. */
import { type FunctionFacts, LARGE_BODY, type ModuleFacts } from '../facts.ts';
import type { Counted } from './code.ts';
import { Entries } from './entries.ts';

const MOST_LOOPING = 10_000;
/** Kept until the end, where the most are chosen. */
const MOST_HELD = 100_000;
const MOST_FUNCTIONS = 2_000_000;

type CountedBody = Counted & { readonly bodyBytes: number };

export class Calls {
  readonly #imported: number;
  readonly #from: Uint32Array;
  readonly #fromLoops: Uint32Array;
  readonly #escapes: Uint8Array;
  readonly #entries: Entries;
  readonly #looping: ({ readonly index: number } & CountedBody)[] = [];
  readonly #large: number[] = [];
  #functions = 0;
  #codeBytes = 0;
  #largest = 0;
  #deepest = 0;

  constructor({
    importedFunctions,
    definedFunctions,
  }: { readonly importedFunctions: number; readonly definedFunctions: number }) {
    const functions = Math.min(MOST_FUNCTIONS, importedFunctions + definedFunctions);
    this.#imported = importedFunctions;
    this.#from = new Uint32Array(functions);
    this.#fromLoops = new Uint32Array(functions);
    this.#escapes = new Uint8Array(functions);
    this.#entries = new Entries(functions);
  }

  /** From the function that is counted next. */
  called(callee: number, inLoop: boolean): void {
    this.#entries.called(this.#imported + this.#functions, { callee, inLoop });
    this.#from[callee] = (this.#from[callee] ?? 0) + 1;
    if (inLoop) this.#fromLoops[callee] = (this.#fromLoops[callee] ?? 0) + 1;
  }

  escapes(callee: number): void {
    this.#escapes[callee] = 1;
    this.#entries.referred(callee);
  }

  exported(index: number, from: { readonly isStart: boolean }): void {
    this.#escapes[index] = 1;
    this.#entries.exported(index, from);
  }

  /** Told of each function that the module defines, in their order. */
  counted(one: CountedBody): void {
    const index = this.#imported + this.#functions++;
    this.#codeBytes += one.bodyBytes;
    this.#largest = Math.max(this.#largest, one.bodyBytes);
    this.#deepest = Math.max(this.#deepest, one.blockDepth);
    if (one.bodyBytes > LARGE_BODY) this.#large.push(index);
    if (one.loops === 0 || this.#looping.length >= MOST_HELD) return;
    this.#looping.push({ index, ...one });
  }

  facts(): ModuleFacts {
    const most = this.#looping.sort((a, b) => b.loopBytes - a.loopBytes).slice(0, MOST_LOOPING);
    const rare = this.#entries.rare();
    const looping = most
      .sort((a, b) => a.index - b.index)
      .map((one): FunctionFacts => {
        const { index } = one;
        const [calledFrom, calledFromLoops] = [this.#from[index] ?? 0, this.#fromLoops[index] ?? 0];
        return { ...one, calledFrom, calledFromLoops, escapes: this.#escapes[index] === 1, enteredRarely: rare(index) };
      });
    const [codeBytes, largestBodyBytes] = [this.#codeBytes, this.#largest];
    const [large, deepestBlocks] = [this.#large, this.#deepest];
    return { functions: this.#functions, codeBytes, largestBodyBytes, deepestBlocks, large, looping };
  }
}
