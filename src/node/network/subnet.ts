/**
 * The /24 of 127.42.0.0/16 that a data directory gives to its pods (docs/decisions/0007-addresses.md). It is kept in
 * `config.json`, and locked by a listening socket on the subnet's own lock address: the kernel lets go when the node
 * ends, and sees exactly one network namespace, as the addresses do. A subnet whose pods still listen (their sandboxes
 * outlive a node) is somebody's too, unless `config.json` says it is ours.
 */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { listenTcp } from '#kit/os';
import { podError } from '../pod/errors.ts';
import { writeAside } from '../pod/files.ts';

/** Row in docs/names.md, Ports and addresses. */
export const LOCK_PORT = 4242;
const LOCK_HOST = 254;

export interface Subnet extends Disposable {
  /** Third byte of the addresses. */
  readonly number: number;
  /** `127.42.<n>.1`. */
  readonly nodeAddress: string;
  address(host: number): string;
}

export interface SubnetOptions {
  readonly dataDir: string;
  /** Text of /proc/net/tcp, for tests. */
  readonly sockets?: (() => string) | undefined;
}

export function openSubnet({ dataDir, sockets = readSockets }: SubnetOptions): Subnet {
  mkdirSync(dataDir, { recursive: true });
  const kept = readConfig(dataDir)['subnet'];
  if (isSubnetNumber(kept)) {
    const lock = tryLock(kept);
    if (lock !== undefined) return subnet(kept, lock);
  }
  const busy = listening(sockets());
  const first = firstChoice(dataDir);
  for (let step = 0; step < 256; step++) {
    const number = (first + step) % 256;
    if (busy.has(number)) continue;
    const lock = tryLock(number);
    if (lock === undefined) continue;
    writeAside(
      join(dataDir, 'config.json'),
      `${JSON.stringify({ ...readConfig(dataDir), subnet: number }, null, 2)}\n`,
    );
    return subnet(number, lock);
  }
  throw podError('NODE_SUBNET_UNAVAILABLE', 'Cannot take a /24 of 127.42.0.0/16 for pods: every one is in use', {
    hint: `Another process may hold port ${LOCK_PORT} on every address: end it, or stop other nodes of this machine`,
  });
}

function subnet(number: number, lock: number): Subnet {
  const address = (host: number) => `127.42.${number}.${host}`;
  let held = true;
  function dispose(): void {
    if (held) closeSync(lock);
    held = false;
  }
  return { number, address, nodeAddress: address(1), [Symbol.dispose]: dispose };
}

function tryLock(number: number): number | undefined {
  try {
    return listenTcp({ address: `127.42.${number}.${LOCK_HOST}`, port: LOCK_PORT, backlog: 1 });
  } catch {
    return undefined;
  }
}

/** Directories of one machine start at different places, so that few ever meet. */
function firstChoice(dataDir: string): number {
  return createHash('sha256').update(realpathSync(dataDir)).digest()[0] ?? 0;
}

function readConfig(dataDir: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(join(dataDir, 'config.json'), 'utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

function isSubnetNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
}

function readSockets(): string {
  try {
    return readFileSync('/proc/net/tcp', 'latin1');
  } catch {
    return '';
  }
}

/** Subnets of 127.42/16 in which a socket listens. Source: Linux `Documentation/networking/proc_net_tcp.rst`. */
export function listening(table: string): ReadonlySet<number> {
  const found = new Set<number>();
  // Addresses are hexadecimal in host order: 127.42.N.H is HHNN2A7F on little-endian machines; state 0A is LISTEN.
  for (const match of table.matchAll(/^\s*\d+: [0-9A-F]{2}([0-9A-F]{2})2A7F:[0-9A-F]{4} \S+ 0A /gm)) {
    found.add(Number.parseInt(match[1] ?? '0', 16));
  }
  return found;
}
