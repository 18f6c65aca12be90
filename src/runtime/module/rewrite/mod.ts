/**
 * The rewriter: a validated module in, the same module with the engine's checks out. What is put in, and why, is in
 * docs/decisions/0011-engine.md. Called in the admission process only.
 *
 * It fails closed: what it does not know for certain is `unsupported` with a reason, and what it wrote is validated by the caller.
 * Sections are written one after the other; those that carry no function index are copied as they are.
 */
import { BinaryError, SECTION } from '../binary.ts';
import type { ModuleFacts } from '../facts.ts';
import { chooseEager, withEager } from '../optimize.ts';
import { REWRITER_VERSION, type Shape } from '../shape.ts';
import { Helpers } from './added.ts';
import { Calls } from './calls.ts';
import { CodeRewriter } from './code.ts';
import { writeElements } from './elements.ts';
import { expressionSkipper } from './expressions.ts';
import { BranchHints } from './hints.ts';
import { outlineOf, readerOf } from './outline.ts';
import { Output } from './output.ts';
import { Sections } from './sections.ts';
import { Unsupported } from './unsupported.ts';

export type Rewritten =
  | {
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly shape: Shape;
      readonly facts: ModuleFacts;
      /** Defines structures or arrays, which live on the engine's heap. */
      readonly collected: boolean;
      /** Can keep exceptions, or has some that carry much: they live there too. */
      readonly holdsExceptions: boolean;
      /** What an instance begins with is copied on the thread that makes it. */
      readonly copied: { readonly dataBytes: number; readonly elements: number };
    }
  | { readonly unsupported: string };

/** A loop of three bytes gets a check of twelve: no module needs more than this times its size. */
const MOST_GROWTH = 6;
const SLACK = 1 << 20;
const MOST_BYTES = 1 << 30;
/** A larger module is not rewritten. */
const MOST_ORIGINAL = 1 << 27;

/** Where a function that the guest defines is in the new module: behind the imports that were added. */
function movedIndex(defined: number): number {
  return defined + 2;
}

export function rewrite(bytes: Uint8Array<ArrayBuffer>): Rewritten {
  try {
    return rewriteModule(bytes);
  } catch (error) {
    if (error instanceof Unsupported || error instanceof BinaryError) return { unsupported: error.message };
    // Not enough memory for the bytes of the new module.
    if (error instanceof RangeError) return { unsupported: `it cannot be rewritten: ${error.message}` };
    throw error;
  }
}

function rewriteModule(bytes: Uint8Array<ArrayBuffer>): Exclude<Rewritten, { unsupported: string }> {
  if (bytes.byteLength > MOST_ORIGINAL) throw new Unsupported(`it has more than ${MOST_ORIGINAL} bytes`);
  const most = Math.min(MOST_BYTES, bytes.byteLength * MOST_GROWTH + SLACK);
  const outline = outlineOf(bytes, expressionSkipper(bytes));
  const { importedFunctions, dataBytes } = outline;
  const helpers = new Helpers(outline);
  const calls = new Calls(outline);
  const elementCounts: number[] = [];
  const code = new CodeRewriter(bytes, {
    plan: {
      importedFunctions,
      helpers,
      dataBytes,
      elementCounts,
      called: (callee, inLoop) => calls.called(callee, inLoop),
      referred: (callee) => calls.escapes(callee),
    },
    scratch: new Output({ capacity: 1 << 16, most }),
  });
  let copiedElements = 0;
  const elements = writeElements(outline, {
    code,
    importedFunctions,
    elementCounts,
    copied: (count) => {
      copiedElements += count;
    },
    escapes: (index) => calls.escapes(index),
  });
  // Bodies first: what they need of types and helpers stands in front of them.
  const bodies = new Output({ capacity: Math.min(most, bytes.byteLength + (bytes.byteLength >> 2)), most });
  const reader = readerOf(bytes, outline.sections.get(SECTION.code));
  const hints = new BranchHints(most);
  const defined = reader?.u32() ?? 0;
  for (let offset = 0; offset < defined && reader !== undefined; offset++) {
    const { branches, ...counted } = code.body(reader, bodies);
    calls.counted(counted);
    hints.body(importedFunctions + 2 + offset, branches);
  }
  for (const { body } of helpers.all) {
    bodies.u32(body.byteLength);
    bodies.all(body);
  }
  const shape: Shape = {
    version: REWRITER_VERSION,
    memories: outline.memories,
    tables: outline.definedTables,
    start: outline.sections.has(SECTION.start),
  };
  const sections = new Sections(outline, {
    helpers,
    code,
    most,
    exported: (index, from) => calls.exported(index, from),
  });
  sections.write({ bodies: bodies.bytes, elements, shape, hints });
  const facts = calls.facts();
  return {
    bytes: withEager(sections.bytes, chooseEager(facts).map(movedIndex), facts.large.map(movedIndex)),
    shape,
    facts,
    collected: outline.collected,
    holdsExceptions: outline.holdsExceptions,
    copied: { dataBytes: outline.activeDataBytes, elements: copiedElements },
  };
}
