/** How a process behind walls is started: what the node hands to the launcher, and the launcher to the entry. */
import type { Grant } from '#kit/os';
import type { Wall } from './walls.ts';

/** Exit code of a launcher or sandbox that a demanded wall is missing to; its last line says which. */
export const NO_WALLS_EXIT = 78;

export interface LaunchPlan {
  readonly entry: 'sandbox' | 'admission';
  /** Listening unix sockets came as descriptors 3 (control) and 4 (descriptors). */
  readonly inherited: boolean;
  readonly grants: readonly Grant[];
  /** V8 and Node flags of the entry. */
  readonly flags: readonly string[];
  /** Starts without walls; only for guests that are trusted. */
  readonly insecure: boolean;
  /** Who it becomes, where Landlock stands: without it, it could not reach its tenant's files. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Files of control groups into which it writes its id. */
  readonly groups?: readonly string[] | undefined;
  /** Walls without which it ends, with `NO_WALLS_EXIT`. */
  readonly demanded?: readonly Wall[] | undefined;
  /** What the entry itself is told. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** What an entry finds, as JSON, in its last argument. */
export interface Launched<Config> {
  readonly config: Config;
  readonly walls: Readonly<Record<string, boolean>>;
  /** Listening sockets; absent where no descriptor can be inherited. */
  readonly controlFd?: number;
  readonly descriptorsFd?: number;
}

export interface SandboxConfig {
  readonly id: string;
  readonly exitsDirectory: string;
  /** Where the socket is to be bound when it was not inherited. */
  readonly controlPath: string;
  readonly insecureTrustedGuests: boolean;
  /** It has a tenant from the start, so its first workload is on its way. */
  readonly assigned: boolean;
  /** Walls without which it starts no guest. */
  readonly demanded?: readonly Wall[] | undefined;
}

export function launched<Config>(): Launched<Config> {
  return JSON.parse(process.argv.at(-1) ?? '') as Launched<Config>;
}
