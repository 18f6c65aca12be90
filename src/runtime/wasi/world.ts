/**
 * Builds what a guest sees from its options.
 *
 * The order of descriptors is part of it: 0, 1, 2, then the listeners, then the preopens; see docs/decisions/0005-first-shape.md
 * for why, and docs/wasi.md for what each libc makes of it.
 */
import type { WasiLimits, WasiOptions } from './contract.ts';
import { systemWasiClock } from './core/clocks.ts';
import { pooledRandom } from './core/random.ts';
import { ListenerSocket } from './core/sockets.ts';
import { InputStream, OutputStream } from './core/streams.ts';
import type { DescriptorTable } from './core/table.ts';
import { wasiError } from './errors.ts';
import type { P1Context } from './p1/context.ts';
import { openPreopens } from './preopens.ts';

const DEFAULT_LIMITS: WasiLimits = {
  descriptors: 1024,
  transferBytes: 1 << 20,
  buffers: 1024,
  subscriptions: 4096,
  backlog: 511,
  socketBytes: 64 * 1024,
  directoryEntries: 1 << 18,
  sliceMs: 5,
  memoryBytes: undefined,
};

export function limitsOf({ limits }: WasiOptions): WasiLimits {
  return { ...DEFAULT_LIMITS, ...limits };
}

/** Opens everything, in order. On an error the caller closes the table. */
export async function fillTable(
  table: DescriptorTable,
  options: WasiOptions,
  count: (bytes: number) => void,
): Promise<void> {
  const { stdin, stdout, stderr, terminals = {}, listeners = [] } = options;
  const limits = limitsOf(options);
  table.add(new InputStream(stdin, terminals.stdin));
  table.add(new OutputStream(stdout, { terminal: terminals.stdout ?? false, count }));
  table.add(new OutputStream(stderr, { terminal: terminals.stderr ?? false, count }));
  for (const listener of listeners) table.add(new ListenerSocket(listener, limits));
  for (const directory of await openPreopens(options, limits)) table.add(directory);
}

type Instance = Pick<P1Context, 'memory' | 'table' | 'ended' | 'exit' | 'trap'>;

export function contextOf(options: WasiOptions, instance: Instance): P1Context {
  const { args = [], clock = systemWasiClock, random = pooledRandom() } = options;
  return {
    ...instance,
    args: args.map(terminated),
    env: environmentOf(options).map(([name, value]) => terminated(`${name}=${value}`)),
    clock,
    random,
    limits: limitsOf(options),
  };
}

/** As bytes with NUL behind; a NUL inside would end the string early for the guest. */
function terminated(text: string): Uint8Array {
  if (text.includes('\0')) throw wasiError('WASI_BAD_OPTION', 'Cannot pass an argument or variable: it contains NUL');
  return Buffer.from(`${text}\0`);
}

/** What the node set, and what guests need to find their listeners and their working directory. */
function environmentOf({ env = [], listeners = [], workingDir }: WasiOptions): (readonly [string, string])[] {
  const names = new Set(env.map(([name]) => name));
  const extra: [string, string][] = [];
  if (workingDir !== undefined) extra.push(['PWD', workingDir]);
  if (listeners.length > 0) {
    extra.push(['LISTEN_FDS', String(listeners.length)]);
    extra.push(['LISTEN_FDNAMES', listeners.map(({ name }) => (name ?? 'unknown').replaceAll(':', '_')).join(':')]);
  }
  return [...env, ...extra.filter(([name]) => !names.has(name))];
}
