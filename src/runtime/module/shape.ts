/**
 * What the rewriter leaves behind about a module, for whoever instantiates it. It travels inside of the rewritten module,
 * as JSON in a custom section, so that rewritten bytes need no companion. See docs/decisions/0011-engine.md.
 */

/** Module name of the injected imports, prefix of the injected exports, and name of the custom section. */
export const ENGINE = 'wasmlet:engine';

/** Grows with every change of what the rewriter writes; part of the rewritten file's name. */
export const REWRITER_VERSION = 3;

/** First argument of the injected `grow`. */
export const GROW = { memory: 0, table: 1 } as const;

/** What an element of a table takes on the engine's heap; measured for functions, others take a third. */
export const TABLE_ELEMENT_BYTES = 24;

export interface MemoryShape {
  /** Where the guest imports it from; absent for one that it defines. */
  readonly imported?: { readonly module: string; readonly name: string } | undefined;
  /** In pages of 64 KiB, as declared. */
  readonly initial: number;
  readonly maximum?: number | undefined;
  /** Has 64-bit addresses. */
  readonly wide: boolean;
  readonly shared: boolean;
}

export interface TableShape {
  readonly initial: number;
  readonly maximum?: number | undefined;
}

export interface Shape {
  readonly version: number;
  /** In the order of the memory index space, without the control memory. */
  readonly memories: readonly MemoryShape[];
  /** Tables that the guest defines. */
  readonly tables: readonly TableShape[];
  /** The module had a start section: export `wasmlet:engine/start`. */
  readonly start: boolean;
}

/** What is injected into each instance. */
export interface Injected {
  /** One shared page a loop thread; word 0 interrupts. */
  readonly control: WebAssembly.Memory;
  /** Answers 1 when the guest is to end. */
  readonly yield: WebAssembly.ImportValue;
  /**
   * Answers 1 when the guest may have `delta` more pages or elements. A negative `delta` gives back what was granted and then
   * not had, since the guest's own maximum was in the way; its answer is not looked at.
   */
  readonly grow: (kind: number, delta: bigint) => number;
}
