/**
 * Tables live on the engine's own heap, which all guests of a thread share, and where there is no more of it the engine ends the whole
 * process. So they are bounded for each guest, limit or not, and none grows when the heap is nearly full.
 */
import { getHeapStatistics } from 'node:v8';

/** Elements of all tables of a guest that shares its thread; the largest programs have some ten thousand. */
export const MOST_TABLE_ELEMENTS = 1 << 17;
/** How much of the heap may be in use before nothing more goes there. */
const FULL = 0.7;

export function heapHasRoom(bytes: number): boolean {
  const { used_heap_size: used, heap_size_limit: most } = getHeapStatistics();
  return used + bytes < most * FULL;
}
