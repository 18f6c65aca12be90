/**
 * What the pods on each node ask for, kept from change to change: to count them all for each pod that comes would make a
 * thousand pods a million counts.
 */
import type { Node, Pod, PodSpec } from '#kube/types';
import type { Api } from '../../rest/mod.ts';
import type { Entry } from '../../store/collection.ts';
import { type Amounts, add, amountsOf, type NodeView, portsOf, requestsOf } from './fit.ts';

interface Claim {
  readonly node: string;
  readonly amounts: Amounts;
  readonly ports: readonly string[];
}

interface Used {
  readonly amounts: Map<string, number>;
  /** How many pods have a host port. */
  readonly ports: Map<string, number>;
}

/** A write that failed is taken back without a word, so now and then everything is counted anew. */
const RECOUNT = 30_000;

export class Usage {
  readonly #api: Api;
  readonly #claims = new Map<string, Claim>();
  readonly #used = new Map<string, Used>();
  #counted: number | undefined;

  constructor(api: Api) {
    this.#api = api;
  }

  note(entry: Entry, type: string): void {
    const key = `${entry.namespace}/${entry.name}`;
    const before = this.#claims.get(key);
    if (before !== undefined) this.#charge(before, -1);
    this.#claims.delete(key);
    const { nodeName } = entry.value['spec'] as PodSpec;
    if (type === 'DELETED' || nodeName === undefined || nodeName === '' || isOver(entry)) return;
    const spec = entry.value['spec'] as PodSpec;
    const claim = { node: nodeName, amounts: requestsOf(spec).set('pods', 1), ports: portsOf(spec) };
    this.#claims.set(key, claim);
    this.#charge(claim, 1);
  }

  /** The nodes with what is used on them now; a binding shows at once, by the change that it is. */
  views(): NodeView[] {
    this.#recount();
    return this.#api.store.list('nodes').map(({ value }): NodeView => {
      const node = value as Node;
      const used = this.#usedOn(node.metadata?.name ?? '');
      return { node, allocatable: amountsOf(node.status?.allocatable), used: used.amounts, hostPorts: used.ports };
    });
  }

  #recount(): void {
    const now = this.#api.clock.monotonic();
    if (this.#counted !== undefined && now - this.#counted < RECOUNT) return;
    this.#counted = now;
    this.#claims.clear();
    this.#used.clear();
    for (const entry of this.#api.store.each('pods')) this.note(entry, 'ADDED');
  }

  #usedOn(node: string): Used {
    const used = this.#used.get(node) ?? { amounts: new Map(), ports: new Map() };
    this.#used.set(node, used);
    return used;
  }

  #charge({ node, amounts, ports }: Claim, sign: 1 | -1): void {
    const used = this.#usedOn(node);
    add(used.amounts, amounts, sign);
    for (const port of ports) {
      const count = (used.ports.get(port) ?? 0) + sign;
      if (count > 0) used.ports.set(port, count);
      else used.ports.delete(port);
    }
  }
}

export function isOver({ value }: Entry): boolean {
  const phase = (value as Pod).status?.phase;
  return phase === 'Succeeded' || phase === 'Failed';
}
