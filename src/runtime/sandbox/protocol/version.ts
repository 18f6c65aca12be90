/**
 * Versions of the protocol. A release speaks its own and, from the second on, the one before: a node that was upgraded
 * takes over the sandboxes of the old release, and a node that was downgraded those of the newer one.
 */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** 2: workloads say how they are executed, and limits change in place. */
export const VERSIONS: VersionRange = { min: 1, max: 2 };

/** The highest version that both know; undefined when there is none. */
export function negotiate(ours: VersionRange, theirs: VersionRange): number | undefined {
  const highest = Math.min(ours.max, theirs.max);
  return highest >= Math.max(ours.min, theirs.min) ? highest : undefined;
}
