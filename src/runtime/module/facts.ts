/**
 * What the rewriter sees of a module's code on its way through: enough to choose how it is compiled, without reading it twice.
 * Collected in the admission process; `optimize.ts` decides from it.
 */
export interface FunctionFacts {
  /** In the function index space of the original module. */
  readonly index: number;
  /** Bytes of the body as the guest has it. */
  readonly bodyBytes: number;
  readonly loops: number;
  /** How deep loops stand in loops; 1 for loops side by side. */
  readonly loopDepth: number;
  /** Bytes of code within loops, and within loops that stand in another. */
  readonly loopBytes: number;
  readonly innerLoopBytes: number;
  /** Call instructions, of any kind, and those of them within loops. */
  readonly calls: number;
  readonly callsInLoops: number;
  /** Places in the module that call this function directly, and those of them within loops. */
  readonly calledFrom: number;
  readonly calledFromLoops: number;
  /** Its reference is taken (tables, `ref.func`), or it is exported: it may be called from anywhere. */
  readonly escapes: boolean;
  /**
   * Entered at most a few times in a run, as far as can be seen: what leads to it from the start are a few calls, none of them in a
   * loop, none by reference.
   */
  readonly enteredRarely: boolean;
}

/** Bytes of a body that takes milliseconds to compile, however quickly: too long for a thread that others wait for. */
export const LARGE_BODY = 1 << 14;

export interface ModuleFacts {
  /** Functions that the module defines, and bytes of their bodies. */
  readonly functions: number;
  readonly codeBytes: number;
  readonly largestBodyBytes: number;
  /** How deep blocks stand in blocks, at most in any function. */
  readonly deepestBlocks: number;
  /** Functions with a body larger than `LARGE_BODY`, ascending, in the index space of the original module. */
  readonly large: readonly number[];
  /** Functions with at least one loop; at most the 10,000 with the most bytes in loops. */
  readonly looping: readonly FunctionFacts[];
}
