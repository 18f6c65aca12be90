/** The shared memories of a module: read from its bytes, since JavaScript does not tell a memory's type, and made within the limit. */
import { BinaryError, PREAMBLE_BYTES, readImports, SECTION, sectionsOf } from '../../module/binary.ts';
import type { SharedMemory } from './contract.ts';

const PAGE_BYTES = 65_536;
const THREAD_SPAWN = { module: 'wasi', name: 'thread-spawn' } as const;

/**
 * The memories that a module with threads imports; undefined for a module without (no `wasi.thread-spawn`, no shared memory).
 * For validated bytes: what is corrupt counts as a module without.
 */
export function sharedMemoriesOf(bytes: Uint8Array): readonly SharedMemory[] | undefined {
  try {
    if (bytes.byteLength < PREAMBLE_BYTES) return undefined;
    for (const section of sectionsOf(bytes))
      if (section.id === SECTION.import) return fromImports(readImports(bytes, section));
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
  }
  return undefined;
}

function fromImports({ imports, memories }: ReturnType<typeof readImports>): readonly SharedMemory[] | undefined {
  const named = imports.filter(({ kind }) => kind === 'memory');
  const spawns = imports.some(({ module, name }) => module === THREAD_SPAWN.module && name === THREAD_SPAWN.name);
  const shared = memories.flatMap(({ minimum, maximum, shared, wide }, at) => {
    const { module = '', name = '' } = named[at] ?? {};
    if (!shared || wide || maximum === undefined) return [];
    return [{ module, name, initial: Number(minimum), maximum: Number(maximum) }];
  });
  return spawns || shared.length > 0 ? shared : undefined;
}

const remembered = new WeakMap<WebAssembly.Module, readonly SharedMemory[]>();

/** Keeps what only a module's bytes tell, for whoever has the compiled module alone. */
export function rememberSharedMemories(module: WebAssembly.Module, bytes: Uint8Array): WebAssembly.Module {
  const memories = sharedMemoriesOf(bytes);
  if (memories !== undefined) remembered.set(module, memories);
  return module;
}

/** Of a module that was remembered; undefined for one without threads. */
export function rememberedMemories(module: WebAssembly.Module): readonly SharedMemory[] | undefined {
  return remembered.get(module);
}

export type MadeMemories =
  | { readonly memories: readonly { module: string; name: string; memory: WebAssembly.Memory }[] }
  /** Bytes that the module declares to begin with, which are more than the limit. */
  | { readonly tooLarge: number };

/** The limit is one for all: each gets what the others' beginnings leave. The guest accepts a smaller maximum than it declares. */
export function makeMemories(declared: readonly SharedMemory[], limit: number | undefined): MadeMemories {
  const needed = declared.reduce((sum, { initial }) => sum + initial, 0);
  const pages = limit === undefined ? Number.POSITIVE_INFINITY : Math.floor(limit / PAGE_BYTES);
  if (needed > pages) return { tooLarge: needed * PAGE_BYTES };
  const spare = pages - needed;
  return {
    memories: declared.map(({ module, name, initial, maximum }) => ({
      module,
      name,
      memory: new WebAssembly.Memory({ initial, maximum: Math.min(maximum, initial + spare), shared: true }),
    })),
  };
}
