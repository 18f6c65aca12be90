/** What a module with threads imports, matched with what there is: the functions of WASI, `wasi.thread-spawn`, and what the caller adds. */

import { POSIX_MODULE } from '../../posix/table.ts';
import { wasiError } from '../errors.ts';
import { hintFor, wasiModule } from '../imports.ts';
import type { P1Context, P1Functions } from '../p1/context.ts';
import type { ThreadedOptions } from './contract.ts';

/** Answers the number for the guest; nothing is success. */
export type HostFunction = (...args: (number | bigint)[]) => number | undefined | Promise<number | undefined>;

export interface FunctionImport {
  readonly module: string;
  readonly name: string;
  readonly call: HostFunction;
}

interface Host {
  readonly context: P1Context;
  readonly spawn: (argument: number) => number;
  readonly options: ThreadedOptions;
}

const MAX_NAMED = 20;

/** Throws WASI_MISSING_IMPORT, naming every import that nobody provides. */
export function hostFunctions(module: WebAssembly.Module, { context, spawn, options }: Host): FunctionImport[] {
  const groups = new Map<string, P1Functions>();
  const groupOf = (name: string): P1Functions => {
    const known = groups.get(name) ?? wasiModule(name, context);
    groups.set(name, known);
    return known;
  };
  const missing: string[] = [];
  const found = new Map<string, FunctionImport>();
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind === 'memory' && options.memories.some((memory) => memory.module === from && memory.name === name))
      continue;
    const functions = groupOf(from);
    const call =
      from === 'wasi' && name === 'thread-spawn'
        ? (argument: number | bigint) => spawn(Number(argument))
        : Object.hasOwn(functions, name)
          ? functions[name]
          : undefined;
    if (kind !== 'function' || call === undefined) missing.push(`${kind} '${from}.${name}'`);
    else found.set(JSON.stringify([from, name]), { module: from, name, call: call as HostFunction });
  }
  if (missing.length === 0) return [...found.values()];
  const rest = missing.length > MAX_NAMED ? ` and ${missing.length - MAX_NAMED} more` : '';
  throw wasiError(
    'WASI_MISSING_IMPORT',
    `Cannot link the module: nobody provides its import of ${missing.slice(0, MAX_NAMED).join(', ')}${rest}`,
    { hint: hintFor(WebAssembly.Module.imports(module).filter((entry) => entry.module === POSIX_MODULE)) },
  );
}
