/** Who calls whom, counted while code is rewritten; becomes the facts about functions. */
import type { FunctionFacts, ModuleFacts } from '../facts.ts';
import type { Counted } from './code.ts';

const MOST_LOOPING = 10_000;
const MOST_FUNCTIONS = 2_000_000;

export class Calls {
  readonly #imported: number;
  readonly #from: Uint32Array;
  readonly #fromLoops: Uint32Array;
  readonly #escapes: Uint8Array;

  constructor({
    importedFunctions,
    definedFunctions,
  }: { readonly importedFunctions: number; readonly definedFunctions: number }) {
    const functions = Math.min(MOST_FUNCTIONS, importedFunctions + definedFunctions);
    this.#imported = importedFunctions;
    this.#from = new Uint32Array(functions);
    this.#fromLoops = new Uint32Array(functions);
    this.#escapes = new Uint8Array(functions);
  }

  called(callee: number, inLoop: boolean): void {
    this.#from[callee] = (this.#from[callee] ?? 0) + 1;
    if (inLoop) this.#fromLoops[callee] = (this.#fromLoops[callee] ?? 0) + 1;
  }

  escapes(callee: number): void {
    this.#escapes[callee] = 1;
  }

  /** `counted` is of the functions that the module defines, in their order. */
  facts(counted: readonly (Counted & { readonly bodyBytes: number })[]): ModuleFacts {
    const looping = counted
      .map((one, offset): FunctionFacts => {
        const index = this.#imported + offset;
        const [calledFrom, calledFromLoops] = [this.#from[index] ?? 0, this.#fromLoops[index] ?? 0];
        return { index, ...one, calledFrom, calledFromLoops, escapes: this.#escapes[index] === 1 };
      })
      .filter(({ loops }) => loops > 0);
    const most = looping.sort((a, b) => b.loopBytes - a.loopBytes).slice(0, MOST_LOOPING);
    return {
      functions: counted.length,
      codeBytes: counted.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0),
      largestBodyBytes: counted.reduce((largest, { bodyBytes }) => Math.max(largest, bodyBytes), 0),
      looping: most.sort((a, b) => a.index - b.index),
    };
  }
}
