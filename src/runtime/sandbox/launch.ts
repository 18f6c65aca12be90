/** How a process behind walls is started: what the node hands to the launcher, and the launcher to the entry. */
import type { Grant } from '#kit/os';

export interface LaunchPlan {
  readonly entry: 'sandbox' | 'admission';
  /** Listening unix sockets came as descriptors 3 (control) and 4 (descriptors). */
  readonly inherited: boolean;
  readonly grants: readonly Grant[];
  /** V8 and Node flags of the entry. */
  readonly flags: readonly string[];
  /** Starts without walls; only for guests that are trusted. */
  readonly insecure: boolean;
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
}

export function launched<Config>(): Launched<Config> {
  return JSON.parse(process.argv.at(-1) ?? '') as Launched<Config>;
}
