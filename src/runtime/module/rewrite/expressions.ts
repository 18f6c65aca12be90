/** Going past constant expressions, for readers whom their values do not concern. */
import type { Reader } from '../binary.ts';
import { type CodePlan, CodeRewriter } from './code.ts';
import { Output } from './output.ts';

/** Throws Unsupported at an instruction that is not known, or has no place in a constant expression. */
export function expressionSkipper(bytes: Uint8Array): (reader: Reader) => void {
  const nothing = () => {};
  const plan: CodePlan = {
    importedFunctions: Number.POSITIVE_INFINITY,
    helpers: undefined,
    dataBytes: [],
    elementCounts: [],
    called: nothing,
    referred: nothing,
  };
  const output = new Output();
  const code = new CodeRewriter(bytes, { plan, scratch: output });
  return (reader) => {
    output.clear();
    code.expression(reader, output);
  };
}
