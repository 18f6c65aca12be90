/**
 * The peer: wasmtime's own command (cargo package wasmtime-cli) with epoch interruption on, found by `WASMTIME`, in the test cache, or in the
 * path. It compiles a module whole before it starts it.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cachePath } from '../../test/setup/cache.ts';
import { run } from '../process.ts';

const VERSION = '48.0.8';
/** Turns epoch interruption on; no program of a bench takes so long. */
const INTERRUPTED = ['-W', 'timeout=1000s'];

export const HOW_TO_GET_IT = `none: cargo install wasmtime-cli --version ${VERSION} --locked, or WASMTIME=PATH`;

export interface Wasmtime {
  /** As it says it. */
  readonly version: string;
  /** What the program prints; rejects if it fails. */
  run(module: string, args: readonly string[]): Promise<string>;
}

export async function findWasmtime(): Promise<Wasmtime | undefined> {
  const path = candidates().find(isProgram);
  if (path === undefined) return undefined;
  const { stdout } = await run(path, ['--version']);
  return {
    version: stdout.trim(),
    async run(module, args) {
      const outcome = await run(path, ['run', ...INTERRUPTED, module, ...args]);
      if (outcome.code !== 0) throw new Error(`wasmtime ended with ${outcome.code}: ${outcome.stderr.slice(-500)}`);
      return outcome.stdout;
    },
  };
}

function candidates(): string[] {
  const given = process.env['WASMTIME'];
  if (given !== undefined) return [given];
  const inPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'wasmtime'));
  return [join(cachePath('wasmtime', VERSION), 'bin', 'wasmtime'), ...inPath];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
