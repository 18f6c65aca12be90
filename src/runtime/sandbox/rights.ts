/** Which rights of root a process behind walls keeps when it becomes its user. Numbers of capabilities; the launcher gives up the others. */
import { CAPABILITY } from '#kit/os';
import type { LaunchPlan } from './launch.ts';

export interface Standing {
  /** Landlock's version here, which bounds what the capability reaches. */
  readonly landlock: number;
  /** Everybody may execute this Node and pass what leads to it; root's may be root's alone. */
  readonly openNode: boolean;
}

/**
 * A sandbox passes over the owners of volumes (CAP_DAC_OVERRIDE), within what Landlock grants. Before Landlock's ABI 3 (Linux 6.2)
 * nothing stops who may only read a file from emptying it but the file's own permissions, so there the right is to read and search alone: what the
 * node makes for a tenant is the tenant's, and volumes of others are not written to. Admission writes nothing: it reads its own code.
 */
export function keptCapabilities(entry: LaunchPlan['entry'], { landlock, openNode }: Standing): readonly number[] {
  if (landlock < 3) return [CAPABILITY.dacReadSearch];
  if (entry === 'sandbox') return [CAPABILITY.dacOverride];
  return [openNode ? CAPABILITY.dacReadSearch : CAPABILITY.dacOverride];
}
