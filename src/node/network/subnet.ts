/**
 * The /24 of 127.42.0.0/16 that a data directory gives to its pods (docs/decisions/0007-addresses.md), and the /18 of 127.64.0.0/10
 * of the same number, for what does not fit into it. The number is kept in
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
const FIRST = 2;
const LAST = 253;
/** Numbers from here on are addresses of the /18, whose first and last are left out. */
const FURTHER = 256;
const FURTHER_SIZE = 1 << 14;

export interface Subnet extends Disposable {
  /** Third byte of the addresses. */
  readonly number: number;
  /** `127.42.<n>.1`. */
  readonly nodeAddress: string;
  /** Numbers of the addresses that pods get, each range used when those before it are full. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
  address(host: number): string;
  /** The number of an address of this subnet; undefined for every other. */
  hostOf(address: string): number | undefined;
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

export const RANGES: Subnet['ranges'] = [
  [FIRST, LAST],
  [FURTHER + 1, FURTHER + FURTHER_SIZE - 2],
];

function subnet(number: number, lock: number): Subnet {
  let held = true;
  function dispose(): void {
    if (held) closeSync(lock);
    held = false;
  }
  return { ...planOf(number), number, nodeAddress: `127.42.${number}.1`, [Symbol.dispose]: dispose };
}

/** The addresses of the n-th subnet. */
export function planOf(number: number): Pick<Subnet, 'ranges' | 'address' | 'hostOf'> {
  const base = 64 * 65_536 + number * FURTHER_SIZE - FURTHER;
  function address(host: number): string {
    if (host < FURTHER) return `127.42.${number}.${host}`;
    const at = base + host;
    return `127.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
  }
  function hostOf(text: string): number | undefined {
    const [, second = '', third = '', fourth = ''] = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text) ?? [];
    const host =
      second === '42' ? Number(fourth) : Number(second) * 65_536 + Number(third) * 256 + Number(fourth) - base;
    return address(host) === text ? host : undefined;
  }
  return { ranges: RANGES, address, hostOf };
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

/** Subnets in which a socket listens. Source: Linux `Documentation/networking/proc_net_tcp.rst`. */
export function listening(table: string): ReadonlySet<number> {
  const found = new Set<number>();
  // Addresses are hexadecimal in host order: 127.42.N.H is HHNN2A7F on little-endian machines; state 0A is LISTEN.
  for (const [, third = '', second = ''] of table.matchAll(
    /^\s*\d+: [0-9A-F]{2}([0-9A-F]{2})([0-9A-F]{2})7F:[0-9A-F]{4} \S+ 0A /gm,
  )) {
    const [high, low] = [Number.parseInt(second, 16), Number.parseInt(third, 16)];
    if (high === 42) found.add(low);
    else if (high >= 64 && high < 128) found.add(((high - 64) << 2) | (low >> 6));
  }
  return found;
}
