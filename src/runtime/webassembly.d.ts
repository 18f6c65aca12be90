/**
 * The WebAssembly JavaScript interface as Node has it. TypeScript declares it only together with the browser's whole DOM.
 * Source: https://webassembly.github.io/spec/js-api/ and the JavaScript Promise Integration proposal.
 */
declare namespace WebAssembly {
  type ImportExportKind = 'function' | 'global' | 'memory' | 'table' | 'tag';
  // biome-ignore lint/suspicious/noExplicitAny: an import or export has whatever signature its module gives it
  type AnyFunction = (...args: any[]) => any;
  type ImportValue = AnyFunction | Global | Memory | Table | Suspending | number | bigint;
  type ExportValue = AnyFunction | Global | Memory | Table;
  type ModuleImports = Record<string, ImportValue>;
  type Imports = Record<string, ModuleImports>;
  type Exports = Readonly<Record<string, ExportValue>>;

  interface ModuleExportDescriptor {
    readonly name: string;
    readonly kind: ImportExportKind;
  }

  interface ModuleImportDescriptor {
    readonly module: string;
    readonly name: string;
    readonly kind: ImportExportKind;
  }

  class Module {
    constructor(bytes: ArrayBuffer | ArrayBufferView);
    readonly [Symbol.toStringTag]: string;
    static imports(module: Module): ModuleImportDescriptor[];
    static exports(module: Module): ModuleExportDescriptor[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  class Memory {
    /** With `address: 'i64'`, initial and maximum are bigints. */
    constructor(descriptor: {
      initial: number | bigint;
      maximum?: number | bigint;
      shared?: boolean;
      address?: 'i32' | 'i64';
    });
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    grow(pages: number): number;
  }

  class Global {
    constructor(descriptor: { value: string; mutable?: boolean }, value?: unknown);
    value: unknown;
  }

  class Table {
    constructor(descriptor: { element: string; initial: number; maximum?: number }, value?: unknown);
    readonly length: number;
    get(index: number): unknown;
    set(index: number, value?: unknown): void;
    grow(count: number, value?: unknown): number;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  /** An import that may answer a promise: the guest's stack then waits for it. */
  class Suspending {
    // biome-ignore lint/suspicious/noExplicitAny: as the functions it wraps
    constructor(fn: (...args: any[]) => unknown);
  }

  /** Calls an export on a stack of its own, which can wait. */
  function promising(fn: ExportValue): (...args: unknown[]) => Promise<unknown>;
  function validate(bytes: ArrayBuffer | ArrayBufferView): boolean;
  function compile(bytes: ArrayBuffer | ArrayBufferView): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
}
