/**
 * The messages between node and sandbox, as shapes that both sides hold what they read against.
 * What they mean is in docs/decisions/0003-sandbox-protocol.md.
 */
import type { WorkloadId, WorkloadState } from '../../contract.ts';
import { flag, integer, list, oneOf, optional, pair, record, type Shape, type Shaped, tagged, text } from './shape.ts';

const anyText = text({ max: 1024 * 1024 });
const path = text({ max: 4096, pattern: /^\/[^\0]*$/ });
const token = text({ max: 32, pattern: /^[0-9a-f]{32}$/ });
const time = integer();

/** `podUid/container/attempt`. The parts become file names, so their letters are few. */
export const workloadName = text({
  max: 512,
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\/[A-Za-z0-9][A-Za-z0-9._-]{0,252}\/\d{1,10}$/,
});

export function workloadIdOf(key: string): WorkloadId {
  const [podUid = '', container = '', attempt = '0'] = key.split('/');
  return { podUid, container, attempt: Number(attempt) };
}

export const versionRange = record({ min: integer(), max: integer() });

/** The sandbox's first message. Open, because it is read before a version is agreed. */
export const helloShape = record(
  {
    hello: oneOf('wasmlet-sandbox'),
    versions: versionRange,
    sandbox: text({ max: 64, pattern: /^[a-z0-9-]+$/ }),
    pid: integer(1),
    startTime: integer(),
    /** Number of the last event. */
    sequence: integer(),
    walls: (value: unknown, where: string) => walls(value, where),
  },
  { open: true },
);
export type Hello = Shaped<typeof helloShape>;

function walls(value: unknown, where: string): Readonly<Record<string, boolean>> {
  const entries = list(pair(text({ max: 32, pattern: /^[a-z_]+$/ }), flag), 16)(value, where);
  return Object.fromEntries(entries);
}

/** The node's answer to hello, and its first message. */
export const chosenShape = record({ version: integer() }, { open: true });

export const limitsShape = record({
  memoryBytes: optional(integer()),
  cpuMillis: optional(integer()),
  cpuShares: optional(integer()),
});

/** The largest number is nobody's. */
const unixId = integer(0, 2 ** 32 - 2);

export const specShape = record({
  key: workloadName,
  label: text({ max: 1024 }),
  /** The open file with the module waits under this token; without descriptors the path is used. */
  module: record({ digest: text({ max: 128 }), path, token: optional(token) }),
  entrypoint: text({ max: 1024 }),
  args: list(anyText, 65536),
  env: list(pair(anyText, anyText), 65536),
  workingDir: text({ max: 4096 }),
  mounts: list(record({ guestPath: text({ max: 4096 }), hostPath: path, readOnly: flag }), 1024),
  listeners: list(
    record({ name: text({ max: 256 }), address: text({ max: 64 }), port: integer(0, 65535), token }),
    256,
  ),
  limits: limitsShape,
  logPath: path,
  onTerm: oneOf('default', 'grace'),
  posix: optional(
    record({
      uid: unixId,
      gid: unixId,
      groups: list(unixId, 65536),
      hostname: text({ max: 253, pattern: /^[^\0\n]*$/ }),
    }),
  ),
  /** From version 2 on; the module is then the rewritten one, but for the class `process`. Without it the module is plain. */
  execution: optional(record({ class: oneOf('shared', 'thread', 'process'), optimize: oneOf('lazy', 'eager') })),
});
export type WireSpec = Shaped<typeof specShape>;

const id = integer(1);
const workload = workloadName;
const signal = oneOf('SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2');

export const requestShape = tagged('do', {
  ping: record({ id, do: oneOf('ping') }),
  assign: record({ id, do: oneOf('assign'), tenant: text({ max: 253 }) }),
  create: record({ id, do: oneOf('create'), spec: specShape }),
  start: record({ id, do: oneOf('start'), workload }),
  kill: record({ id, do: oneOf('kill'), workload, signal }),
  delete: record({ id, do: oneOf('delete'), workload }),
  stats: record({ id, do: oneOf('stats'), workload }),
  resize: record({ id, do: oneOf('resize'), workload, limits: limitsShape }),
  snapshot: record({ id, do: oneOf('snapshot'), after: optional(text({ max: 512 })) }),
  listeners: record({ id, do: oneOf('listeners'), podUid: text({ max: 128 }) }),
  stop: record({ id, do: oneOf('stop') }),
});
export type Request = Shaped<typeof requestShape>;
/** A request before it has its number. */
export type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

const exitShape = record({
  code: integer(0, 255),
  signal: optional(integer(1, 64)),
  reason: oneOf('Completed', 'Error', 'OOMKilled', 'StartError'),
  message: optional(text({ max: 4096 })),
});

export const stateShape: Shape<WorkloadState> = tagged('phase', {
  created: record({ phase: oneOf('created') }),
  running: record({ phase: oneOf('running'), startedAt: time }),
  exited: record({ phase: oneOf('exited'), startedAt: optional(time), finishedAt: time, exit: exitShape }),
});

/** What stands in an exit record's file; see `exits.ts`. */
export const exitRecordShape = record({ workload, state: stateShape });

export const snapshotShape = record({
  /** Number of the last event that the states include. */
  event: integer(),
  workloads: list(record({ workload, state: stateShape }), 10_000),
  /** There are more: ask again, after this name. */
  more: optional(workloadName),
});
export const statsShape = record({ cpuNanos: integer(), memoryBytes: integer(), logBytesDropped: integer() });
export const listenersShape = list(
  record({ workload, name: text({ max: 256 }), address: text({ max: 64 }), port: integer(0, 65535), token }),
  4096,
);

const anything: Shape<unknown> = (value) => value;

/** From sandbox to node. The shape of `ok` belongs to the request and is checked by who asked. */
export function readMessage(value: unknown): Message {
  const isEvent = typeof value === 'object' && value !== null && Object.hasOwn(value, 'event');
  return isEvent ? eventShape(value, 'event') : answerShape(value, 'answer');
}
const eventShape = record({ event: integer(1), workload, state: stateShape });
const answerShape = record({
  id,
  ok: optional(anything),
  error: optional(record({ code: text({ max: 64, pattern: /^[A-Z][A-Z0-9_]*$/ }), message: text({ max: 8192 }) })),
});
export type EventMessage = Shaped<typeof eventShape>;
export type AnswerMessage = Shaped<typeof answerShape>;
export type Message = EventMessage | AnswerMessage;
