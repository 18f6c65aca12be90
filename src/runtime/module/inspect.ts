/**
 * What a module is and whether this runtime can run it: pure, from its bytes. Called in the admission process only: validating
 * a hostile module may take long and much memory.
 */
import type { Verdict } from '../contract.ts';
import { sharedMemoriesOf } from '../wasi/threads/memories.ts';
import {
  BinaryError,
  type Export,
  type Import,
  PREAMBLE_BYTES,
  readExports,
  readImports,
  SECTION,
  sectionsOf,
} from './binary.ts';
import type { RefusalCode } from './errors.ts';
import { PROVIDED } from './provided.ts';
import { ENGINE } from './shape.ts';

const MAGIC = 0x6d736100;
const CORE_VERSION = 1;
/** Components: a version of their own, and 1 in the upper half of the word. */
const COMPONENT_LAYER = 1;
const MAX_NAMED = 8;

export function inspect(bytes: Uint8Array<ArrayBuffer>, digest: string): Verdict {
  const nothing = { digest, wasi: [], exports: [], imports: [] } as const;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < PREAMBLE_BYTES || view.getUint32(0, true) !== MAGIC) {
    const found = describeStart(bytes);
    return {
      ...nothing,
      kind: 'unknown',
      ...refuse('MODULE_NOT_WASM', `the file is no WebAssembly: it starts as ${found}`),
    };
  }
  const version = view.getUint16(4, true);
  const layer = view.getUint16(6, true);
  if (layer === COMPONENT_LAYER) {
    return {
      ...nothing,
      kind: 'component',
      ...refuse(
        'MODULE_COMPONENT',
        'the module is a WebAssembly component, which this runtime does not support yet; build a core module for wasm32-wasip1',
      ),
    };
  }
  if (version !== CORE_VERSION || layer !== 0) {
    return {
      ...nothing,
      kind: 'unknown',
      ...refuse('MODULE_CORRUPT', `the module has version ${version}, layer ${layer}; known is version 1, layer 0`),
    };
  }
  return inspectCore(bytes, digest);
}

function inspectCore(bytes: Uint8Array<ArrayBuffer>, digest: string): Verdict {
  try {
    const { imports, exports } = outside(bytes);
    // Validation last: it is what costs, and what is read above is bounded by itself.
    const invalid = WebAssembly.validate(bytes) ? undefined : invalidity(bytes);
    const verdict = { digest, kind: kindOf(exports), wasi: flavours(imports), exports, imports };
    if (invalid !== undefined)
      return { ...verdict, ...refuse('MODULE_CORRUPT', `the module is not valid: ${invalid}`) };
    const missing = missingImports(imports, sharedMemoriesOf(bytes));
    return { ...verdict, ...(reservedName(imports, exports) ?? missing ?? noEntrypoint(exports)) };
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
    const refusal = refuse('MODULE_CORRUPT', `the module is corrupt: ${error.message}`);
    return { digest, kind: 'unknown', wasi: [], exports: [], imports: [], ...refusal };
  }
}

/** Why a module with this verdict cannot be started at `entrypoint`; undefined when it can. */
export function refusalAt(verdict: Verdict, entrypoint: string): Verdict['refusal'] {
  if (verdict.refusal !== undefined) return verdict.refusal;
  if (verdict.exports.some(({ name, kind }) => name === entrypoint && kind === 'func')) return undefined;
  const functions = verdict.exports.filter(({ kind }) => kind === 'func').map(({ name }) => `'${name}'`);
  return refuse('MODULE_NO_ENTRYPOINT', `the module has no function '${entrypoint}'; it exports ${some(functions)}`)
    .refusal;
}

function refuse(code: RefusalCode, message: string): Required<Pick<Verdict, 'refusal'>> {
  return { refusal: { code, message } };
}

function outside(bytes: Uint8Array): { imports: Import[]; exports: Export[] } {
  let imports: Import[] = [];
  let exports: Export[] = [];
  for (const section of sectionsOf(bytes)) {
    if (section.id === SECTION.import) imports = readImports(bytes, section).imports;
    if (section.id === SECTION.export) exports = readExports(bytes, section);
  }
  return { imports, exports };
}

/** What the rewriter adds is told by its name: a guest has none like it. */
function reservedName(imports: readonly Import[], exports: readonly Export[]) {
  const names = [...imports.map(({ module }) => module), ...exports.map(({ name }) => name)];
  const reserved = names.find((name) => name.startsWith(ENGINE));
  if (reserved === undefined) return undefined;
  return refuse(
    'MODULE_RESERVED_NAME',
    `the module uses the name '${reserved.slice(0, 200)}'; names that begin with '${ENGINE}' are the runtime's own`,
  );
}

function kindOf(exports: readonly Export[]): Verdict['kind'] {
  const has = (name: string) => exports.some((entry) => entry.name === name && entry.kind === 'func');
  if (has('_start')) return 'command';
  return exports.some(({ kind }) => kind === 'func') ? 'reactor' : 'unknown';
}

function flavours(imports: readonly Import[]): string[] {
  return [...new Set(imports.map(({ module }) => module).filter((module) => module.startsWith('wasi')))].sort();
}

/** Shared memories are made by the host for the guest's threads; every other memory is the guest's own to define. */
function missingImports(imports: readonly Import[], memories: readonly Pick<Import, 'module' | 'name'>[] = []) {
  const missing = imports.filter(({ module, name, kind }) => {
    if (kind === 'memory') return !memories.some((memory) => memory.module === module && memory.name === name);
    return kind !== 'func' || !(Object.hasOwn(PROVIDED, module) && PROVIDED[module]?.has(name));
  });
  if (missing.length === 0) return undefined;
  const names = missing.map(({ module, name, kind }) =>
    kind === 'func' ? `'${module}.${name}'` : `${kind} '${module}.${name}'`,
  );
  const provided = Object.keys(PROVIDED).join(' and ');
  return refuse(
    'MODULE_MISSING_IMPORT',
    `the module imports ${some(names)}; this runtime provides the functions of ${provided}`,
  );
}

function noEntrypoint(exports: readonly Export[]) {
  if (exports.some(({ kind }) => kind === 'func')) return {};
  return refuse('MODULE_NO_ENTRYPOINT', "the module exports no function; a command exports '_start'");
}

function some(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const rest = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return (
    names
      .slice(0, MAX_NAMED)
      .map((name) => name.slice(0, 200))
      .join(', ') + rest
  );
}

/** The engine's own words, without the name of the function that we called. */
function invalidity(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
    return 'the engine refuses it';
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.replace(/^WebAssembly\.Module\(\): /, '').slice(0, 500);
  }
}

const STARTS: readonly (readonly [string, string])[] = [
  ['7f454c46', 'a Linux program (ELF)'],
  ['1f8b', 'gzip data'],
  ['504b0304', 'a zip archive'],
  ['28b52ffd', 'zstd data'],
  ['2321', 'a script'],
  ['cafebabe', 'a Java class or a Mach-O file'],
];

function describeStart(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'nothing, it is empty';
  const hex = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  return STARTS.find(([start]) => hex.startsWith(start))?.[1] ?? `the bytes ${hex}`;
}
