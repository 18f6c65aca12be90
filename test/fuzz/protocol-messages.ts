/** Messages of the protocol as they should be, and then not quite. */
import type { Random } from './fuzzer.ts';

const KEY = 'uid/main/0';
const TOKEN = 'ab'.repeat(16);

const LIMITS = { memoryBytes: 65536, cpuMillis: 100, cpuShares: 2 };
export const SPEC = {
  key: KEY,
  label: 'default/web',
  module: { digest: 'sha256:00', path: '/m.wasm', token: TOKEN },
  entrypoint: '_start',
  args: ['web'],
  env: [['A', 'b']],
  workingDir: '/',
  mounts: [{ guestPath: '/data', hostPath: '/host', readOnly: true }],
  listeners: [{ name: 'http', address: '127.42.0.2', port: 80, token: TOKEN }],
  limits: LIMITS,
  logPath: '/log',
  onTerm: 'default',
};
const EXITED = {
  phase: 'exited',
  startedAt: 1,
  finishedAt: 2,
  exit: { code: 137, signal: 9, reason: 'Error', message: 'ended' },
};

export const REQUESTS: readonly object[] = [
  { id: 1, do: 'ping' },
  { id: 2, do: 'assign', tenant: 'blue' },
  { id: 3, do: 'create', spec: SPEC },
  { id: 4, do: 'start', workload: KEY },
  { id: 5, do: 'kill', workload: KEY, signal: 'SIGKILL' },
  { id: 6, do: 'delete', workload: KEY },
  { id: 7, do: 'stats', workload: KEY },
  { id: 8, do: 'resize', workload: KEY, limits: LIMITS },
  { id: 9, do: 'snapshot', after: KEY },
  { id: 10, do: 'listeners', podUid: 'uid' },
];

export const HELLO = {
  hello: 'wasmlet-sandbox',
  versions: { min: 1, max: 1 },
  sandbox: 's-1',
  pid: 1,
  startTime: 1,
  sequence: 0,
  walls: [['landlock', true]],
};

/** What a sandbox says when it is asked, by what it is asked. */
export const ANSWERS: readonly unknown[] = [
  null,
  false,
  { cpuNanos: 1, memoryBytes: 2, logBytesDropped: 3 },
  { event: 0, workloads: [{ workload: KEY, state: EXITED }] },
  { event: 1, workloads: [{ workload: KEY, state: { phase: 'created' } }], more: KEY },
  [{ workload: KEY, name: 'http', address: '127.42.0.2', port: 80, token: TOKEN }],
];

const TOLD: readonly object[] = [
  { event: 1, workload: KEY, state: { phase: 'running', startedAt: 1 } },
  { event: 2, workload: KEY, state: EXITED },
  { event: 1, workload: 'other/main/0', state: { phase: 'created' } },
  { id: 1, error: { code: 'RUNTIME_CREATE_FAILED', message: 'no' } },
  { id: 2, error: { code: 'NO_SUCH_CODE', message: '' } },
];

/** A message of either side, most often one that is nearly right. */
export function message(random: Random): unknown {
  const answers = ANSWERS.map((ok) => ({ id: 1 + random.below(4), ok }));
  const sample = random.pick<unknown>([...REQUESTS, ...TOLD, ...answers, HELLO, { version: 1 }]);
  return random.oneIn(3) ? sample : altered(random, structuredClone(sample));
}

/** The value with one of its parts, at any depth, put in another's place, taken away, or added. */
export function altered(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random.oneIn(6)) return odd(random);
  if (Array.isArray(value)) {
    if (value.length === 0 || random.oneIn(4))
      return random.oneIn(2) ? [...value, odd(random)] : repeated(random, value);
    const at = random.below(value.length);
    return value.with(at, altered(random, value[at]));
  }
  const fields = { ...value } as Record<string, unknown>;
  const name = random.pick(Object.keys(fields));
  const way = random.below(6);
  if (way === 0) delete fields[name];
  else if (way === 1)
    return JSON.parse(`{"${oddName(random)}":1,${JSON.stringify(fields).slice(1)}`.replace(',}', '}'));
  else fields[name] = altered(random, fields[name]);
  return fields;
}

function repeated(random: Random, value: readonly unknown[]): unknown[] {
  return Array.from({ length: random.pick([2, 257, 5000]) }, () => value[0] ?? 0);
}

function oddName(random: Random): string {
  return random.pick(['__proto__', 'constructor', 'hasOwnProperty', 'event', 'do', 'id', '', 'toString']);
}

export function odd(random: Random): unknown {
  return random.pick<() => unknown>([
    () => null,
    () => true,
    () => -1,
    () => random.uint32(),
    () => 2 ** 53,
    () => 1e308,
    () => 0.5,
    () => '',
    () => 'x'.repeat(random.pick([1, 33, 129, 5000, 200_000])),
    () => random.pick(['../../etc', 'a/../b/0', '\0', '/\0', 'uid/main/0\n', '\ud800', 'uid/main/99999999999']),
    () => [],
    () => ({}),
    () => ({ phase: 'exited' }),
    () => nested(random.pick([10, 1000, 20_000])),
  ])();
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return depth > 5000 ? depth : value;
}

/** Bytes turned, cut, doubled, or left as they are. */
export function mangled(random: Random, bytes: Buffer): Buffer {
  switch (random.below(8)) {
    case 0: {
      const changed = Buffer.from(bytes);
      for (let i = 1 + random.below(8); i > 0; i--) changed[random.below(changed.byteLength)] = random.uint32();
      return changed;
    }
    case 1:
      return bytes.subarray(0, random.below(bytes.byteLength));
    case 2: {
      const at = random.below(bytes.byteLength);
      return Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(64)), bytes.subarray(at)]);
    }
    case 3:
      return random.bytes(random.below(256));
    case 4: {
      const header = Buffer.alloc(4);
      header.writeUInt32LE(random.pick([0, 1, 2 ** 20, 2 ** 20 + 1, 2 ** 32 - 1]));
      return Buffer.concat([header, bytes]);
    }
    default:
      return bytes;
  }
}
