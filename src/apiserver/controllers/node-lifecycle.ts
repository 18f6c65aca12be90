/**
 * Notices nodes that are away (their lease is not renewed) and turns conditions into taints. Source: Kubernetes
 * `pkg/controller/nodelifecycle`. Other than there, pods are not evicted from a node that is away: on one machine there is
 * nowhere else, and a laptop that was closed overnight would come back empty.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Lease, Node, NodeCondition, Pod, Taint } from '#kube/types';
import { modifyObject, NODES, nowOf, PODS } from '../rest/mod.ts';
import { recordEvent } from './event-recorder.ts';
import type { ControllerContext, StartController } from './mod.ts';
import { eachKey, every, Reconciler } from './reconciler.ts';

const GRACE = 50_000;
const LOOK = 5000;
const PREFIX = 'node.kubernetes.io/';
const UNKNOWN = { reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' };
const CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

interface Sign {
  readonly sign: string;
  /** Monotonic milliseconds at which the sign was first seen. */
  readonly at: number;
}

export const startNodeLifecycle: StartController = (context) => {
  const { api, signal } = context;
  const signs = new Map<string, Sign>();
  const queue = new Reconciler(api, {
    name: 'node-lifecycle',
    signal,
    work: eachKey((name) => taintByConditions(context, name)),
  });
  const running = every(api, LOOK, { name: 'node-lifecycle', signal, work: look });

  function look(): void {
    for (const { name, value } of api.store.list('nodes')) {
      const sign = signOf(context, name, value as Node);
      const before = signs.get(name);
      if (before?.sign !== sign) signs.set(name, { sign, at: api.clock.monotonic() });
      else if (api.clock.monotonic() - before.at > GRACE) markUnknown(context, name);
    }
    for (const name of signs.keys()) if (!api.store.get({ storage: 'nodes', namespace: '', name })) signs.delete(name);
  }

  api.store.subscribe('nodes', ({ entry, type }) => {
    if (type !== 'DELETED') queue.push(entry.name);
  });
  for (const { name } of api.store.list('nodes')) queue.push(name);
  return { idle: () => (signal.aborted ? running.then(() => queue.idle()) : queue.idle()) };
};

/** What changes while a node lives: its lease, or the heartbeat of a node without one. */
function signOf({ api }: ControllerContext, name: string, node: Node): string {
  const lease = api.store.get({ storage: 'coordination.k8s.io/leases', namespace: 'kube-node-lease', name });
  const renewed = (lease?.value as Lease | undefined)?.spec?.renewTime ?? '';
  const beat = node.status?.conditions?.find(({ type }) => type === 'Ready')?.lastHeartbeatTime ?? '';
  return `${renewed} ${beat}`;
}

function markUnknown({ api }: ControllerContext, name: string): void {
  const now = nowOf(api);
  const changed = modifyObject(api, { kind: NODES, namespace: '', name }, (object) => {
    const node = object as Node;
    const before = node.status?.conditions ?? [];
    if (before.some(({ type, status }) => type === 'Ready' && status === 'Unknown')) return false;
    const others = before.filter(({ type }) => !CONDITIONS.includes(type));
    const unknown = CONDITIONS.map((type): NodeCondition => {
      const known = before.find((one) => one.type === type);
      return {
        ...known,
        type,
        status: 'Unknown',
        ...UNKNOWN,
        lastHeartbeatTime: known?.lastHeartbeatTime ?? now,
        lastTransitionTime: now,
      };
    });
    node.status = { ...node.status, conditions: [...others, ...unknown] };
    return true;
  });
  if (!changed) return;
  const entry = api.store.get({ storage: 'nodes', namespace: '', name });
  const facts = {
    type: 'Normal',
    reason: 'NodeNotReady',
    action: 'NodeNotReady',
    reporter: 'node-controller',
  } as const;
  if (entry !== undefined)
    recordEvent(api, entry.value, { ...facts, message: `Node ${name} status is now: NodeNotReady` });
  for (const { namespace, name: pod, value } of api.store.list('pods')) {
    if ((value as Pod).spec?.nodeName === name) markPodNotReady({ api }, { namespace, name: pod });
  }
}

function markPodNotReady({ api }: Pick<ControllerContext, 'api'>, at: { namespace: string; name: string }): void {
  modifyObject(api, { kind: PODS, ...at }, (object) => {
    const ready = (object as Pod).status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready === undefined || ready.status === 'False') return false;
    ready.status = 'False';
    ready.lastTransitionTime = nowOf(api);
    return true;
  });
}

/** Source: node_lifecycle_controller.go `nodeConditionToTaintKeyStatusMap`. */
function taintByConditions({ api }: ControllerContext, name: string): void {
  modifyObject(api, { kind: NODES, namespace: '', name }, (object) => {
    const node = object as Node;
    const before = node.spec?.taints ?? [];
    const wanted = conditionTaints(node);
    const own = new Set(
      [
        'not-ready',
        'unreachable',
        'memory-pressure',
        'disk-pressure',
        'pid-pressure',
        'network-unavailable',
        'unschedulable',
      ].map((key) => PREFIX + key),
    );
    const after = [...before.filter(({ key, effect }) => !own.has(key) || effect !== 'NoSchedule'), ...wanted];
    if (isDeepStrictEqual(sorted(before), sorted(after))) return false;
    node.spec = { ...node.spec, taints: after };
    if (after.length === 0) delete node.spec.taints;
    return true;
  });
}

function sorted(taints: readonly Taint[]): string[] {
  return taints.map(({ key, value = '', effect }) => `${key}=${value}:${effect}`).sort();
}

function conditionTaints(node: Node): Taint[] {
  const status = new Map((node.status?.conditions ?? []).map((condition) => [condition.type, condition.status]));
  const keys: string[] = [];
  const ready = status.get('Ready');
  if (ready === 'Unknown') keys.push('unreachable');
  else if (ready !== 'True') keys.push('not-ready');
  if (status.get('MemoryPressure') === 'True') keys.push('memory-pressure');
  if (status.get('DiskPressure') === 'True') keys.push('disk-pressure');
  if (status.get('PIDPressure') === 'True') keys.push('pid-pressure');
  if (status.get('NetworkUnavailable') === 'True') keys.push('network-unavailable');
  if (node.spec?.unschedulable === true) keys.push('unschedulable');
  return keys.map((key) => ({ key: PREFIX + key, effect: 'NoSchedule' }));
}
