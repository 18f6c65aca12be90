/**
 * Brings a rewritten module to life: makes its memories, counts what it takes to begin with before anything is allocated, and hands in
 * what the rewriter lets it import. Called by the sandbox's loop threads. The start function is not run: the caller does, on a
 * stack that can be suspended.
 */
import { heapHasRoom } from './heap.ts';
import { ENGINE, type Injected, type MemoryShape, REWRITER_VERSION, type Shape, TABLE_ELEMENT_BYTES } from './shape.ts';

const PAGE_BYTES = 65536;

export interface InstantiateOptions {
  readonly injected: Injected;
  /** What memories and tables may take to begin with; absent means no limit. */
  readonly memoryBytes?: number | undefined;
}

export type Instantiated =
  | {
      readonly instance: WebAssembly.Instance;
      /** In the order of the memory index space, without the control memory. */
      readonly memories: readonly WebAssembly.Memory[];
      /** What its memories and tables take to begin with. */
      readonly initialBytes: number;
      /** To be called before anything else of the instance. */
      readonly start: WebAssembly.AnyFunction | undefined;
    }
  /** It declares more to begin with than `memoryBytes`. */
  | { readonly tooSmall: { readonly neededBytes: number } }
  /** The process has no address space left for its memories, or no heap for its tables. */
  | { readonly exhausted: true };

/** What the rewriter wrote into the module; undefined for a module that it did not write, or not in this version. */
export function shapeOf(module: WebAssembly.Module): Shape | undefined {
  const [section] = WebAssembly.Module.customSections(module, ENGINE);
  if (section === undefined) return undefined;
  try {
    const shape = JSON.parse(new TextDecoder().decode(section)) as Shape;
    return shape.version === REWRITER_VERSION ? shape : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes of the memories and tables that instances of the module have to begin with. */
export function initialBytes(shape: Shape): number {
  const own = shape.memories.filter(({ imported }) => imported === undefined);
  const pages = own.reduce((sum, { initial }) => sum + initial, 0);
  return pages * PAGE_BYTES + tableBytes(shape);
}

function tableBytes({ tables }: Shape): number {
  return tables.reduce((sum, { initial }) => sum + initial, 0) * TABLE_ELEMENT_BYTES;
}

/** Rejects imports that do not fit and segments out of bounds as `WebAssembly.Instance` does. */
export function instantiate(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
  { injected, memoryBytes = Number.POSITIVE_INFINITY }: InstantiateOptions,
): Instantiated {
  const shape = shapeOf(module);
  if (shape === undefined) throw new TypeError('the module was not rewritten by this version');
  const neededBytes = initialBytes(shape);
  if (neededBytes > memoryBytes) return { tooSmall: { neededBytes } };
  if (!heapHasRoom(tableBytes(shape))) return { exhausted: true };
  const memories = memoriesOf(shape, imports);
  if (memories === undefined) return { exhausted: true };
  const own = Object.fromEntries(memories.map((memory, index) => [`memory${index}`, memory]));
  const instance = new WebAssembly.Instance(module, {
    ...imports,
    [ENGINE]: { yield: injected.yield, grow: injected.grow, control: injected.control, ...own },
  });
  const start = shape.start ? (instance.exports[`${ENGINE}/start`] as WebAssembly.AnyFunction) : undefined;
  return { instance, memories, initialBytes: neededBytes, start };
}

function memoriesOf(shape: Shape, imports: WebAssembly.Imports): WebAssembly.Memory[] | undefined {
  try {
    return shape.memories.map((memory) =>
      memory.imported === undefined ? newMemory(memory) : imported(memory.imported, imports),
    );
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function imported(
  { module, name }: Required<MemoryShape>['imported'] & object,
  imports: WebAssembly.Imports,
): WebAssembly.Memory {
  const memory = imports[module]?.[name];
  if (!(memory instanceof WebAssembly.Memory))
    throw new WebAssembly.LinkError(`memory '${module}.${name}' is not given`);
  return memory;
}

/** With the maximum that the guest declares, not its limit: that stands in `grow` and may change while the guest runs. */
function newMemory({ initial, maximum, wide }: MemoryShape): WebAssembly.Memory {
  if (!wide) return new WebAssembly.Memory({ initial, ...(maximum !== undefined && { maximum }) });
  const most = maximum === undefined ? {} : { maximum: BigInt(maximum) };
  return new WebAssembly.Memory({ initial: BigInt(initial), ...most, address: 'i64' });
}
