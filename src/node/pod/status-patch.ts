/** The strategic merge patch from one status to another; undefined if nothing that is ours differs. */
import { isDeepStrictEqual } from 'node:util';
import type { PodCondition, PodStatus } from '#kube/types';
import { IN_PROGRESS, PENDING } from './decide/resize.ts';

/** The fields that the node writes. The rest of a status belongs to others. */
const FIELDS = [
  'observedGeneration',
  'phase',
  'reason',
  'message',
  'hostIP',
  'podIP',
  'startTime',
  'initContainerStatuses',
  'containerStatuses',
  'qosClass',
] as const;

/** Lists that merge by a key, and belong to the node as a whole. */
const WHOLE = ['hostIPs', 'podIPs'] as const;

export function statusPatch(old: PodStatus, wanted: PodStatus): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const field of FIELDS) {
    if (!isDeepStrictEqual(old[field], wanted[field])) patch[field] = wanted[field] ?? null;
  }
  for (const field of WHOLE) {
    const [before = [], after = []] = [old[field], wanted[field]];
    if (isDeepStrictEqual(before, after)) continue;
    patch[field] = before.length === 0 ? after : [...after, { $patch: 'replace' }];
  }
  const changed = (wanted.conditions ?? []).filter((condition) => !isKept(old.conditions ?? [], condition));
  const gone = (old.conditions ?? []).filter(({ type }) => isOver(type, wanted));
  if (changed.length > 0 || gone.length > 0) {
    patch['$setElementOrder/conditions'] = (wanted.conditions ?? []).map(({ type }) => ({ type }));
    patch['conditions'] = [...changed.map(explicit), ...gone.map(({ type }) => ({ type, $patch: 'delete' }))];
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** Conditions that stand while something is to be done, and then go. */
function isOver(type: string, { conditions = [] }: PodStatus): boolean {
  return (type === PENDING || type === IN_PROGRESS) && !conditions.some((condition) => condition.type === type);
}

function isKept(old: readonly PodCondition[], wanted: PodCondition): boolean {
  const before = old.find(({ type }) => type === wanted.type);
  return before !== undefined && isDeepStrictEqual(explicit(before), explicit(wanted));
}

/** What a condition no longer says has to be said to be gone: entries merge. */
function explicit({ type, status, reason, message, lastTransitionTime, observedGeneration }: PodCondition) {
  const generation = observedGeneration === undefined ? {} : { observedGeneration };
  const nulls = { reason: reason || null, message: message || null, lastProbeTime: null };
  return { type, status, lastTransitionTime, ...nulls, ...generation };
}
