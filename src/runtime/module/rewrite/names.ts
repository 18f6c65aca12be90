/** The `name` section after functions have moved: backtraces tell functions by it. Of what it can hold, the names of the module and of functions are kept. */
import { BinaryError, Reader } from '../binary.ts';
import { ENGINE } from '../shape.ts';
import type { Helpers } from './added.ts';
import type { Outline } from './outline.ts';
import type { Output } from './output.ts';

const MODULE_NAME = 0;
const FUNCTION_NAMES = 1;

/** Writes the section's content; false, with nothing of use written, when the guest's is malformed. */
export function writeNames(
  output: Output,
  { outline, helpers }: { readonly outline: Outline; readonly helpers: Helpers },
): boolean {
  if (outline.names === undefined) return false;
  try {
    const reader = new Reader(outline.bytes, { start: outline.names.content, end: outline.names.end });
    output.name(reader.name());
    while (!reader.done) {
      const id = reader.byte();
      const length = reader.u32();
      const start = reader.at;
      reader.skip(length);
      const content = new Reader(outline.bytes, { start, end: reader.at });
      if (id === MODULE_NAME) output.section(id, () => output.copy(outline.bytes, { from: start, to: reader.at }));
      if (id === FUNCTION_NAMES) output.section(id, () => writeFunctionNames(content, { output, outline, helpers }));
    }
    return true;
  } catch (error) {
    if (error instanceof BinaryError) return false;
    throw error;
  }
}

interface To {
  readonly output: Output;
  readonly outline: Outline;
  readonly helpers: Helpers;
}

function writeFunctionNames(reader: Reader, { output, outline, helpers }: To): void {
  const { importedFunctions, definedFunctions, bytes } = outline;
  const injected = ['yield', 'grow'];
  const count = reader.u32();
  output.u32(count + injected.length + helpers.all.length);
  const write = (index: number, name: string) => {
    output.u32(index);
    output.name(`${ENGINE} ${name}`);
  };
  const inject = () => {
    for (const [offset, name] of injected.splice(0).entries()) write(importedFunctions + offset, name);
  };
  for (let left = count; left > 0; left--) {
    const index = reader.u32();
    if (index >= importedFunctions) inject();
    output.u32(index < importedFunctions ? index : index + 2);
    const start = reader.at;
    reader.skip(reader.u32());
    output.copy(bytes, { from: start, to: reader.at });
  }
  inject();
  const first = importedFunctions + 2 + definedFunctions;
  for (const [offset, { name }] of helpers.all.entries()) write(first + offset, name);
}
