/** Matches what a module imports with what there is, and names everything that is missing in one error. */
import { ENGINE } from '../module/shape.ts';
import { POSIX_CAPABILITY, POSIX_MODULE } from '../posix/table.ts';
import { wasiError } from './errors.ts';
import type { Guard } from './guard.ts';
import type { P1Context, P1Functions } from './p1/context.ts';
import { NOT_IN_UNSTABLE, p1Functions } from './p1/functions.ts';
import { PREVIEW1, UNSTABLE } from './p1/layout.ts';

interface Provided {
  readonly context: P1Context;
  readonly guard: Guard;
  readonly more: WebAssembly.Imports;
}

const MAX_NAMED = 20;
export function linkImports(module: WebAssembly.Module, { context, guard, more }: Provided): WebAssembly.Imports {
  const needed = WebAssembly.Module.imports(module).filter((entry) => entry.module !== ENGINE);
  // Without prototypes: a module may import 'constructor' and must not get JavaScript's.
  const imports: Record<string, WebAssembly.ModuleImports> = Object.create(null);
  for (const from of new Set(needed.map((entry) => entry.module))) {
    const names = new Set(needed.filter((entry) => entry.module === from).map(({ name }) => name));
    const given = Object.hasOwn(more, from) ? more[from] : {};
    imports[from] = Object.assign(Object.create(null), guard.wrap(only(wasiModule(from, context), names)), given);
  }
  const missing = needed.filter(({ module: from, name }) => imports[from]?.[name] === undefined);
  if (missing.length === 0) return imports;
  const names = missing.slice(0, MAX_NAMED).map(({ module: from, name, kind }) => `${kind} '${from}.${name}'`);
  const rest = missing.length > MAX_NAMED ? ` and ${missing.length - MAX_NAMED} more` : '';
  throw wasiError(
    'WASI_MISSING_IMPORT',
    `Cannot link the module: nobody provides its import of ${names.join(', ')}${rest}`,
    { hint: hintFor(missing) },
  );
}

export function hintFor(missing: readonly { readonly module: string }[]): string {
  if (missing.some((entry) => entry.module === POSIX_MODULE)) {
    return `Grant what it needs: the annotation wasmlet.dev/capabilities: ${POSIX_CAPABILITY} on its pod, or --capability ${POSIX_CAPABILITY}`;
  }
  return 'Build it for wasm32-wasip1 (wasi_snapshot_preview1), without imports of its own';
}

/** The functions of a WASI module by name; none for a module that is not WASI's. */
export function wasiModule(name: string, context: P1Context): P1Functions {
  const given = givenModule(name, context);
  return context.extension?.functions(name, given, context) ?? given;
}

function givenModule(name: string, context: P1Context): P1Functions {
  if (name === 'wasi_snapshot_preview1') return p1Functions(context, PREVIEW1);
  if (name !== 'wasi_unstable') return {};
  const functions = Object.entries(p1Functions(context, UNSTABLE)).filter(([key]) => !NOT_IN_UNSTABLE.has(key));
  return Object.fromEntries(functions);
}

/** Each wrapped function costs memory in each guest, and most programs use few. */
function only(functions: P1Functions, names: ReadonlySet<string>): P1Functions {
  return Object.fromEntries(Object.entries(functions).filter(([name]) => names.has(name)));
}
