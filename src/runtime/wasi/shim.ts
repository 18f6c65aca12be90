/**
 * A small module that stands between a guest and the host's functions, so that only a call which waits pays for being able to. A
 * suspending import costs 0.2 µs more than a plain one whether it suspends or not (V8 14, measured), so each function is a plain import
 * that answers an errno, or -1 for "this one waits"; then the shim calls the one suspending import, which answers when the wait is over.
 * Between guest and shim are WebAssembly frames alone, which can be suspended.
 */
import { ENDS, SIGNATURES } from './p1/signatures.ts';

/** What a host function answers when the guest has to wait. */
export const WAITS = -1;

export type HostCall = (...args: never[]) => number;

/** Modules by the names that they have: programs of one language import the same few. */
const modules = new Map<string, WebAssembly.Module>();
const MOST_MODULES = 64;

/** The functions as the guest imports them. Those that preview 1 does not have are suspending imports, each for itself. */
export function throughShim(
  calls: Readonly<Record<string, HostCall>>,
  wait: () => Promise<number> | undefined,
): WebAssembly.ModuleImports {
  const names = Object.keys(calls).filter((name) => SIGNATURES[name] !== undefined);
  const imports: WebAssembly.ModuleImports = {};
  for (const [name, call] of Object.entries(calls)) {
    if (SIGNATURES[name] === undefined) imports[name] = suspending(call, wait);
  }
  if (names.length === 0) return imports;
  const given = { ...calls, wait: new WebAssembly.Suspending(wait) };
  return { ...imports, ...(new WebAssembly.Instance(moduleOf(names), { '': given }).exports as typeof imports) };
}

/**
 * A function without parameters, as a guest imports it, whose `call` answers in the same way. A suspending import by itself would not do
 * for one that is called everywhere: with a call of the host's below it, it is refused before it is even asked whether it waits.
 */
export function checkThroughShim(call: () => number, wait: () => Promise<number> | undefined): WebAssembly.ImportValue {
  const given = { check: call, wait: new WebAssembly.Suspending(wait) };
  return new WebAssembly.Instance(moduleOf(['check']), { '': given }).exports['check'] as WebAssembly.ImportValue;
}

function suspending(call: HostCall, wait: () => Promise<number> | undefined): WebAssembly.Suspending {
  return new WebAssembly.Suspending((...args: never[]) => {
    const errno = call(...args);
    return errno === WAITS ? wait() : errno;
  });
}

function moduleOf(names: readonly string[]): WebAssembly.Module {
  const key = names.join(' ');
  let module = modules.get(key);
  if (module === undefined) {
    if (modules.size >= MOST_MODULES) modules.clear();
    module = new WebAssembly.Module(assemble(names));
    modules.set(key, module);
  }
  return module;
}

const I32 = 0x7f;
const I64 = 0x7e;
const OP = { end: 0x0b, return: 0x0f, if: 0x04, call: 0x10, get: 0x20, tee: 0x22, i32: 0x41, less: 0x48, empty: 0x40 };

/** Imports: the calls in their order, then `wait`. Functions and exports: one a call. */
function assemble(names: readonly string[]): Uint8Array<ArrayBuffer> {
  const wait = names.length;
  const types = [...names.map(typeOf), [0x60, 0, 1, I32]];
  const sections = [
    section(1, vector(types)),
    section(2, vector([...names, 'wait'].map((name, index) => [...text(''), ...text(name), 0, ...number(index)]))),
    section(3, vector(names.map((_, index) => number(index)))),
    section(7, vector(names.map((name, index) => [...text(name), 0, ...number(wait + 1 + index)]))),
    section(10, vector(names.map((name, index) => bodyOf(name, { index, wait })))),
  ];
  return new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);
}

function typeOf(name: string): number[] {
  const parameters = [...(SIGNATURES[name] ?? '')].map((kind) => (kind === 'I' ? I64 : I32));
  return [0x60, ...vector(parameters.map((type) => [type])), ...(name === ENDS ? [0] : [1, I32])];
}

/** `let errno = call(…); return errno < 0 ? wait() : errno` */
function bodyOf(name: string, { index, wait }: { index: number; wait: number }): number[] {
  const { length } = SIGNATURES[name] ?? '';
  const parameters = Array.from({ length }, (_, at) => [OP.get, at]).flat();
  const call = [...parameters, OP.call, ...number(index)];
  const settle = [OP.tee, length, OP.i32, 0, OP.less, OP.if, OP.empty, OP.call, ...number(wait), OP.return, OP.end];
  const code = name === ENDS ? [0, ...call, OP.end] : [1, 1, I32, ...call, ...settle, OP.get, length, OP.end];
  return [...number(code.length), ...code];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...number(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...number(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return [...number(value.length), ...Buffer.from(value)];
}

/** LEB128. */
function number(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...number(value >>> 7)];
}
