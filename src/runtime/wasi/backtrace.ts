/**
 * A trap in words, with the functions it passed through. V8 puts a frame of wasm into an error's stack as
 * `at name (wasm://wasm/module-hash:wasm-function[12]:0x1a2)`; names come from the module's name section, so they are the guest's text.
 */
const FRAME = /^\s*at (?:async )?(?:(.+?) \()?wasm:\/\/wasm\/[^:]*:wasm-function\[(\d+)\]:(0x[0-9a-f]+)\)?$/;
const MAX_FRAMES = 20;
const MAX_NAME = 120;

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/unreachable/, 'wasm `unreachable` instruction executed'],
  [/memory access out of bounds/, 'out of bounds memory access'],
  [/table index is out of bounds|table access/, 'undefined element: out of bounds table access'],
  [/null function or function signature mismatch|signature mismatch/, 'indirect call type mismatch'],
  [/divide by zero|remainder by zero/, 'integer divide by zero'],
  [/divide result unrepresentable/, 'integer overflow'],
  [/float unrepresentable/, 'invalid conversion to integer'],
  [/Maximum call stack size exceeded/, 'call stack exhausted'],
];

export function describeTrap(error: unknown): string {
  if (!(error instanceof Error)) return 'an exception that the guest threw was not caught';
  const lines = [`wasm trap: ${reasonOf(error)}`];
  const frames = framesOf(error);
  if (frames.length > 0) lines.push('wasm backtrace:', ...frames);
  return lines.join('\n');
}

function reasonOf(error: Error): string {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
    const words = WORDS.find(([pattern]) => pattern.test(error.message))?.[1];
    return words ?? clean(error.message);
  }
  // A WebAssembly.Exception has no message: the guest threw it and nobody caught it.
  return error.message === '' ? 'uncaught exception' : `uncaught ${clean(error.name)}: ${clean(error.message)}`;
}

function framesOf(error: Error): string[] {
  const frames: string[] = [];
  for (const line of String(error.stack ?? '').split('\n')) {
    const [, name, index, offset] = FRAME.exec(line) ?? [];
    if (index === undefined || offset === undefined) continue;
    if (frames.length === MAX_FRAMES) break;
    frames.push(
      `  ${frames.length}: ${offset} - ${name === undefined ? `<wasm function ${index}>` : functionName(name)}`,
    );
  }
  return frames;
}

/** V8 writes `module.function`; the module's own name says nothing here. */
function functionName(name: string): string {
  return clean(name).slice(0, MAX_NAME);
}

/** The guest's text on one line without control characters: it ends up in terminals and in YAML. */
function clean(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, ' ').slice(0, 500);
}
