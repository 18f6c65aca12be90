/**
 * Which workloads share a sandbox, and how many sandboxes of pods' own there may be. Pure: from a placement to a name.
 *
 * A tenant has one sandbox, or `pool` of them, among which its pods are spread by a hash of their uid: a pod is then found in the
 * same one after any restart, with nothing to remember. A pod of isolation `pod` has its own, and so has each pod with a module of
 * the class `process` (docs/decisions/0011-engine.md), which is never anybody else's.
 */
import type { Placement, Verdict } from '../../contract.ts';
import { runtimeError } from '../errors.ts';
import type { SandboxRecord } from './record.ts';

export type Owner = Pick<SandboxRecord, 'tenant' | 'isolation' | 'podUid' | 'slot'>;

export interface PlacementRules {
  /** Sandboxes of a tenant that its pods share. */
  readonly pool: number;
  /** Sandboxes of pods' own on this machine. */
  readonly mostOwn: number;
}

/** Half of the machine's memory, at what a sandbox process takes before its guests. */
const OWN_PROCESS_BYTES = 64 * 1024 * 1024;
const FEWEST_OWN = 4;

export function defaultMostOwn(totalMemoryBytes: number): number {
  return Math.max(FEWEST_OWN, Math.floor(totalMemoryBytes / 2 / OWN_PROCESS_BYTES));
}

/** What a class of module asks for on top of what the pod asked for. */
export function placementOf(wanted: Placement, execution: Verdict['execution']): Placement {
  return execution?.class === 'process' ? { ...wanted, isolation: 'pod' } : wanted;
}

export function ownerOf({ tenant, isolation }: Placement, podUid: string, { pool }: PlacementRules): Owner {
  checkName('tenant', tenant);
  if (isolation === 'pod') return { tenant, isolation, podUid: checkName('pod', podUid) };
  const slot = slotOf(podUid, pool);
  return slot === 0 ? { tenant, isolation } : { tenant, isolation, slot };
}

/** One sandbox an owner. A space is in no name of a tenant or pod. */
export function ownerKey({ tenant, isolation, podUid, slot = 0 }: Owner): string {
  if (isolation === 'pod') return `${tenant} pod ${podUid}`;
  return slot === 0 ? `${tenant}` : `${tenant} slot ${slot}`;
}

/** Whether a key is that of a pod's own sandbox. */
export function isOwn(key: string): boolean {
  return key.includes(' pod ');
}

/** FNV-1a: even enough to spread, and the same in every release. */
function slotOf(podUid: string, pool: number): number {
  if (pool <= 1) return 0;
  let hash = 0x811c9dc5;
  for (let at = 0; at < podUid.length; at++) hash = Math.imul(hash ^ podUid.charCodeAt(at), 0x01000193);
  // The low bits of FNV are those of the last letters: the high ones are mixed in.
  return ((hash ^ (hash >>> 15)) >>> 0) % pool;
}

/** Names that become directories. */
function checkName(what: string, name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name)) return name;
  throw runtimeError('RUNTIME_BAD_SPEC', `Cannot place a workload: '${name}' is no name of a ${what}`);
}

export function tooMany({ mostOwn }: PlacementRules): Error {
  return runtimeError(
    'RUNTIME_TOO_MANY_PROCESSES',
    `Cannot give the pod a process of its own: there are ${mostOwn} of them, the most that this node starts`,
    { hint: 'End one, or start the node with a larger --max-own-processes' },
  );
}
