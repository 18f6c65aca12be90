/** Where a module runs, decided from what the rewriter found; see docs/decisions/0011-engine.md. Pure. */
import type { Execution } from '../contract.ts';
import { MOST_TABLE_ELEMENTS } from './heap.ts';
import { chooseOptimization } from './optimize.ts';
import type { Rewritten } from './rewrite/mod.ts';

/** A body of more takes so long to compile that the others on its thread would notice. */
const LARGEST_SHARED_BODY = 1 << 20;

export function executionOf(rewritten: Rewritten): Execution {
  if ('unsupported' in rewritten) return { class: 'process', reason: rewritten.unsupported, optimize: 'lazy' };
  const { facts } = rewritten;
  const optimize = chooseOptimization(facts);
  if (facts.largestBodyBytes > LARGEST_SHARED_BODY) {
    const reason = `it has a function of ${facts.largestBodyBytes} bytes, more than ${LARGEST_SHARED_BODY} are compiled beside others`;
    return { class: 'process', reason, optimize };
  }
  const reason = heapReason(rewritten);
  return reason === undefined ? { class: 'shared', optimize } : { class: 'thread', reason, optimize };
}

/** What would fill the heap that guests of a thread share. */
function heapReason({
  collected,
  holdsExceptions,
  shape,
}: Exclude<Rewritten, { unsupported: string }>): string | undefined {
  if (collected) return 'it defines structures or arrays that are garbage collected';
  if (holdsExceptions) return 'it can keep exceptions, or exceptions that carry much';
  const elements = shape.tables.reduce((sum, { initial }) => sum + initial, 0);
  if (elements > MOST_TABLE_ELEMENTS) return `its tables have ${elements} elements to begin with`;
  return undefined;
}
