/** Runs a module in this process, without a sandbox: what `wasmlet run` does, in the way of `wasmtime run`. */
import { messageOf } from '#kit';
import type { Exit } from '../contract.ts';
import { ENGINE } from '../module/shape.ts';
import type { WasiOptions } from './contract.ts';
import { wasiError } from './errors.ts';
import { createWasi } from './host.ts';
import { functionType, numberOf, textOf } from './invoke.ts';
import { createThreadedWorld, sharedMemoriesOf, type ThreadedOptions } from './threads/mod.ts';

export interface RunOptions extends WasiOptions {
  readonly bytes: Uint8Array;
  readonly entrypoint?: string | undefined;
  /** Calls this export with these texts as its numbers, instead of running the program. */
  readonly invoke?: { readonly name: string; readonly args: readonly string[] } | undefined;
}

export interface RunOutcome {
  readonly exit: Exit;
  /** What the invoked function answered, a text a value, as `wasmtime run --invoke` prints them, one a line. */
  readonly results: readonly string[];
}

/**
 * Rejects with a `WasmletError` where the module, or the invoked function, cannot be run at all; all else is in the exit.
 * Aborting the signal ends the guest with SIGKILL's exit at its next call or wait.
 */
export async function runModule(options: RunOptions): Promise<RunOutcome> {
  const module = await compile(options.bytes, options.args?.[0] ?? 'the module');
  const memories = sharedMemoriesOf(options.bytes);
  if (memories !== undefined) return runThreads(module, { ...options, memories });
  await using wasi = await createWasi(options);
  const imports = wasi.imports(module);
  if (options.invoke === undefined) {
    const entrypoint = options.entrypoint ?? '_start';
    needExport(module, entrypoint);
    return { exit: await wasi.run(module, entrypoint), results: [] };
  }
  const { name, args } = options.invoke;
  const { parameters, results } = functionType(options.bytes, name);
  if (args.length !== parameters.length) {
    const wanted = `${parameters.length} (${parameters.join(', ')})`;
    throw wasiError(
      'WASI_BAD_OPTION',
      `Cannot invoke '${name}': it takes ${wanted} arguments, ${args.length} are given`,
    );
  }
  const numbers = parameters.map((type, index) => numberOf(type, args[index] ?? ''));
  const instance = await WebAssembly.instantiate(module, imports);
  const { exit, result } = await wasi.invoke(instance, name, numbers);
  const values = results.length === 0 || exit.code !== 0 ? [] : results.length === 1 ? [result] : (result as unknown[]);
  return { exit, results: [...values].map((value, index) => textOf(results[index], value)) };
}

async function runThreads(module: WebAssembly.Module, options: RunOptions & ThreadedOptions): Promise<RunOutcome> {
  if (options.invoke !== undefined) {
    throw wasiError(
      'WASI_BAD_OPTION',
      `Cannot invoke '${options.invoke.name}': the module has threads and is run whole`,
    );
  }
  const entrypoint = options.entrypoint ?? '_start';
  needExport(module, entrypoint);
  await using world = await createThreadedWorld(options);
  return { exit: await world.run(module, entrypoint), results: [] };
}

async function compile(bytes: Uint8Array, name: string): Promise<WebAssembly.Module> {
  const layer = Buffer.from(bytes.subarray(4, 8)).toString('hex');
  if (layer === '0d000100') {
    throw wasiError('WASI_BAD_MODULE', `Cannot run '${name}': it is a WebAssembly component, not a module`, {
      hint: 'Build it for wasm32-wasip1; components are not run yet',
    });
  }
  const module = await WebAssembly.compile(bytes).catch((cause) => {
    throw wasiError('WASI_BAD_MODULE', `Cannot run '${name}': it is no valid WebAssembly module: ${messageOf(cause)}`, {
      cause,
      hint: 'Name the .wasm file that the compiler wrote',
    });
  });
  const reserved = WebAssembly.Module.imports(module).find((entry) => entry.module.startsWith(ENGINE));
  if (reserved === undefined) return module;
  throw wasiError('WASI_BAD_MODULE', `Cannot run '${name}': it imports from '${reserved.module.slice(0, 200)}'`, {
    hint: `Names that begin with '${ENGINE}' are the runtime's own: give the import another`,
  });
}

function needExport(module: WebAssembly.Module, name: string): void {
  const exports = WebAssembly.Module.exports(module).filter(({ kind }) => kind === 'function');
  if (exports.some((entry) => entry.name === name)) return;
  const names = exports.slice(0, 20).map((entry) => entry.name);
  throw wasiError('WASI_NO_ENTRYPOINT', `Cannot run the module: it exports no function '${name}'`, {
    hint: names.length === 0 ? 'It exports no function at all' : `Invoke one of its functions: ${names.join(', ')}`,
  });
}
