/**
 * The node's conditions, in the kubelet's order and words; Ready stays last. Pure.
 * Source: kubelet `pkg/kubelet/nodestatus/setters.go`, thresholds `pkg/kubelet/apis/config/v1beta1/defaults_linux.go`.
 */
import { toTime } from '#kube';
import type { NodeCondition } from '#kube/types';
import type { MachineLoad } from './machine.ts';

/** Whether the serving certificate is one that the cluster signed; wasmlet's own condition, see docs/names.md. */
export type ServingState = 'ready' | 'waiting' | 'own' | 'failed';

export interface ConditionInput {
  readonly load: MachineLoad;
  /** Why the node is not ready, for people; empty: it is. */
  readonly problems: readonly string[];
  /** Undefined: no condition (a standalone node signs for itself). */
  readonly serving?: { readonly state: ServingState; readonly message: string } | undefined;
  /** Demanded walls that cannot stand here: no guest starts. Undefined: no condition. */
  readonly missingWalls?: readonly string[] | undefined;
  /** Conditions as they were shown last. */
  readonly previous: readonly NodeCondition[];
  readonly now: number;
  /** Since when each pressure is measured as gone, by condition type; kept by the caller between calls. */
  readonly reliefs: Map<string, number>;
}

const MIB = 1024 * 1024;
/** How long a pressure has to be gone before it is said to be. Source: evictionPressureTransitionPeriod. */
const RELIEF = 5 * 60_000;

interface Pressure {
  readonly type: string;
  readonly holds: (load: MachineLoad) => boolean;
  readonly bad: readonly [reason: string, message: string];
  readonly good: readonly [reason: string, message: string];
}

const PRESSURES: readonly Pressure[] = [
  {
    type: 'MemoryPressure',
    holds: ({ memoryAvailable }) => memoryAvailable < 100 * MIB,
    bad: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
    good: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  },
  {
    type: 'DiskPressure',
    holds: ({ diskAvailable, diskTotal, inodesFree, inodesTotal }) =>
      diskAvailable < diskTotal * 0.1 || inodesFree < inodesTotal * 0.05,
    bad: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
    good: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  },
  {
    type: 'PIDPressure',
    holds: ({ pids, pidsMax }) => pidsMax > 0 && pids > pidsMax * 0.98,
    bad: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
    good: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  },
];

export function conditionsOf(input: ConditionInput): NodeCondition[] {
  const shown = [
    ...PRESSURES.map((pressure) => pressureCondition(pressure, input)),
    ...(input.serving === undefined ? [] : [servingCondition(input.serving)]),
    ...(input.missingWalls === undefined ? [] : [wallsCondition(input.missingWalls)]),
    readyCondition(input.problems),
  ];
  return shown.map((condition) => withTimes(condition, input));
}

type Plain = Required<Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>>;

function pressureCondition(
  { type, holds, bad, good }: Pressure,
  { load, previous, now, reliefs }: ConditionInput,
): Plain {
  const was = previous.find((condition) => condition.type === type)?.status === 'True';
  let pressed = holds(load);
  if (pressed) reliefs.delete(type);
  else if (was) {
    const since = reliefs.get(type) ?? now;
    reliefs.set(type, since);
    pressed = now - since < RELIEF;
  }
  const [reason, message] = pressed ? bad : good;
  return { type, status: pressed ? 'True' : 'False', reason, message };
}

const SERVING_REASONS: Record<ServingState, string> = {
  ready: 'Signed',
  own: 'Given',
  waiting: 'WaitingForApproval',
  failed: 'RequestFailed',
};

function servingCondition({ state, message }: { state: ServingState; message: string }): Plain {
  const status = state === 'ready' || state === 'own' ? 'True' : 'False';
  return { type: 'ServingCertificateReady', status, reason: SERVING_REASONS[state], message };
}

function wallsCondition(missing: readonly string[]): Plain {
  const type = 'wasmlet.dev/Walls';
  if (missing.length === 0) {
    return { type, status: 'True', reason: 'Standing', message: 'every demanded wall can stand here' };
  }
  return { type, status: 'False', reason: 'NoWalls', message: `no guest starts: ${missing.join('; ')}` };
}

function readyCondition(problems: readonly string[]): Plain {
  if (problems.length === 0) {
    return { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' };
  }
  const message = problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`;
  return { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message };
}

function withTimes(condition: Plain, { previous, now }: ConditionInput): NodeCondition {
  const before = previous.find(({ type }) => type === condition.type);
  const same = before?.status === condition.status && before.lastTransitionTime !== undefined;
  return {
    type: condition.type,
    status: condition.status,
    lastHeartbeatTime: toTime(now),
    lastTransitionTime: same ? (before.lastTransitionTime ?? toTime(now)) : toTime(now),
    reason: condition.reason,
    message: condition.message,
  };
}
