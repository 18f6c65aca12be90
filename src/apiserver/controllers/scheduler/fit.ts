/** Whether a pod fits a node, and the words for why not. Pure. Source: Kubernetes `pkg/scheduler/framework/plugins`. */
import { matchesLabels, milliValueOf, parseQuantity, wholeValueOf } from '#kube';
import type {
  Container,
  Node,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Pod,
  PodSpec,
  Taint,
  Toleration,
} from '#kube/types';

/** cpu in thousandths, everything else in whole units. */
export type Amounts = ReadonlyMap<string, number>;

export interface NodeView {
  readonly node: Node;
  readonly allocatable: Amounts;
  /** What the pods on it ask for; `pods` counts them. */
  readonly used: Amounts;
  readonly hostPorts: { has(port: string): boolean };
}

const UNSCHEDULABLE = 'node(s) were unschedulable';
const TAINTED = 'node(s) had untolerated taint(s)';
const NOT_READY: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
const CORDONED: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export function amountsOf(list: Readonly<Record<string, string | number>> | undefined): Map<string, number> {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, amountOf(name, text)]));
}

function amountOf(name: string, text: string | number): number {
  const quantity = parseQuantity(text);
  return name === 'cpu' ? milliValueOf(quantity) : wholeValueOf(quantity);
}

/** Init containers run one after the other, sidecars beside all that comes later. Source: `k8s.io/component-helpers/resource`. */
export function requestsOf({ containers, initContainers, overhead }: PodSpec): Map<string, number> {
  const total = new Map<string, number>();
  for (const container of containers) add(total, requestsOfContainer(container));
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of initContainers ?? []) {
    const own = requestsOfContainer(container);
    if (container.restartPolicy === 'Always') {
      add(sidecars, own);
      add(total, own);
      raise(peak, sidecars);
    } else {
      const during = new Map(sidecars);
      add(during, own);
      raise(peak, during);
    }
  }
  raise(total, peak);
  add(total, amountsOf(overhead));
  return total;
}

function requestsOfContainer({ resources }: Container): Amounts {
  return amountsOf({ ...resources?.limits, ...resources?.requests });
}

export function add(to: Map<string, number>, amounts: Amounts, sign = 1): void {
  for (const [name, amount] of amounts) to.set(name, (to.get(name) ?? 0) + sign * amount);
}

function raise(to: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) to.set(name, Math.max(to.get(name) ?? 0, amount));
}

/** Reasons why not; none means that it fits. */
export function refusals(pod: Pod, view: NodeView): string[] {
  const { node } = view;
  const spec = pod.spec as PodSpec;
  const tolerations = spec.tolerations ?? [];
  if (node.spec?.unschedulable === true && !tolerates(tolerations, CORDONED)) return [UNSCHEDULABLE];
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute');
  const all = isReady(node) ? taints : [...taints, NOT_READY];
  if (all.some((taint) => !tolerates(tolerations, taint))) return [TAINTED];
  if (!matchesAffinity(spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  if (portsOf(spec).some((port) => view.hostPorts.has(port)))
    return ["node(s) didn't have free ports for the requested pod ports"];
  return shortages(spec, view);
}

function shortages(spec: PodSpec, { allocatable, used }: NodeView): string[] {
  const reasons: string[] = [];
  if ((used.get('pods') ?? 0) + 1 > (allocatable.get('pods') ?? 110)) reasons.push('Too many pods');
  for (const [name, amount] of requestsOf(spec)) {
    if (amount > 0 && (used.get(name) ?? 0) + amount > (allocatable.get(name) ?? 0))
      reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

export function isReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(({ key = '', operator = 'Equal', value = '', effect = '' }) => {
    if (effect !== '' && effect !== taint.effect) return false;
    if (key === '') return operator === 'Exists';
    return key === taint.key && (operator === 'Exists' || value === (taint.value ?? ''));
  });
}

export function portsOf({ containers, initContainers }: PodSpec): string[] {
  const all = [...containers, ...(initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')];
  return all.flatMap(({ ports }) =>
    (ports ?? [])
      .filter(({ hostPort }) => (hostPort ?? 0) > 0)
      .map(({ hostPort, hostIP, protocol }) => `${protocol ?? 'TCP'} ${hostIP ?? '0.0.0.0'} ${hostPort}`),
  );
}

/** `nodeSelector` and the required terms of the node affinity. */
export function matchesAffinity({ nodeSelector, affinity }: PodSpec, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  if (!Object.entries(nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesTerm(term, node));
}

/** A term without requirements matches nothing. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = node.metadata?.labels ?? {};
  const fields: Record<string, string> = { 'metadata.name': node.metadata?.name ?? '' };
  return matchExpressions.every((one) => holds(one, labels)) && matchFields.every((one) => holds(one, fields));
}

function holds(
  { key, operator, values = [] }: NodeSelectorRequirement,
  from: Readonly<Record<string, string>>,
): boolean {
  const value = Object.hasOwn(from, key) ? from[key] : undefined;
  switch (operator) {
    case 'In':
    case 'NotIn':
    case 'Exists':
    case 'DoesNotExist':
      return matchesLabels([{ key, operator, values }], from);
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

/** The scheduler's sentence. Source: `pkg/scheduler/framework/types.go` FitError. */
export function fitMessage(nodes: number, refused: readonly (readonly string[])[]): string {
  if (nodes === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const reason of refused.flat()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const reasons = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  const preemption = refused.flat().some((reason) => reason.startsWith('Insufficient') || reason === 'Too many pods')
    ? `${nodes} No preemption victims found for incoming pod.`
    : `${nodes} Preemption is not helpful for scheduling.`;
  return `0/${nodes} nodes are available: ${reasons.join(', ')}. preemption: 0/${nodes} nodes are available: ${preemption}`;
}
