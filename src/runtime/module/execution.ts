/** Where a module runs, decided from what the rewriter found; see docs/decisions/0011-engine.md. Pure. */
import type { Execution } from '../contract.ts';
import { MOST_TABLE_ELEMENTS } from './heap.ts';
import { chooseOptimization } from './optimize.ts';
import type { Rewritten } from './rewrite/mod.ts';

/** A body of more takes so long to compile that the others on its thread would notice. */
const LARGEST_SHARED_BODY = 1 << 20;
/** Compiling a function takes longer the deeper its blocks stand, and lasts as long as its first call: some 4 ms a thousand. */
const DEEPEST_SHARED_BLOCKS = 2000;
/** Copied in one go by the engine, some 3 ms a MiB. */
const MOST_SHARED_DATA = 8 << 20;

export function executionOf(rewritten: Rewritten): Execution {
  if ('unsupported' in rewritten) return { class: 'process', reason: rewritten.unsupported, optimize: 'lazy' };
  const { facts } = rewritten;
  const optimize = chooseOptimization(facts);
  if (facts.largestBodyBytes > LARGEST_SHARED_BODY) {
    const reason = `it has a function of ${facts.largestBodyBytes} bytes, more than ${LARGEST_SHARED_BODY} are compiled beside others`;
    return { class: 'process', reason, optimize };
  }
  const reason = heapReason(rewritten) ?? pauseReason(rewritten);
  return reason === undefined ? { class: 'shared', optimize } : { class: 'thread', reason, optimize };
}

type Done = Exclude<Rewritten, { unsupported: string }>;

/** What would fill the heap that guests of a thread share. */
function heapReason({ collected, holdsExceptions, shape }: Done): string | undefined {
  if (collected) return 'it defines structures or arrays that are garbage collected';
  if (holdsExceptions) return 'it can keep exceptions, or exceptions that carry much';
  const elements = shape.tables.reduce((sum, { initial }) => sum + initial, 0);
  if (elements > MOST_TABLE_ELEMENTS) return `its tables have ${elements} elements to begin with`;
  return undefined;
}

/** What the engine does in one go, while the others on the thread wait. */
function pauseReason({ facts, copied }: Done): string | undefined {
  const { deepestBlocks } = facts;
  if (deepestBlocks > DEEPEST_SHARED_BLOCKS)
    return `its code has ${deepestBlocks} blocks within each other, more than ${DEEPEST_SHARED_BLOCKS} are compiled beside others`;
  if (copied.dataBytes > MOST_SHARED_DATA)
    return `it begins with ${copied.dataBytes} bytes of data, more than ${MOST_SHARED_DATA} are copied beside others`;
  if (copied.elements > MOST_TABLE_ELEMENTS)
    return `it begins with ${copied.elements} elements of tables, more than ${MOST_TABLE_ELEMENTS} are copied beside others`;
  return undefined;
}
