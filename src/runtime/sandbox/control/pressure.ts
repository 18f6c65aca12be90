/**
 * A sandbox looks at its own memory, and ends one guest before the kernel ends them all: first those that promised nothing (BestEffort), then those
 * that promised some, last those that keep to what they asked for; among equals the one that has most. Pure: from figures to a name.
 */
import type { Limits } from '../../contract.ts';

export interface Candidate {
  readonly key: string;
  readonly limits: Limits;
  readonly memoryBytes: number;
}

export interface Figures {
  readonly residentBytes: number;
  readonly boundBytes: number;
}

/** The share of a machine's memory that one sandbox may have: the node and the kernel need the rest. */
const MOST_OF_MACHINE = 0.85;
/** What the kubelet gives a pod that asks for no processor. */
const FEWEST_SHARES = 2;

/** Without a figure of the machine there is no bound. */
export function boundOf(totalMemoryBytes: number): number {
  if (totalMemoryBytes <= 0) return Number.POSITIVE_INFINITY;
  return Math.floor(totalMemoryBytes * MOST_OF_MACHINE);
}

/** Which guest is to end; undefined while there is room, or nobody has anything to give back. */
export function chooseToEnd(
  candidates: readonly Candidate[],
  { residentBytes, boundBytes }: Figures,
): string | undefined {
  if (residentBytes <= boundBytes) return undefined;
  const [first] = candidates
    .filter(({ memoryBytes }) => memoryBytes > 0)
    .sort((a, b) => rankOf(a.limits) - rankOf(b.limits) || b.memoryBytes - a.memoryBytes || (a.key < b.key ? -1 : 1));
  return first?.key;
}

/** As the kubelet's classes, as far as limits tell them: BestEffort 0, Burstable 1, Guaranteed 2. */
function rankOf({ memoryBytes, cpuMillis, cpuShares }: Limits): 0 | 1 | 2 {
  if (memoryBytes !== undefined && cpuMillis !== undefined) return 2;
  return memoryBytes !== undefined || cpuMillis !== undefined || (cpuShares ?? 0) > FEWEST_SHARES ? 1 : 0;
}
