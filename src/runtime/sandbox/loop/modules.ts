/**
 * Compiled modules of a loop thread: one for each digest, shared by all guests that run it whatever their limits, since those are asked for
 * while it runs. A plain module has its limits in its bytes, so it is compiled for each. One that no guest uses stays a while: the container that restarts is the one that is created next.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { limitModule, type TooSmall } from '../../module/limits.ts';
import { compileModule } from '../../module/optimize.ts';
import { rememberSharedMemories } from '../../wasi/mod.ts';
import { runtimeError } from '../errors.ts';

export interface ModuleSource {
  readonly digest: string;
  readonly path: string;
  /** Used instead of the path and closed. */
  readonly fd: number | undefined;
  /** Rewritten by admission: it asks before it grows. */
  readonly rewritten: boolean;
  readonly memoryBytes: number | undefined;
}

export type ModuleName = Omit<ModuleSource, 'path' | 'fd'>;

export type Compiled = WebAssembly.Module | { readonly tooSmall: TooSmall };

const MAX_MODULE_BYTES = 512 * 1024 * 1024;
const UNUSED_KEPT = 8;

interface Entry {
  readonly compiled: Promise<Compiled>;
  users: number;
}

export class Modules {
  readonly #entries = new Map<string, Entry>();

  /** Every `acquire` that resolved is matched by one `release`. */
  async acquire(source: ModuleSource): Promise<Compiled> {
    const key = keyOf(source);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (source.fd !== undefined) closeSync(source.fd);
      known.users++;
      return known.compiled;
    }
    const entry = { compiled: compile(source), users: 1 };
    this.#entries.set(key, entry);
    try {
      return await entry.compiled;
    } catch (error) {
      this.#entries.delete(key);
      throw error;
    }
  }

  release(source: ModuleName): void {
    const key = keyOf(source);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.users--;
    // Moved to the end: the longest unused is dropped first.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const unused = [...this.#entries].filter(([, { users }]) => users === 0);
    for (const [old] of unused.slice(0, Math.max(0, unused.length - UNUSED_KEPT))) this.#entries.delete(old);
  }
}

function keyOf({ digest, rewritten, memoryBytes }: ModuleName): string {
  return rewritten ? digest : `${digest} plain ${memoryBytes ?? ''}`;
}

async function compile(source: ModuleSource): Promise<Compiled> {
  const bytes = read(source);
  try {
    if (source.rewritten) return await compileModule(bytes);
    const limited = limitModule(bytes, source.memoryBytes);
    if ('tooSmall' in limited) return limited;
    return rememberSharedMemories(await WebAssembly.compile(limited.bytes), bytes);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw runtimeError('RUNTIME_CREATE_FAILED', `Cannot compile module '${source.digest}': ${text}`, {
      retry: 'never',
    });
  }
}

/** From the start, wherever a shared descriptor's offset stands. */
function read({ digest, path, fd = openSync(path, 'r') }: ModuleSource): Uint8Array<ArrayBuffer> {
  try {
    const { size } = fstatSync(fd);
    if (size > MAX_MODULE_BYTES) throw new RangeError(`it has ${size} bytes, more than ${MAX_MODULE_BYTES}`);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const length = readSync(fd, bytes, at, size - at, at);
      if (length === 0) throw new RangeError(`it ends at byte ${at} of ${size}`);
      at += length;
    }
    return bytes;
  } catch (error) {
    throw runtimeError('RUNTIME_CREATE_FAILED', `Cannot read module '${digest}'`, { cause: error });
  } finally {
    closeSync(fd);
  }
}
